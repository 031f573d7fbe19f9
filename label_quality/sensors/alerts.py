"""Failed runs and failed checks are told to a webhook, if the settings name one. A webhook that is down stops nothing."""

import logging

import dagster as dg

from label_quality.assets.alive import PARTITION_TAG
from label_quality.assets.resources import StoreResource
from label_quality.jobs import audit_batch, purge_history, refresh
from label_quality.webhook import send

_RUNNING = dg.DefaultSensorStatus.RUNNING


@dg.run_failure_sensor(
    monitored_jobs=[audit_batch, refresh, purge_history],
    default_status=_RUNNING,
    description="Tells the webhook of each run that failed, and why.",
)
def failed_runs(context: dg.RunFailureSensorContext, store: StoreResource) -> None:
    """One message for each failed run, and a note for the account of its batch where the run could leave none."""
    reason = _reason(context)
    message = {
        "event": "run_failed",
        **_about(context.dagster_run),
        "reason": reason,
        "will_retry": context.dagster_run.tags.get("dagster/will_retry") == "true",
        "checks": _failed(context.instance, context.dagster_run.run_id),
    }
    what = f"batch {message['batch']}" if message["batch"] else message["job"]
    _tell(context.log, store, message | {"text": f"{what} failed: {reason}"})
    # Last: a store that cannot be written must not keep the message back.
    _note(context, store, reason)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[audit_batch, refresh],
    default_status=_RUNNING,
    description="Tells the webhook of each run with a check that is an ERROR; of warnings too, if the settings say so.",
)
def failed_checks(context: dg.RunStatusSensorContext, store: StoreResource) -> None:
    """One message for each run with failed checks, however many there are."""
    failed = _failed(context.instance, context.dagster_run.run_id)
    told = [c for c in failed if c["severity"] == "ERROR" or store.settings.webhook.warnings]
    if not told:
        return
    message = {"event": "checks_failed", **_about(context.dagster_run), "checks": told}
    lines = "; ".join(f"{c['severity']} {c['check']}: {c['description']}" for c in told)
    what = f"batch {message['batch']}" if message["batch"] else message["job"]
    _tell(context.log, store, message | {"text": f"{what}: {lines}"})


def _note(context: dg.RunFailureSensorContext, store: StoreResource, reason: str) -> None:
    run = context.dagster_run
    if batch := run.tags.get(PARTITION_TAG):
        ended = context.instance.get_run_stats(run.run_id).end_time
        store.open().note_failure(batch, run.run_id, reason, ended)


def _tell(log: logging.Logger, store: StoreResource, message: dict[str, object]) -> None:
    settings = store.settings.webhook
    if settings.url and (problem := send(settings.url, message, settings.timeout_seconds)):
        log.warning(f"the webhook was not told of run {message['run_id']}: {problem}")


def _about(run: dg.DagsterRun) -> dict[str, object]:
    return {"job": run.job_name, "batch": run.tags.get(PARTITION_TAG), "run_id": run.run_id}


def _reason(context: dg.RunFailureSensorContext) -> str:
    """The sentence of the step that failed, else what Dagster says of the run."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data and data.user_failure_data.description:
            return str(data.user_failure_data.description)
        if data.error:
            return " ".join(data.error.message.split())
    return context.failure_event.message or "the run failed"


def _failed(instance: dg.DagsterInstance, run_id: str) -> list[dict[str, str]]:
    """The checks of the run that did not pass."""
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [log.asset_check_evaluation for log in logs]
    return [
        {
            "asset": e.asset_key.to_user_string(),
            "check": e.check_name,
            "severity": e.severity.value,
            "description": e.description or "",
        }
        for e in found
        if e and not e.passed
    ]
