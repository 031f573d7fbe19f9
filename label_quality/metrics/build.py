"""From the tables of a batch to the three tables of metrics. How a single metric is computed stands in its own file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.metrics.neighbours import find_neighbours
from label_quality.metrics.outlines import measure_masks
from label_quality.metrics.pixels import measure_pixels
from label_quality.metrics.rows import PREDICTION_ROWS, annotation_rows, image_rows, table_sql
from label_quality.metrics.unions import find_unions
from label_quality.registry import Kind

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def build_image_and_annotation_metrics(
    con: DuckDBPyConnection, root: Path | None, say: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Make the temporary views ``new_image_metrics`` and ``new_annotation_metrics``; every image is decoded once for both.

    Args:
        con: shows ``images``, ``annotations``, ``annotation_masks`` and ``annotation_pairs`` of one batch.
        root: the image root; None where the batch came without images: metrics of pixels are NULL.
        say: is told how far it is.

    Returns:
        A sentence for each metric that could not be computed; it is NULL.
    """
    problems = measure_pixels(con, root, say)
    find_neighbours(con)
    problems += measure_masks(con)
    find_unions(con)
    image_rows(con)
    annotation_rows(con)
    kinds: tuple[Kind, ...] = ("image", "annotation")
    for kind in kinds:
        select, wrong = table_sql(con, kind, f"from _{kind}_row")
        con.execute(f"create or replace temp view new_{kind}_metrics as {select}")
        problems += wrong
    return problems


def build_prediction_metrics(con: DuckDBPyConnection) -> list[str]:
    """Make the temporary view ``new_prediction_metrics``.

    Args:
        con: shows ``images``, ``predictions`` and ``prediction_overlaps``, of one batch or of several.

    Returns:
        A sentence for each metric that could not be computed; it is NULL.
    """
    select, problems = table_sql(con, "prediction", PREDICTION_ROWS)
    con.execute(f"create or replace temp view new_prediction_metrics as {select}")
    return problems
