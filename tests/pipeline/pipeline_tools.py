"""What the pipeline's tests share: the command as a process, services that end with their children, and what is published."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

PROJECT = Path(__file__).resolve().parents[2]
PYTHON_TOOLS = Path(sys.executable).parent
NO_LIMITS = "[limits]\n" + "".join(
    f"{kind} = {{ warn = 1.0, error = 1.0 }}\n"
    for kind in ("missing", "wrong_class", "inaccurate", "duplicate", "spurious", "any")
)
# What differs between two runs on the same input.
_OF_THE_RUN = {"run_id", "committed_at", "tables"}
_ABOUT_RUNS = {"deliveries"}  # the killed ones, too


def environment(home: Path | None, **more: str) -> dict[str, str]:
    """The variables for a process of ours: nobody's own settings, `home` as DAGSTER_HOME."""
    ours = ("LABEL_QUALITY_", "DAGSTER_", "DG_", "COLUMNS")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    python_path = os.pathsep.join([str(PROJECT), *filter(None, [kept.get("PYTHONPATH")])])
    dagster = {"DAGSTER_HOME": str(home)} if home else {}
    return kept | dagster | {"PYTHONPATH": python_path, "DG_CLI_TELEMETRY_ENABLED": "0"} | more


def start(*args: object, home: Path, cwd: Path, **more: str) -> subprocess.Popen[str]:
    """`label-quality` with these arguments, as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "label_quality.cli", *map(str, args)],
        cwd=cwd,
        env=environment(home, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(*args: object, home: Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `label-quality` with these arguments to its end."""
    with start(*args, home=home, cwd=cwd, **more) as process:
        try:
            out, err = process.communicate(timeout=200)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(args, process.returncode, out, err)


def mistake(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that told the user what went wrong; the exit code was 2 and nobody saw a traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    progress = ("[", "Usage:", "Try ")
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith(progress)]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(("label-quality: ", "Error: ")), lines[0]
    return lines[0]


def audit_in_process(
    root: Path,
    instance: dg.DagsterInstance,
    batch: str,
    *,
    tags: Mapping[str, str] | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
    run_id: str | None = None,
) -> dg.ExecuteInProcessResult:
    """A run of `audit_batch` in this process, as the daemon would start it."""
    # Here: this file is imported before the settings of whoever runs the tests are out of the way.
    from label_quality.cli import execute
    from label_quality.definitions import build_definitions
    from label_quality.settings import load_settings

    job = build_definitions(load_settings(root)).resolve_job_def("audit_batch")
    instance.add_dynamic_partitions("batch", [batch])
    return job.execute_in_process(
        instance=instance,
        partition_key=batch,
        tags=tags,
        asset_selection=assets,
        run_id=run_id,
        run_config=execute._QUIET,
        raise_on_error=False,
    )


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, root: Path, cursor: str | None
) -> Any:
    """What one tick of a sensor answers: a SensorResult or a SkipReason."""
    from label_quality.assets.resources import StoreResource

    resources = {"store": StoreResource(root=str(root))}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        return sensor(context)


def snapshot(database: Path) -> dict[str, list[str]]:
    """Every row of every table but what names the run, in a form that can be compared."""
    with duckdb.connect(str(database), read_only=True) as con:
        tables = con.execute(
            "select table_name, list(column_name order by column_index) from duckdb_columns() "
            "where not internal and table_name in (select table_name from duckdb_tables()) group by all"
        ).fetchall()
        out = {}
        for table, columns in tables:
            if table in _ABOUT_RUNS:
                continue
            kept = ", ".join(f'"{c}"' for c in columns if c not in _OF_THE_RUN)
            rows = con.execute(f'select {kept} from "{table}"').fetchall()
            out[table] = sorted(repr([_rounded(value) for value in row]) for row in rows)
    return out


def _rounded(value: Any) -> Any:
    # Sums of floating-point numbers depend in their last digit on which thread adds first.
    return float(f"{value:.10g}") if isinstance(value, float) else value


def query(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query over the published database."""
    with duckdb.connect(str(database), read_only=True) as con:
        return con.execute(sql).fetchall()


def wait_for(what: Callable[[], Any], seconds: float, why: str, every: float = 0.25) -> Any:
    """The first true value of `what`, which is asked again and again for at most `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {why}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def service(
    args: Sequence[object], *, cwd: Path, env: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that goes on until the block ends; then it and all its children are ended by their process group."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(a) for a in args],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
        assert process.poll() is None, f"it ended by itself:\n{log.read_text()[-3000:]}"
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if _ended(process, number):
                break
        process.wait()


def _ended(process: subprocess.Popen[bytes], number: int) -> bool:
    """Signal the whole group; whether it is gone a few seconds later."""
    for _ in range(50):
        try:
            os.killpg(process.pid, number if _ == 0 else 0)
        except ProcessLookupError:
            return True
        process.poll()  # else the leader stays behind as a zombie, and the group with it
        time.sleep(0.1)
    return False


def graphql(port: int, text: str, **variables: object) -> Any:
    """The data of a GraphQL query to the Dagster webserver; None while it does not answer."""
    body = json.dumps({"query": text, "variables": variables}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
  __typename ... on PythonError { message } } } } } }"""


def loaded_locations(port: int) -> list[str]:
    """The names of the code locations once all are loaded; empty before."""
    data = graphql(port, LOCATIONS)
    entries = data["workspaceOrError"]["locationEntries"] if data else []
    states = [e["locationOrLoadError"] for e in entries]
    for state in states:
        assert not state or state["__typename"] != "PythonError", state["message"]
    return [e["name"] for e in entries] if states and all(states) else []
