"""A deployment as deploy/ describes it, as processes of this machine: its PostgreSQL, its Redis and its services' own commands."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from pipeline_tools import PROJECT, environment, wait_for
from servers import postgres, redis

from label_quality.demo import Demo
from label_quality.store.files import locked

DEPLOY = PROJECT / "deploy"
SETTINGS = """
sensor_interval_seconds = 2
settle_seconds = 0.5
[celery]
visibility_timeout_seconds = 15
[duckdb]
threads = 1
"""


def compose() -> dict[str, Any]:
    """The services of deploy/compose.yaml."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


@dataclass
class Worker:
    """A service that is at work: its process, whose group is its own, and what it wrote."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the whole group."""
        os.killpg(self.process.pid, number)


@dataclass
class Cluster:
    """One machine that plays several."""

    folder: Path
    env: dict[str, str]
    workers: dict[str, Worker] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Where the database is."""
        return self.folder / "data"

    def start(self, service: str, name: str = "", processes: int = 0, **more: str) -> Worker:
        """Start a service of deploy/compose.yaml by its own command; a worker may be given a name, and other variables."""
        program, *arguments = compose()[service]["command"]
        if processes:
            arguments.append(f"--concurrency={processes}")
        if name:
            arguments.append(f"--hostname={name}@%h")
        log = self.folder / f"{name or service}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / program), *arguments],
                cwd=self.folder,
                env=self.env | more,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = self.workers[name or service] = Worker(process, log)
        return started

    def ready(self, *names: str) -> None:
        """Wait for workers to listen."""
        for name in names:
            wait_for(lambda n=name: " ready." in self.workers[n].text(), 150, f"{name} is ready")

    def stop(self) -> None:
        """End everything, with all children."""
        for worker in self.workers.values():
            try:
                worker.kill()
            except ProcessLookupError:
                continue
            worker.process.wait()

    def drop(self, demo: Demo, name: str) -> None:
        """Deliver a folder by a rename."""
        inbox = self.root / "inbox"
        shutil.copytree(demo.annotations.parent, inbox / f".{name}")
        (inbox / f".{name}" / "planted_errors.json").unlink()
        (inbox / f".{name}").rename(inbox / name)

    @contextmanager
    def history(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's history, in PostgreSQL."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_POSTGRES_URL", self.env["DAGSTER_POSTGRES_URL"])
            with dg.DagsterInstance.from_config(self.env["DAGSTER_HOME"]) as instance:
                yield instance

    def step_workers(self) -> dict[str, list[tuple[str, str]]]:
        """batch -> (step, name of the worker that was given it) in order; a step that was done again is there twice."""
        found: dict[str, list[tuple[str, str]]] = {}
        with self.history() as instance:
            for run in instance.get_runs(dg.RunsFilter(job_name="audit_batch")):
                for log in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
                    event = log.dagster_event
                    metadata = event.engine_event_data.metadata if event else {}
                    if event and "Celery worker" in metadata:
                        name = str(metadata["Celery worker"].value).partition("@")[0]
                        batch = run.tags["dagster/partition"]
                        found.setdefault(batch, []).append((str(event.step_key), name))
        return found


@contextmanager
def cluster(folder: Path, settings: str = SETTINGS, **more: str) -> Iterator[Cluster]:
    """PostgreSQL, Redis and a home that is configured by deploy/dagster.yaml; no service is started yet."""
    for module in ("dagster_celery", "dagster_postgres"):
        pytest.importorskip(module, reason=f"{module} is not installed: extra celery")
    with ExitStack() as servers:
        # One at a time, whoever else runs these tests: a dozen processes each are too many for a small machine.
        servers.enter_context(locked(Path(tempfile.gettempdir()) / "label_quality_cluster.lock"))
        broker = servers.enter_context(redis.server())
        url = postgres.new_database(servers.enter_context(postgres.server()), "dagster")
        home = folder / "home"
        home.mkdir(parents=True)
        config = (DEPLOY / "dagster.yaml").read_text()
        # What waits for a machine to come back need not wait as long here.
        config = config.replace("poll_interval_seconds: 30", "poll_interval_seconds: 5")
        (home / "dagster.yaml").write_text(config)
        shutil.copyfile(PROJECT / "workspace.yaml", folder / "workspace.yaml")
        (folder / "data" / "inbox").mkdir(parents=True)
        (folder / "data" / "label_quality.toml").write_text(settings)
        variables = {
            "LABEL_QUALITY_ROOT": str(folder / "data"),
            "LABEL_QUALITY_EXECUTOR": "celery",
            "LABEL_QUALITY_BROKER": broker,
            "DAGSTER_POSTGRES_URL": url.replace("postgresql:", "postgresql+psycopg2:"),
        }
        made = Cluster(folder, environment(home, **variables | more))
        try:
            with made.history():
                pass  # makes the tables: two services at once would be in each other's way
            yield made
        finally:
            made.stop()


def twice(steps: list[tuple[str, str]]) -> list[str]:
    """The steps that were given out more than once."""
    return [step for step, times in Counter(step for step, _ in steps).items() if times > 1]
