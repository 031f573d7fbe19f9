"""Which runs are still at work: each holds a lock file, which the kernel frees when its process ends, however it ends.

Dagster cannot tell for runs that a command started. One that was killed would stand as started for ever, and keep a
place in the queue, and its batch, from all later runs.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from label_quality.settings import load_settings
from label_quality.store import Store

PARTITION_TAG = "dagster/partition"
_ENDED = "The process of this run ended without a word: it was killed, or the machine went down."
_GOING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@contextmanager
def at_work(root: Path, run_id: str) -> Iterator[None]:
    """Hold the run's lock file below `root` while the block goes on."""
    file = _file(root, run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    starting = file.with_name(f".{file.name}")
    with starting.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        starting.replace(file)  # held from the moment that it can be seen
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def end_dead_runs(instance: dg.DagsterInstance, root: Path) -> list[str]:
    """Record runs on `root` whose process is no more as failed; returns their ids."""
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_GOING)):
        if _is_dead(_file(root, run.run_id)):
            instance.report_run_failed(run, _ENDED)
            if batch := run.tags.get(PARTITION_TAG):
                Store(root, load_settings(root)).note_failure(batch, run.run_id, _ENDED)
            _file(root, run.run_id).unlink(missing_ok=True)
            ended.append(run.run_id)
    return ended


def _is_dead(file: Path) -> bool:
    try:
        with file.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False  # of another root, about to start or just ended; or at work
    return True


def _file(root: Path, run_id: str) -> Path:
    return root / "locks" / "runs" / f"{run_id}.lock"
