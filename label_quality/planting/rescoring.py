"""Scores planted labels against the same predictions, and tells which finding hits which planted error.

Belongs here: what is done with planted labels. Does not belong here: planting (`plant`) and figures of merit (`measures`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from label_quality.findings import build_finding_scores
from label_quality.matching import assign, build_overlaps, build_pairs
from label_quality.planting.boxes import ious
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.planting.plant import Planted

_FIXED = ("images", "categories", "predictions", "prediction_masks", "prediction_overlaps")
_CHANGED = """select annotation_id from planted_errors where annotation_id is not null
    union select other_annotation_id from planted_errors where other_annotation_id is not null"""
SAME_OBJECT = 0.5
"""IoU from which a suggested box is the missing label's."""


def rescore(con: DuckDBPyConnection, planted: Planted) -> DuckDBPyConnection:
    """Match and score planted labels as an audit does, in a database of its own, in memory.

    Probes are left out: a model would have to be asked about the planted boxes.

    Args:
        con: shows ``images``, ``categories``, ``predictions``, ``prediction_masks`` and ``prediction_overlaps`` of the batch: labels
            that were not touched overlap predictions as they did before.
        planted: its labels with errors.

    Returns:
        A connection that shows the tables of the batch up to ``finding_scores``, with the planted labels, and ``planted_errors``
        (`LEDGER`). The caller closes it.
    """
    scored = duckdb.connect(
        config={"threads": con.execute("select current_setting('threads')").fetchall()[0][0]}
    )
    for name in _FIXED:
        columns = ", ".join(TABLES[name].column_names)
        _create(scored, name, con.sql(f"select {columns} from {name}").to_arrow_table())
    _create(scored, "annotations", planted.annotations)
    _create(scored, "annotation_masks", planted.masks)
    _create(scored, "planted_errors", planted.ledger)
    scored.execute(TABLES["label_probes"].ddl())
    build_overlaps(scored, changed=_CHANGED)
    _keep(scored, "prediction_overlaps")
    build_pairs(scored)
    _keep(scored, "annotation_pairs")
    build_finding_scores(scored)
    _keep(scored, "finding_scores")
    return scored


def _create(con: DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    con.register("_rows", rows)
    con.execute(f'create table "{name}" as from _rows')
    con.unregister("_rows")


def _keep(con: DuckDBPyConnection, name: str) -> None:
    con.execute(
        f'create or replace table "{name}" as select {", ".join(TABLES[name].column_names)} from new_{name}'
    )


def matched(con: DuckDBPyConnection) -> None:
    """Make the table ``planted_findings``: error_id, finding_id, same_type.

    A finding hits an error if it names its label, or either label of a planted duplicate (of a finding of type duplicate both its
    labels count, but only for duplicates). A missing label is hit by a finding of type missing in its image whose suggested box has
    IoU >= 0.5 with the true one; one finding for one label, so that the sum of the IoUs is the greatest. `same_type`: whether
    the finding is of the error's type. Labels can be hit by several findings.

    Args:
        con: shows ``planted_errors`` (`LEDGER`) and ``finding_scores`` (or a table of its columns under that name).
    """
    con.register("_missing_hits", _missing_hits(con))
    con.execute(
        """
        create or replace temp table planted_findings as
        with marked as (
          select error_id, error_type, annotation_id from planted_errors where error_type <> 'missing'
          union all
          select error_id, error_type, other_annotation_id from planted_errors where error_type = 'duplicate'
        ), named as (
          select finding_id, error_type as found, annotation_id, false as as_other from finding_scores
          where annotation_id is not null
          union all
          select finding_id, error_type, other_annotation_id, true from finding_scores where error_type = 'duplicate'
        )
        select distinct error_id, finding_id, error_type = found as same_type
        from marked join named using (annotation_id) where error_type = 'duplicate' or not as_other
        union all
        select error_id, finding_id, true from _missing_hits
        """
    )
    con.unregister("_missing_hits")


def _missing_hits(con: DuckDBPyConnection) -> pa.Table:
    pairs = con.sql(
        """
        select finding_id, error_id, e.x, e.y, e.width, e.height,
               suggested_x, suggested_y, suggested_width, suggested_height
        from planted_errors e join finding_scores f using (image_id, error_type)
        where error_type = 'missing'
        """
    ).to_arrow_table()
    true, suggested = (
        np.stack([pairs[prefix + c].to_numpy() for c in ("x", "y", "width", "height")], 1)
        for prefix in ("", "suggested_")
    )
    iou = ious(true, suggested)
    near = np.flatnonzero(iou >= SAME_OBJECT)
    pairs = pairs.take(near)
    finding = np.unique(pairs["finding_id"].to_numpy(), return_inverse=True)[1]
    taken = assign(pairs["error_id"].to_numpy(), finding.astype(np.int64), iou[near])
    return pairs.filter(pa.array(taken)).select(["error_id", "finding_id"])
