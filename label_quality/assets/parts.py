"""What the job `refresh` is made of: tables over all batches that are computed together, part by part.

A part is computed by its room; what the UI shows beside its tables is a function of a module here in ``assets``. Later
parts may read the tables of earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from label_quality.assets import outliers, performance
from label_quality.assets.metadata import rounded
from label_quality.assets.part import Part
from label_quality.outliers import build_outliers
from label_quality.performance import build_performance, build_relations
from label_quality.rates import OVERALL_ERROR_RATES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def _rates_metadata(con: DuckDBPyConnection, _rows: int) -> Mapping[str, Any]:
    (rate,) = con.execute(
        """select max(rate) filter (error_type = 'any' and category_name is null)
           from overall_error_rates"""
    ).fetchone()  # type: ignore[misc]
    return {} if rate is None else {"label error rate": rounded(rate)}


# What the store knows of its batches stands on the connection under this name, see `overall`.
ACCOUNTS = "_accounts"


def _deliveries_metadata(con: DuckDBPyConnection, _rows: int) -> Mapping[str, Any]:
    return dict(con.execute("select state, count(*) from deliveries group by 1").fetchall())


PARTS = [
    Part(
        "accounting for deliveries",
        ["batches"],
        {"deliveries": _deliveries_metadata},
        lambda _: {"deliveries": f"select * from {ACCOUNTS}"},
    ),
    Part(
        "adding up rates",
        ["error_rates"],
        {"overall_error_rates": _rates_metadata},
        lambda _: {"overall_error_rates": OVERALL_ERROR_RATES},
    ),
    Part(
        "looking for outliers",
        ["image_metrics", "annotation_metrics", "categories"],
        {
            "outliers": outliers.outliers_metadata,
            "outlier_bounds": outliers.outlier_bounds_metadata,
            "outlier_summary": outliers.outlier_summary_metadata,
        },
        build_outliers,
    ),
    Part(
        "judging models",
        ["images", "categories", "annotations", "predictions", "prediction_overlaps", "findings"],
        {
            "performance": performance.performance_metadata,
            "precision_recall": performance.precision_recall_metadata,
            "confusion": performance.confusion_metadata,
            "performance_gains": performance.performance_gains_metadata,
        },
        build_performance,
    ),
    Part(
        "relating metrics to performance",
        [
            *("images", "image_metrics", "annotation_metrics", "prediction_metrics"),
            *("prediction_outcomes", "label_outcomes"),
        ],
        {
            "metric_importance": outliers.metric_importance_metadata,
            "performance_by_metric": outliers.performance_by_metric_metadata,
        },
        build_relations,
    ),
]
