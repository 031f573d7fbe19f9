"""The ways in which the jobs over all batches run by themselves: after publishing has settled, and nightly."""

import dagster as dg

from label_quality.assets.alive import end_dead_runs
from label_quality.assets.resources import StoreResource
from label_quality.jobs import audit_batch, purge_history, refresh
from label_quality.sensors.inbox import INTERVAL

_GOING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs refresh once when batches were committed, or failed, since the last time and no audit is under way.",
)
def settled(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.SensorResult | dg.SkipReason:
    """Coalesces: however many batches were published, one run."""
    opened = store.open()
    end_dead_runs(context.instance, opened.root)
    state = opened.state()
    if not state or state == context.cursor:
        return dg.SkipReason("nothing was committed since")
    running = context.instance.get_runs(
        dg.RunsFilter(job_name=audit_batch.name, statuses=_GOING), limit=1
    )
    if running:
        return dg.SkipReason("an audit is under way")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"refresh@{state}")], cursor=state)


nightly_refresh = dg.ScheduleDefinition(
    name="nightly_refresh",
    job=refresh,
    cron_schedule="15 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Computes the tables over all batches anew, whatever has changed.",
)
nightly_purge = dg.ScheduleDefinition(
    name="nightly_purge",
    job=purge_history,
    cron_schedule="45 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Removes runs and their events from Dagster's history that are older than keep_runs_days.",
)
