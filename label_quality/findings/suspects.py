"""The table that every error type writes its suspects into, one row per suspected error and model.

`merge` makes one row per suspected error of them. Evidence columns that a type does not have stay NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# key names what the finding is about, so that rows of several models about one thing meet.
COLUMNS: dict[str, str] = {
    "error_type": "VARCHAR",
    "key": "VARCHAR",
    "image_id": "BIGINT",
    "annotation_id": "BIGINT",
    "other_annotation_id": "BIGINT",
    "category_id": "BIGINT",
    "suggested_fix": "VARCHAR",
    "suggested_category_id": "BIGINT",
    "suggested_x": "DOUBLE",
    "suggested_y": "DOUBLE",
    "suggested_width": "DOUBLE",
    "suggested_height": "DOUBLE",
    "score": "DOUBLE",
    "x": "DOUBLE",
    "y": "DOUBLE",
    "width": "DOUBLE",
    "height": "DOUBLE",
    "model": "_model",
    "prediction_id": "BIGINT",
    "confidence": "DOUBLE",
    "iou": "DOUBLE",
    "mask_iou": "DOUBLE",
    "boundary_iou": "DOUBLE",
    "typical_iou": "DOUBLE",
    "deviation": "DOUBLE",
    "edge_left": "DOUBLE",
    "edge_top": "DOUBLE",
    "edge_right": "DOUBLE",
    "edge_bottom": "DOUBLE",
    "covered": "DOUBLE",
    "containment": "DOUBLE",
    "support": "DOUBLE",
    "recall": "DOUBLE",
    "confusion": "DOUBLE",
}

FLOOR = 0.05
"""Smallest score that is kept; the same in tests, benchmarks and product (DESIGN section 5)."""

MODEL_FLOOR = FLOOR / 2
"""Rows of single models are kept below the floor of the merged score, so that agreement can lift them over it."""


def create(con: DuckDBPyConnection) -> None:
    """Make ``_suspects``, empty."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"create or replace temp table _suspects ({columns})")


def add(con: DuckDBPyConnection, sql: str) -> None:
    """Insert the rows of `sql`, which names its columns as in `COLUMNS` (those it lacks are NULL)."""
    con.execute(f"insert into _suspects by name select * from ({sql}) where score >= {MODEL_FLOOR}")
