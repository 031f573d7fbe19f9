"""The jobs: `audit_batch` (one partition per batch), `refresh` (what depends on all batches), `purge_history`."""

from __future__ import annotations

import dagster as dg

from label_quality.assets import BATCH_ASSETS, OVERALL_ASSETS
from label_quality.assets.history import purge_runs

# One run is one batch, in one process unless the settings say otherwise: a step costs 0.03 s instead of 3. Parallelism comes
# from several runs.
audit_batch = dg.define_asset_job(
    "audit_batch",
    selection=dg.AssetSelection.assets(*BATCH_ASSETS),
    description="Ingest one batch, match its labels with predictions, find label errors, judge the rates, publish.",
    # A run that was killed is repeated as a whole: what it had written belongs to it, and no other run reads it.
    tags={"dagster/retry_strategy": "ALL_STEPS"},
)
refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.assets(*OVERALL_ASSETS),
    description="Compute what depends on all batches from what they have committed.",
)


@dg.job(
    executor_def=dg.in_process_executor,
    description="Remove runs and their events from Dagster's history that are older than keep_runs_days.",
)
def purge_history() -> None:
    """Dagster itself keeps them for ever."""
    purge_runs()
