"""The two jobs: `audit_batch` (one partition per batch) and `refresh` (what depends on all batches)."""

from __future__ import annotations

import dagster as dg

from label_quality.assets import BATCH_ASSETS, OVERALL_ASSETS

# One run is one batch, in one process: a step costs 0.03 s instead of 3. Parallelism comes from several runs.
audit_batch = dg.define_asset_job(
    "audit_batch",
    selection=dg.AssetSelection.assets(*BATCH_ASSETS),
    executor_def=dg.in_process_executor,
    description="Ingest one batch, match its labels with predictions, find label errors, judge the rates, publish.",
)
refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.assets(*OVERALL_ASSETS),
    executor_def=dg.in_process_executor,
    description="Compute what depends on all batches from what they have committed.",
)
