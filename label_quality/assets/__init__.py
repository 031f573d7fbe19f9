"""Dagster assets, one per table and named as the table. Thin: read tables, call one domain function, write, attach metadata.

What does not belong here: formulas (``matching``, ``metrics``, ``findings``, ``performance``, ``rates``), file formats
(``coco``), paths (``store``).
"""

from __future__ import annotations

from label_quality.assets.drift import drift
from label_quality.assets.findings import error_rates, finding_scores, findings
from label_quality.assets.inference import inference
from label_quality.assets.ingest import ingest
from label_quality.assets.matching import annotation_pairs, prediction_overlaps
from label_quality.assets.metrics import image_and_annotation_metrics, prediction_metrics
from label_quality.assets.overall import overall
from label_quality.assets.performance import outcomes
from label_quality.assets.predictions import import_predictions, predictions, quarantine
from label_quality.assets.publish import publish
from label_quality.assets.review_sample import review_sample
from label_quality.assets.reviews import OF_THE_LOG

BATCH_ASSETS = [
    ingest,
    import_predictions,
    inference,
    predictions,
    quarantine,
    annotation_pairs,
    image_and_annotation_metrics,
    prediction_overlaps,
    prediction_metrics,
    finding_scores,
    findings,
    review_sample,
    error_rates,
    drift,
    outcomes,
    publish,
]
OVERALL_ASSETS = [overall]
SOURCES = OF_THE_LOG

__all__ = ["BATCH_ASSETS", "OVERALL_ASSETS", "SOURCES"]
