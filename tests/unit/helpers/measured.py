"""Tables of metrics of a batch that is written down as COCO records, computed as the assets do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from helpers.batch import BATCH, Record, database, rows

from label_quality.matching import build_overlaps, build_pairs
from label_quality.metrics.build import build_image_and_annotation_metrics, build_prediction_metrics
from label_quality.schema import TABLES


def measured(
    images: Sequence[Record],
    annotations: Sequence[Record],
    predictions: Mapping[str, Sequence[Record]] | None = None,
    root: Path | None = None,
    **more: Any,
) -> duckdb.DuckDBPyConnection:
    """A database with the tables of metrics filled; no metric may have failed."""
    con = database(images, annotations, predictions, **more)
    build_pairs(con)
    con.execute("insert into annotation_pairs by name select * from new_annotation_pairs")
    if predictions:
        build_overlaps(con)
        con.execute("insert into prediction_overlaps by name select * from new_prediction_overlaps")
    problems = build_image_and_annotation_metrics(con, root) + build_prediction_metrics(con)
    assert problems == []
    for kind in ("image", "annotation", "prediction"):
        table = TABLES[f"{kind}_metrics"]
        con.execute(f"insert into {table.name} by name select * from new_{table.name}")
    return con


def labels(con: duckdb.DuckDBPyConnection) -> dict[int, Record]:
    """``annotation_metrics`` by id."""
    return {r["annotation_id"]: r for r in rows(con, "select * from annotation_metrics")}


def pictures(con: duckdb.DuckDBPyConnection) -> dict[int, Record]:
    """``image_metrics`` by id."""
    return {r["image_id"]: r for r in rows(con, "select * from image_metrics")}


def label(**record: Any) -> Record:
    """The metrics of one label in an image of 100 × 100 pixels."""
    con = measured([IMAGE], [{"id": 1, "image_id": 1, "category_id": 1, **record}])
    return labels(con)[1]


IMAGE: Record = {"id": 1, "width": 100, "height": 100}
__all__ = ["BATCH", "IMAGE", "label", "labels", "measured", "pictures"]
