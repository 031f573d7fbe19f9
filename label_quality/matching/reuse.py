"""Overlaps that are known from before: of labels that have not changed since, so that only the others are compared anew.

Used by `overlaps` alone. The assignment is made anew in any case: one changed label may set many predictions free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def keep_changed(con: DuckDBPyConnection, changed: str) -> None:
    """Leave only the labels in ``_labels`` that `changed` (SQL: annotation_id) gives; ``_unchanged`` names the others."""
    con.execute(
        f"""
        create or replace temp table _unchanged as
        select annotation_id from _labels anti join ({changed}) using (annotation_id);
        delete from _labels where annotation_id in (from _unchanged)
        """
    )


def take_known(con: DuckDBPyConnection) -> None:
    """Add the pairs of ``_unchanged`` labels to ``_pairs``, from ``prediction_overlaps``."""
    con.execute(
        """
        insert into _pairs by name
        select o.image_id, annotation_id, o.iscrowd, p.model::_model as model, prediction_id, p.score, o.same_category,
               o.mask_iou is not null as both_masks, o.box_iou, o.mask_iou
        from prediction_overlaps o semi join _unchanged using (annotation_id) join predictions p using (model, prediction_id)
        """
    )


def known_boundaries(con: DuckDBPyConnection) -> pa.Table:
    """Boundary IoU of pairs of ``_unchanged`` labels where it was computed: columns ``pair`` and ``boundary_iou``."""
    return con.sql(
        """
        select p.rowid as pair, o.boundary_iou
        from _pairs p join _taken t on t.pair = p.rowid semi join _unchanged using (annotation_id)
          join prediction_overlaps o
            on o.annotation_id = p.annotation_id and o.model = p.model::varchar and o.prediction_id = p.prediction_id
        where o.boundary_iou is not null
        """
    ).to_arrow_table()
