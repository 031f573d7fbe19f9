"""Runs the two jobs in this process, with progress on standard error. They are the jobs that the Dagster UI runs."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import msgspec

from label_quality.assets.alive import end_dead_runs
from label_quality.assets.calibration import committed_checks
from label_quality.assets.resources import BATCHES
from label_quality.assets.step import listeners
from label_quality.cli.engines import kept_engines
from label_quality.cli.lean import arrow_without_pandas
from label_quality.store import Store
from label_quality.store.files import locked

if TYPE_CHECKING:
    from label_quality.settings import Settings

# Dagster's own console lines are for its UI; what a user of the command should read is printed by it.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Check:
    """One asset check as it was judged. `severity` is WARN or ERROR; `judged` is False where nothing could be said."""

    asset: str
    name: str
    passed: bool
    severity: str
    description: str

    @property
    def judged(self) -> bool:
        """Whether there was anything to judge by."""
        return "not judged" not in self.description


@dataclass
class Run:
    """What a run of the jobs left: its id, a failure in one sentence or none, checks, and seconds by asset and by written table."""

    run_id: str
    failure: str = ""
    checks: list[Check] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def run_jobs(settings: Settings, batch: str) -> Run:
    """Run `audit_batch` for one batch, then `refresh`. A failure is in the result, not an exception."""
    from label_quality.definitions import build_definitions

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    arrow_without_pandas()
    # A command runs what it is given in its own process, whatever the services do.
    definitions = build_definitions(msgspec.structs.replace(settings, executor="in_process"))
    start = time.perf_counter()
    with (
        _progress(),
        kept_engines(),
        warnings.catch_warnings(),
        _instance() as instance,
    ):
        warnings.simplefilter("ignore")
        end_dead_runs(instance, settings.root_path)
        instance.add_dynamic_partitions(str(BATCHES.name), [batch])
        run = _execute(definitions, "audit_batch", instance, batch)
        if not run.failure:
            refresh = _execute(definitions, "refresh", instance, None)
            run.failure = refresh.failure
            run.seconds |= refresh.seconds
            _judge_again(run, settings, batch, refresh.run_id)
    run.seconds["jobs"] = round(time.perf_counter() - start, 3)
    return run


def _instance() -> AbstractContextManager[dg.DagsterInstance]:
    """The instance of ``DAGSTER_HOME``. Two commands that make a new home's databases at once would damage them."""
    with locked(Path(os.environ["DAGSTER_HOME"]) / "first.lock"):
        return dg.DagsterInstance.get()


def _execute(
    definitions: dg.Definitions, name: str, instance: dg.DagsterInstance, batch: str | None
) -> Run:
    result = definitions.resolve_job_def(name).execute_in_process(
        instance=instance, partition_key=batch, run_config=_QUIET, raise_on_error=False
    )
    run = Run(result.run_id)
    for event in result.all_events:
        error = getattr(event.event_specific_data, "error", None)
        if error and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
            raise KeyboardInterrupt  # Dagster has recorded the run as failed, and keeps Ctrl-C to itself
        if event.is_step_materialization:
            made = event.step_materialization_data.materialization
            # A step of a batch that writes several tables gives one clock reading for each: the last is the step's. What is
            # over all batches is one step; its parts are told apart by their first tables.
            name = (event.step_key or "") if batch else made.asset_key.to_user_string()
            run.seconds |= _seconds(made.metadata, name)
    run.checks = [_check(e) for e in result.get_asset_check_evaluations()]
    if not result.success:
        run.failure = _why(result)
    return run


def _check(e: Any) -> Check:
    """A result or an evaluation of a check."""
    return Check(
        e.asset_key.to_user_string(), e.check_name, e.passed, e.severity.value, e.description or ""
    )


def _judge_again(run: Run, settings: Settings, batch: str, refresh_id: str) -> None:
    """Where `refresh` has calibrated the batch's findings, its rates are others than its own run had judged."""
    store = Store(settings.root_path, settings)
    manifest = store.manifest(batch)
    if manifest and manifest.run_id == refresh_id:
        again = {(c.asset, c.name): c for c in map(_check, committed_checks(store, batch))}
        run.checks = [again.get((c.asset, c.name), c) for c in run.checks]


def _seconds(metadata: Any, name: str) -> dict[str, float]:
    """What an asset tells of its time: the step's, and for each table what it took to write into the database."""
    told = {name: metadata["seconds"].value} if "seconds" in metadata and name else {}
    by_table = metadata["seconds by table"].value if "seconds by table" in metadata else {}
    if "seconds to write" in metadata:
        by_table = {name: metadata["seconds to write"].value}
    return told | {f"write {table}": seconds for table, seconds in by_table.items()}


def _why(result: dg.ExecuteInProcessResult) -> str:
    """The sentence of the first failure: the user's mistake where it is one, else the error as Dagster has it."""
    for check in result.get_asset_check_evaluations():
        if check.blocking and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
            asset = check.asset_key.to_user_string()
            return f"{asset}: check {check.check_name} failed: {check.description}"
    for event in result.all_events:
        data: Any = event.event_specific_data
        failure = getattr(data, "user_failure_data", None)
        if failure and failure.description:
            return str(failure.description)
        error = getattr(data, "error", None)
        if error and (event.is_failure or event.is_step_failure):
            return _innermost(error)
    return "the run failed; `label-quality ui` shows its log"


def _innermost(error: Any) -> str:
    while error.cause:
        error = error.cause
    return " ".join(str(error.message).split(": ", 1)[-1].split())


@contextmanager
def _progress() -> Iterator[None]:
    """A spinner on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            listeners.append(status.update)
            try:
                yield
            finally:
                listeners.remove(status.update)
        return
    start = time.perf_counter()

    def line(text: str) -> None:
        print(f"[{time.perf_counter() - start:5.1f} s] {text}", file=sys.stderr, flush=True)

    listeners.append(line)
    try:
        yield
    finally:
        listeners.remove(line)
