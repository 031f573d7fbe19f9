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
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BINS = 200
FLOOR = 0.01
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
    con.execute(
        f"""
        create or replace temp table _cells as
        with every as (
          select {_CELL}, count(*) as n from predictions p group by all
        ), crowded as (
          select {_CELL}, count(*) as n
          from predictions p join _crowded using (model, prediction_id) group by all
        ), correct as (
          select {_CELL}, count(*) as n from predictions p join _assigned a using (model, prediction_id)
          where a.same_category and a.iou >= 0.5 group by all
        )
        select e.model, e.category_id, e.size, e.bin, e.n - coalesce(w.n, 0) as n, coalesce(c.n, 0) as correct
        from every e left join crowded w using (model, category_id, size, bin)
          left join correct c using (model, category_id, size, bin)
        """
    )
    con.register("_curve", _curve(con))
    ratio = f"(sum(correct) over {{key}} + {_SHRINK}) / (sum(n * share) over {{key}} + {_SHRINK})"
    cells = con.sql(
        f"""
        select model, category_id, size, bin,
               least(share * {ratio.format(key="of_category")} * {ratio.format(key="of_size")}, {_CERTAIN}) as confidence,
               least(share, {_CERTAIN}) as by_score
        from _cells join _curve using (model, bin)
        window of_category as (partition by model, category_id), of_size as (partition by model, size)
        """
    ).to_arrow_table()
    con.unregister("_curve")
    return cells


def _curve(con: DuckDBPyConnection) -> pa.Table:
    """The monotone share of correct predictions by model and score: model, bin, share."""
    bins = con.execute(
        """select model, bin, sum(n)::double as n, sum(correct)::double as correct
           from _cells group by all order by model, bin"""
    ).fetchnumpy()
    weight = bins["n"] + _PRIOR
    share = (bins["correct"] + _PRIOR * (bins["bin"] + 0.5) / BINS) / weight
    models = bins["model"].astype(str)
    starts = np.flatnonzero(models[1:] != models[:-1]) + 1  # of all models but the first
    fitted = [
        monotone(part, w)
        for part, w in zip(np.split(share, starts), np.split(weight, starts), strict=True)
    ]
    return pa.table(
        {
            "model": pa.array(models, pa.string()),
            "bin": pa.array(bins["bin"], pa.int64()),
            "share": pa.array(np.concatenate([np.empty(0), *fitted]), pa.float64()),
        }
    )


def monotone(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Isotonic regression: the non-decreasing values nearest to `values` in weighted squares. Both (N,).

    Pool adjacent violators over some hundred bins. SciPy's function is the oracle in the tests: importing
    scipy.optimize for it would add 0.4 s to every audit.
    """
    level: list[float] = []
    mass: list[float] = []
    length: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        level.append(value)
        mass.append(weight)
        length.append(1)
        while len(level) > 1 and level[-2] > level[-1]:
            last, w, n = level.pop(), mass.pop(), length.pop()
            level[-1] = (level[-1] * mass[-1] + last * w) / (mass[-1] + w)
            mass[-1] += w
            length[-1] += n
    return np.repeat(level, length)
