"""Removes old runs with their events and logs from Dagster's history, which Dagster itself never does.

A run stays, however old, while it is at work or what it made is what the store holds: the Dagster UI takes from its
events that a batch is materialised.
"""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from label_quality.assets.resources import StoreResource
from label_quality.assets.step import one_sentence

_ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]


@dg.op
def purge_runs(context: dg.OpExecutionContext, store: StoreResource) -> None:
    """Remove what is older than the setting `keep_runs_days`."""
    with one_sentence():
        days = store.settings.keep_runs_days
        if not days:
            context.log.info("keep_runs_days is 0: nothing is removed")
            return
        opened = store.open()
        manifests = [m for b in opened.batches() if (m := opened.manifest(b))]
        kept = {version.run_id for m in manifests for version in m.versions}
        before = datetime.now(UTC) - timedelta(days=days)
        gone = remove_runs(context.instance, before, kept | {context.run_id})
        context.log.info(f"removed {len(gone)} runs that were older than {days} days")


def remove_runs(instance: dg.DagsterInstance, before: datetime, kept: set[str]) -> list[str]:
    """Remove ended runs created before that time but those `kept` and the last `refresh` that succeeded; returns their ids."""
    last = instance.get_runs(
        dg.RunsFilter(job_name="refresh", statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1
    )
    kept = kept | {run.run_id for run in last}
    old = instance.get_run_ids(dg.RunsFilter(statuses=_ENDED, created_before=before))
    gone = [run_id for run_id in old if run_id not in kept]
    for run_id in gone:
        _remove(instance, run_id)
    return gone


def _remove(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.delete_run(run_id)
    with contextlib.suppress(NotImplementedError):  # logs in a place that cannot delete
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    # SQLite: a file for each run, which Dagster empties and leaves as large as it was.
    path_for_shard = getattr(instance.event_log_storage, "path_for_shard", None)
    if path_for_shard:
        file = Path(path_for_shard(run_id))
        for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
            path.unlink(missing_ok=True)
