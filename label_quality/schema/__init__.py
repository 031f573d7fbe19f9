"""Every table: its columns, types, units and meaning.

DDL, Parquet and Dagster column schemas and ``docs/tables.md`` are all derived from `TABLES`. What does not belong
here: how a table is computed (domain packages) and where it lies (``store``).
"""

from __future__ import annotations

from label_quality.schema.model import Column, Table
from label_quality.schema.tables_calibration import CALIBRATION_TABLES
from label_quality.schema.tables_in import INPUT_TABLES
from label_quality.schema.tables_inference import INFERENCE_TABLES
from label_quality.schema.tables_metrics import METRIC_TABLES
from label_quality.schema.tables_out import OUTPUT_TABLES
from label_quality.schema.tables_overall import OVERALL_TABLES
from label_quality.schema.tables_performance import PERFORMANCE_TABLES
from label_quality.schema.tables_reviews import REVIEW_LOG, REVIEW_TABLES

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        *INPUT_TABLES,
        *INFERENCE_TABLES,
        *METRIC_TABLES,
        *OUTPUT_TABLES,
        *PERFORMANCE_TABLES,
        *OVERALL_TABLES,
        *CALIBRATION_TABLES,
        *REVIEW_TABLES,
    )
}

ERROR_TYPES = ("missing", "wrong_class", "inaccurate", "duplicate", "spurious")

__all__ = ["ERROR_TYPES", "REVIEW_LOG", "TABLES", "Column", "Table"]
