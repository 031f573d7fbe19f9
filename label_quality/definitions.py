"""The Dagster code location: assembles assets, jobs, sensors and the store. Nothing is decided here."""

from __future__ import annotations

import dagster as dg

from label_quality.assets import BATCH_ASSETS, OVERALL_ASSETS, SOURCES
from label_quality.assets.resources import StoreResource
from label_quality.jobs import audit_batch, purge_history, refresh
from label_quality.sensors import SCHEDULES, SENSORS
from label_quality.settings import Settings


def build_definitions(settings: Settings | None = None) -> dg.Definitions:
    """The definitions for one root; without settings, for the root that the environment or the settings file names."""
    return dg.Definitions(
        assets=[*BATCH_ASSETS, *OVERALL_ASSETS, *SOURCES],
        jobs=[audit_batch, refresh, purge_history],
        sensors=SENSORS,
        schedules=SCHEDULES,
        resources={"store": StoreResource(root=settings.root if settings else "")},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
