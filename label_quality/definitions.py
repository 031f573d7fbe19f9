"""The Dagster code location: assembles assets, jobs, sensors and the store. Nothing is decided here."""

from __future__ import annotations

import dagster as dg

from label_quality.assets import BATCH_ASSETS, OVERALL_ASSETS, SOURCES
from label_quality.assets.resources import StoreResource
from label_quality.jobs import audit_batch, purge_history, refresh
from label_quality.sensors import SCHEDULES, SENSORS
from label_quality.settings import Settings, SettingsError, load_settings


def build_definitions(settings: Settings | None = None) -> dg.Definitions:
    """The definitions for one root; without settings, for the root that the environment or the settings file names."""
    return dg.Definitions(
        assets=[*BATCH_ASSETS, *OVERALL_ASSETS, *SOURCES],
        jobs=[audit_batch, refresh, purge_history],
        sensors=SENSORS,
        schedules=SCHEDULES,
        resources={"store": StoreResource(root=settings.root if settings else "")},
        executor=_executor(settings or load_settings()),
    )


def _executor(settings: Settings) -> dg.ExecutorDefinition:
    """One process for each run, or Celery: nothing of it is imported unless the settings ask for it."""
    if settings.executor == "in_process":
        return dg.in_process_executor
    try:
        from label_quality.distributed import build_executor  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"executor = \"celery\" needs the extra celery, pip install 'label_quality[celery]': {error}"
        ) from error
    return build_executor(settings)


defs = build_definitions()
