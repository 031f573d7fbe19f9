"""The inbox sensor: a new or changed folder in ``inbox/`` becomes a partition and a run. It lists and stats, nothing more.

Plus the two ways in which `refresh` runs by itself: after publishing has settled, and nightly.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from label_quality.assets.alive import end_dead_runs
from label_quality.assets.resources import BATCHES, INBOX_TAG, StoreResource
from label_quality.inbox import Found, find_delivery
from label_quality.jobs import audit_batch, refresh
from label_quality.settings import load_settings
from label_quality.store import StoreError, batch_name
from label_quality.store.names import is_batch_name

_SETTLE_SECONDS = 2.0  # younger files may still be being written
_RUNS_A_TICK = 25
_INTERVAL = load_settings().sensor_interval_seconds


@dg.sensor(
    job=audit_batch,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches inbox/<batch>/ for annotations.json, images/ and predictions/<model>.json.",
)
def inbox(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.SensorResult | dg.SkipReason:
    """One run for each folder whose names, sizes or times are not those of its last run."""
    settings = store.settings
    end_dead_runs(context.instance, settings.root_path)
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    requests: list[dg.RunRequest] = []
    waiting: list[str] = []
    for folder, batch in _batches(_folders(settings.inbox_path), seen, waiting).items():
        found = find_delivery(folder)
        if isinstance(found, str):
            waiting.append(f"{folder.name}: {found}")
        elif seen.get(folder.name) == found.fingerprint:
            continue
        elif abs(time.time() - found.newest) < _SETTLE_SECONDS:
            waiting.append(f"{folder.name}: still being written, perhaps; next tick")
        elif len(requests) == _RUNS_A_TICK:
            waiting.append(
                f"the rest waits for the next tick: {_RUNS_A_TICK} runs are enough at once"
            )
            break
        else:
            seen[folder.name] = found.fingerprint
            requests.append(_request(batch, folder, found))
    if not requests:
        return dg.SkipReason(
            "; ".join(waiting)[:500] or f"nothing new in {settings.inbox_path.name}/"
        )
    if waiting:
        context.log.warning("; ".join(waiting))
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[
            BATCHES.build_add_request([r.partition_key for r in requests if r.partition_key])
        ],
        cursor=json.dumps(seen),
    )


def _folders(inbox_folder: Path) -> list[Path]:
    return sorted(p for p in inbox_folder.glob("*") if p.is_dir() and not p.name.startswith("."))


def _batches(folders: list[Path], seen: Mapping[str, str], waiting: list[str]) -> dict[Path, str]:
    """The batch of each folder. Two folders that would be one batch must not overwrite each other in turn.

    The one that ran before keeps the name, else the one that is named so, else the first by the alphabet; of the
    others `waiting` is told.
    """
    owners: dict[str, Path] = {}
    for folder in sorted(folders, key=lambda p: (p.name not in seen, not is_batch_name(p.name), p)):
        try:
            owner = owners.setdefault(batch_name(folder.name), folder)
        except StoreError as error:
            waiting.append(str(error))
            continue
        if owner != folder:
            waiting.append(
                f"{folder.name}: it would be batch {batch_name(folder.name)}, which is folder {owner.name}; "
                "give it another name"
            )
    return {folder: batch for batch, folder in sorted(owners.items(), key=lambda item: item[1])}


def _request(batch: str, folder: Path, found: Found) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{batch}@{found.fingerprint}",
        partition_key=batch,
        tags={INBOX_TAG: folder.name},
    )


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs refresh once when batches were committed since the last time and no audit is under way.",
)
def settled(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.SensorResult | dg.SkipReason:
    """Coalesces: however many batches were published, one run."""
    opened = store.open()
    end_dead_runs(context.instance, opened.root)
    manifests = [m for b in opened.batches() if (m := opened.manifest(b))]
    state = max((m.committed_at for m in manifests), default="") + f"/{len(manifests)}"
    if not manifests or state == context.cursor:
        return dg.SkipReason("nothing was committed since")
    running = context.instance.get_runs(
        dg.RunsFilter(
            job_name=audit_batch.name,
            statuses=[
                dg.DagsterRunStatus.QUEUED,
                dg.DagsterRunStatus.STARTING,
                dg.DagsterRunStatus.STARTED,
            ],
        ),
        limit=1,
    )
    if running:
        return dg.SkipReason("an audit is under way")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"refresh@{state}")], cursor=state)


nightly = dg.ScheduleDefinition(
    job=refresh,
    cron_schedule="15 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
