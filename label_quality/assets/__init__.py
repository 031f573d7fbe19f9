"""Dagster assets, one per table and named as the table. Thin: read tables, call one domain function, write, attach metadata.

What does not belong here: formulas (``matching``, ``findings``, ``performance``, ``rates``), file formats (``coco``), paths (``store``).
"""

from __future__ import annotations

from label_quality.assets.findings import error_rates, finding_scores, findings
from label_quality.assets.ingest import ingest
from label_quality.assets.matching import annotation_pairs, prediction_overlaps
from label_quality.assets.overall import overall_error_rates
from label_quality.assets.performance import outcomes
from label_quality.assets.predictions import import_predictions, predictions, quarantine
from label_quality.assets.publish import publish

BATCH_ASSETS = [
    ingest,
    import_predictions,
    predictions,
    quarantine,
    annotation_pairs,
    prediction_overlaps,
    finding_scores,
    findings,
    error_rates,
    outcomes,
    publish,
]
OVERALL_ASSETS = [overall_error_rates]

__all__ = ["BATCH_ASSETS", "OVERALL_ASSETS"]
