"""How often a model is right at a given score: the raw score turned into a calibrated confidence.

Per model: the share of correct predictions by score, made monotone (isotonic regression), times how much better or worse
the model does on a category and on a size, both shrunk towards 1 where there are few. Correct means: assigned to a
label of the same category with IoU >= 0.5. Predictions in crowds of their category are left out, as COCO's evaluation does.

The share by score alone is kept too: a model that is often "wrong" in a category may be right where labels are missing,
so what asks for missing labels must not hold the category against the prediction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.optimize import isotonic_regression

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BINS = 200
FLOOR = 0.025
"""Predictions of less confidence are no evidence of anything: leaving them out halves the work."""

_PRIOR = 2.0  # pseudo-predictions a bin that are as good as the raw score says
_SHRINK = 20.0  # pseudo-predictions a category or size that are as good as the model's others
_CROWD_COVER = 0.5  # COCO's own measure: share of the prediction that lies in the crowd
_CERTAIN = 0.999


def size(area: str) -> str:
    """SQL for COCO's size of an area in px²: small below 32², medium below 96², else large."""
    return f"case when {area} < 1024 then 'small' when {area} < 9216 then 'medium' else 'large' end"


# A cell: all predictions that are given one confidence.
_CELL = f"""p.model, p.category_id, {size("p.width * p.height")} as size,
    least(cast(floor(p.score * {BINS}) as bigint), {BINS - 1}) as bin"""


def build_confidence(con: DuckDBPyConnection) -> None:
    """Fill ``_assigned``, ``_crowded`` and ``_predictions``.

    ``_assigned``: model, prediction_id, annotation_id, iou, same_category of assigned pairs. ``_crowded``: model,
    prediction_id of predictions that only a crowd of their category accounts for. ``_predictions``: model, prediction_id,
    image_id, category_id, x, y, width, height, confidence and by_score (the confidence by model and score alone), both
    0 to 1, of those of which either reaches `FLOOR`.
    """
    con.execute(
        f"""
        create or replace temp table _assigned as
        select model, prediction_id, annotation_id, box_iou as iou, same_category
        from prediction_overlaps where assigned;
        create or replace temp table _crowded as
        select distinct model, prediction_id from prediction_overlaps o anti join _assigned using (model, prediction_id)
        where iscrowd and same_category and box_iou >= {_CROWD_COVER};
        """
    )
    con.register("_confidence", _confidence(con))
    con.execute(
        f"""
        create or replace temp table _predictions as
        with placed as (
          select {_CELL}, p.prediction_id, p.image_id, p.x, p.y, p.width, p.height from predictions p
        )
        select p.* exclude (size, bin), c.confidence, c.by_score
        from placed p join _confidence c using (model, category_id, size, bin)
        where greatest(c.confidence, c.by_score) >= {FLOOR}
        """
    )
    con.unregister("_confidence")


def _confidence(con: DuckDBPyConnection) -> pa.Table:
    """Confidence by cell: model, category_id, size, bin, confidence, by_score."""
    cells = con.execute(
        f"""
        with every as (
          select {_CELL}, count(*) as n from predictions p group by all
        ), crowded as (
          select {_CELL}, count(*) as n
          from predictions p join _crowded using (model, prediction_id) group by all
        ), correct as (
          select {_CELL}, count(*) as n from predictions p join _assigned a using (model, prediction_id)
          where a.same_category and a.iou >= 0.5 group by all
        )
        select e.model, e.category_id, e.size, e.bin, e.n - coalesce(w.n, 0) as n,
               coalesce(c.n, 0) as correct
        from every e left join crowded w using (model, category_id, size, bin)
          left join correct c using (model, category_id, size, bin)
        order by model, category_id, size, bin
        """
    ).fetch_df()
    cells["expected"] = cells["by_score"] = _curve(cells)
    cells["confidence"] = cells["expected"]
    for key in ("category_id", "size"):
        weighted = cells.assign(expected=cells["expected"] * cells["n"])
        sums = weighted.groupby(["model", key], sort=False)[["correct", "expected"]].transform(
            "sum"
        )
        cells["confidence"] *= (sums["correct"] + _SHRINK) / (sums["expected"] + _SHRINK)
    cells[["confidence", "by_score"]] = cells[["confidence", "by_score"]].clip(upper=_CERTAIN)
    return pa.Table.from_pandas(
        cells[["model", "category_id", "size", "bin", "confidence", "by_score"]],
        preserve_index=False,
    )


def _curve(cells: pd.DataFrame) -> np.ndarray:
    """For each cell the monotone share of correct predictions at its model and score."""
    bins = cells.groupby(["model", "bin"], as_index=False)[["n", "correct"]].sum()
    share = (bins["correct"] + _PRIOR * (bins["bin"] + 0.5) / BINS) / (bins["n"] + _PRIOR)
    fitted = np.empty(len(bins))
    for index in bins.groupby("model").indices.values():
        weights = bins["n"].to_numpy(float)[index] + _PRIOR
        fitted[index] = isotonic_regression(share.to_numpy()[index], weights=weights).x
    curve = bins.assign(share=fitted)[["model", "bin", "share"]]
    joined = cells[["model", "bin"]].merge(curve, on=["model", "bin"], how="left")
    return np.asarray(joined["share"])
