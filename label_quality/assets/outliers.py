"""What the Dagster UI shows beside outliers, metric importance and performance by metric. Computed by the job `refresh`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from label_quality.assets.metadata import markdown_table, rounded

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NAMES = {"image": "images", "annotation": "labels", "prediction": "predictions"}


def outliers_metadata(con: DuckDBPyConnection, rows: int) -> Mapping[str, Any]:
    """The farthest out by the robust rule."""
    top = con.execute(
        """select metric, coalesce(annotation_id, image_id), value, score from outliers
           where rule = 'robust' order by score desc, batch, image_id, annotation_id limit 12"""
    ).fetchall()
    # As few columns as tell which they are: the UI does not wrap, and cuts off what is wider than its own column.
    return {"farthest out": markdown_table(("metric", "COCO id", "value", "score"), top)}


def outlier_bounds_metadata(con: DuckDBPyConnection, rows: int) -> Mapping[str, Any]:
    """What is usual of all objects together, by the robust rule."""
    bounds = con.execute(
        """select metric, low, high from outlier_bounds where rule = 'robust' and category_name is null
             and (low is not null or high is not null) order by kind desc, metric"""
    ).fetchall()
    cells = [tuple("" if v is None else v for v in row) for row in bounds]
    return {"usual of all": markdown_table(("metric", "from", "to"), cells)}


def outlier_summary_metadata(con: DuckDBPyConnection, rows: int) -> Mapping[str, Any]:
    """Objects that are unusual, in numbers that the UI plots over time, and by metric."""
    totals = con.execute(
        "select kind, moderate, severe from outlier_summary where metric is null and rule = 'robust' order by kind"
    ).fetchall()
    metrics = con.execute(
        """select kind, metric, moderate, severe, objects from outlier_summary
           where metric is not null and rule = 'robust' and moderate + severe > 0
           order by severe desc, moderate desc, kind, metric"""
    ).fetchall()
    numbers = {
        f"{severity} outliers among {_NAMES[kind]}": count
        for kind, moderate, severe in totals
        for severity, count in (("moderate", moderate), ("severe", severe))
    }
    header = ("of", "metric", "moderate", "severe", "objects")
    return {**numbers, "by metric": markdown_table(header, metrics)}


def metric_importance_metadata(con: DuckDBPyConnection, rows: int) -> Mapping[str, Any]:
    """The metrics that tell most about each model, with what the random control reaches."""
    top = con.execute(
        """select model, target, kind, metric, importance, low, high, correlation from metric_importance
           where importance is not null
           qualify row_number() over (partition by model, target order by importance desc, kind, metric) <= 5
           order by model, target, importance desc, kind, metric"""
    ).fetchall()
    control = con.execute(
        "select max(high) from metric_importance where metric = 'random'"
    ).fetchall()[0][0]
    header = ("model", "whether", "of", "metric", "importance", "low", "high", "correlation")
    found: dict[str, Any] = {"most important": markdown_table(header, top)}
    if control is not None:
        found["upper end of the random control"] = rounded(control)
    return found


def performance_by_metric_metadata(con: DuckDBPyConnection, rows: int) -> Mapping[str, Any]:
    """Where models do worst: bins with the lowest precision, and with most labels that are not found."""
    worst = con.execute(
        """select model, measure, metric, low, high, count, value from performance_by_metric
           qualify row_number() over (
             partition by model, measure
             order by case measure when 'precision' then value_high else -value_low end, kind, metric, bin) <= 4
           order by model, measure, case measure when 'precision' then value_high else -value_low end, kind, metric, bin"""
    ).fetchall()
    header = ("model", "measure", "metric", "from", "to", "count", "value")
    return {"worst bins": markdown_table(header, worst)}
