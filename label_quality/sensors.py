"""The inbox sensor: a new or changed folder in ``inbox/`` becomes a partition and a run. It lists and stats, nothing more.

Plus the two ways in which `refresh` runs by itself: after publishing has settled, and nightly.
"""

import json
import time

import dagster as dg

from label_quality.assets.resources import BATCHES, INBOX_TAG, StoreResource
from label_quality.inbox import find_delivery
from label_quality.jobs import audit_batch, refresh
from label_quality.settings import load_settings
from label_quality.store import batch_name

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
    folder = store.settings.inbox_path
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    requests: list[dg.RunRequest] = []
    waiting: list[str] = []
    for delivery in sorted(
        p for p in folder.glob("*") if p.is_dir() and not p.name.startswith(".")
    ):
        found = find_delivery(delivery)
        if isinstance(found, str):
            waiting.append(f"{delivery.name}: {found}")
            continue
        if seen.get(delivery.name) == found.fingerprint:
            continue
        if time.time() - found.newest < _SETTLE_SECONDS or len(requests) == _RUNS_A_TICK:
            waiting.append(f"{delivery.name}: not settled, or too many at once; next tick")
            continue
        seen[delivery.name] = found.fingerprint
        batch = batch_name(delivery.name)
        requests.append(
            dg.RunRequest(
                run_key=f"{batch}@{found.fingerprint}",
                partition_key=batch,
                tags={INBOX_TAG: delivery.name},
            )
        )
    if not requests:
        return dg.SkipReason("; ".join(waiting)[:500] or f"nothing new in {folder.name}/")
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[
            BATCHES.build_add_request([r.partition_key for r in requests if r.partition_key])
        ],
        cursor=json.dumps(seen),
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
