"""Performance of the models: the outcomes of a batch, and what the UI shows beside the tables over all batches."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from label_quality.assets.metadata import curves, markdown_table, rounded
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import step, table_spec
from label_quality.performance import build_outcomes

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_READ = ["images", "categories", "annotations", "predictions", "prediction_overlaps"]
_OUTCOMES = ("prediction_outcomes", "label_outcomes")


@dg.multi_asset(specs=[table_spec(table, _READ) for table in _OUTCOMES])
def outcomes(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Which predictions are right and which labels are found at IoU 0.50, and why the others are not."""
    with step(context, store) as s:
        s.say("judging predictions")
        s.run.view(s.con, *_READ)
        build_outcomes(s.con)
        for table in _OUTCOMES:
            rows = s.run.write_sql(s.con, table, f"select * from new_{table}")
            s.run.view(s.con, table)
            yield s.result(table, rows, _outcome_metadata(s.con, table))


def _outcome_metadata(con: "DuckDBPyConnection", table: str) -> dict[str, Any]:
    """Counts of boxes by outcome, and by reason for each model."""
    counts = con.execute(
        f"select outcome, count(*) from {table} where iou_type = 'bbox' group by all order by all"
    ).fetchall()
    reasons = con.execute(
        f"""select model, iou_type, reason, count(*) from {table} where reason is not null
            group by all order by model, iou_type, count(*) desc"""
    ).fetchall()
    return {**dict(counts), "reasons": markdown_table(("model", "IoU of", "reason", "n"), reasons)}


def performance_metadata(con: "DuckDBPyConnection", rows: int) -> Mapping[str, Any]:
    """AP, AP50 and AR of each model's boxes, and the categories of lowest AP of the best model."""
    numbers = con.execute(
        """select model || ' ' || metric, value from performance
           where category_name is null and iou_type = 'bbox' and area = 'all' and max_dets = 100
             and metric in ('AP', 'AP50', 'AR') and value is not null order by model, metric"""
    ).fetchall()
    worst = con.execute(
        """with best as (
             select model from performance where category_name is null and iou_type = 'bbox' and metric = 'AP'
               and area = 'all' and value is not null order by value desc, model limit 1)
           select model, category_name, value from performance semi join best using (model)
           where category_name is not null and iou_type = 'bbox' and metric = 'AP' and area = 'all'
             and value is not null order by value, category_name limit 20"""
    ).fetchall()
    table = markdown_table(("model", "category", "AP"), worst)
    return {name: rounded(value) for name, value in numbers} | {"worst categories": table}


def precision_recall_metadata(con: "DuckDBPyConnection", rows: int) -> Mapping[str, Any]:
    """A small picture: precision over recall of the boxes of up to four models at IoU 0.50, mean over categories."""
    points = con.execute(
        """select model, list(coalesce(precision, 0) order by recall) from precision_recall
           where category_name is null and iou_type = 'bbox' and iou = 0.5 group by model order by model limit 4"""
    ).fetchall()
    return {"precision over recall at IoU 0.50": curves(dict(points))} if points else {}


def confusion_metadata(con: "DuckDBPyConnection", rows: int) -> Mapping[str, Any]:
    """The pairs of categories that are taken for each other most often, background left out."""
    pairs = con.execute(
        """select model, category_name, predicted_category_name, count from confusion
           where iou_type = 'bbox' and category_name <> predicted_category_name
           order by count desc, model, category_name, predicted_category_name limit 20"""
    ).fetchall()
    return {"taken for each other": markdown_table(("model", "label", "prediction", "n"), pairs)}


def performance_gains_metadata(con: "DuckDBPyConnection", rows: int) -> Mapping[str, Any]:
    """What fixing each kind of error would gain, the most first."""
    gains = con.execute(
        """select model, error_type, metric, gain from performance_gains
           where iou_type = 'bbox' and gain is not null order by gain desc, model, error_type, metric limit 20"""
    ).fetchall()
    return {"gains": markdown_table(("model", "error", "metric", "gain"), gains)}
