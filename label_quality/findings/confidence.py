"""How often a model is right at a given score: the raw score turned into a calibrated confidence.

Per model: the share of correct predictions by score, made monotone (isotonic regression, with straight lines between its
steps), times how much better or worse
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

from label_quality.matching.models import create_model_type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BINS = 200
FLOOR = 0.01
"""Predictions of less confidence are no evidence of anything: leaving them out halves the work."""

_PRIOR = 2.0  # pseudo-predictions a bin that are as good as the raw score says
_SHRINK = 20.0  # pseudo-predictions a category or size that are as good as the model's others
CROWD_COVER = 0.5
"""Share of a prediction that lies in a crowd, from which on it is the crowd's; COCO's own measure."""

_CERTAIN = 0.999


def size(area: str) -> str:
    """SQL for COCO's size of an area in px²: 0 (small) below 32², 1 (medium) below 96², else 2 (large)."""
    return f"cast(case when {area} < 1024 then 0 when {area} < 9216 then 1 else 2 end as utinyint)"


# A cell: all predictions that are given one confidence.
_CELL = f"""model::_model as model, category_id, {size("width * height")} as size,
    cast(least(floor(score * {BINS}), {BINS - 1}) as smallint) as bin"""


def build_confidence(con: DuckDBPyConnection) -> None:
    """Fill ``_accounted`` and ``_predictions``. Models are of the type ``_model`` in all tables of this room.

    ``_accounted``: model, prediction_id of predictions that a label accounts for; annotation_id, iou and same_category
    of the label that it is assigned to, NULL where only a crowd of its category does. ``_predictions``: model,
    prediction_id, image_id, category_id, x, y, width, height, confidence and by_score (the confidence by model and
    score alone), both 0 to 1, of those of which either reaches `FLOOR`; assigned_iou, NULL where it is not assigned.
    """
    create_model_type(con)
    con.execute(
        f"""
        create or replace temp table _accounted as
        with pairs as (
          select model::_model as model, prediction_id, annotation_id, box_iou as iou, same_category, iscrowd, assigned
          from prediction_overlaps where assigned or iscrowd
        ), assigned as (
          select * exclude (iscrowd, assigned) from pairs where assigned
        )
        from assigned union all by name
        select distinct model, prediction_id from pairs anti join assigned using (model, prediction_id)
        where iscrowd and same_category and iou >= {CROWD_COVER}
        """
    )
    con.register("_confidence", _confidence(con))
    con.execute(
        f"""
        create or replace temp table _predictions as
        with placed as (
          select {_CELL}, prediction_id, image_id, x, y, width, height from predictions
        ), told as (
          select model::_model as model, * exclude (model) from _confidence
          where greatest(confidence, by_score) >= {FLOOR}
        )
        select p.* exclude (size, bin), c.confidence, c.by_score, a.iou as assigned_iou
        from placed p join told c using (model, category_id, size, bin)
          left join _accounted a on a.model = p.model and a.prediction_id = p.prediction_id
        """
    )
    con.unregister("_confidence")


def _confidence(con: DuckDBPyConnection) -> pa.Table:
    """Confidence by cell: model, category_id, size, bin, confidence, by_score."""
    con.execute(
        f"""
        create or replace temp table _cells as
        with placed as (
          select {_CELL}, prediction_id from predictions
        )
        select p.model, category_id, size, bin, count(*) filter (a.model is null or a.iou is not null) as n,
               count(*) filter (a.same_category and a.iou >= 0.5) as correct
        from placed p left join _accounted a on a.model = p.model and a.prediction_id = p.prediction_id group by all
        """
    )
    con.register("_curve", _curve(con))
    ratio = f"(sum(correct) over {{key}} + {_SHRINK}) / (sum(n * share) over {{key}} + {_SHRINK})"
    cells = con.sql(
        f"""
        select model, category_id, size, _cells.bin,
               least(share * {ratio.format(key="of_category")} * {ratio.format(key="of_size")}, {_CERTAIN}) as confidence,
               least(share, {_CERTAIN}) as by_score
        from _cells join _curve on m = enum_code(model) and _curve.bin = _cells.bin
        window of_category as (partition by model, category_id), of_size as (partition by model, size)
        """
    ).to_arrow_table()
    con.unregister("_curve")
    return cells


def _curve(con: DuckDBPyConnection) -> pa.Table:
    """The monotone share of correct predictions by model and score: m (number of the model), bin, share."""
    bins = con.execute(
        """select enum_code(model) as m, bin, sum(n)::double as n, sum(correct)::double as correct
           from _cells group by all order by m, bin"""
    ).fetchnumpy()
    weight = bins["n"] + _PRIOR
    share = (bins["correct"] + _PRIOR * (bins["bin"] + 0.5) / BINS) / weight
    starts = np.flatnonzero(np.diff(bins["m"])) + 1  # of all models but the first
    fitted = [
        increasing(*part)
        for part in zip(*(np.split(a, starts) for a in (bins["bin"], share, weight)), strict=True)
    ]
    share = np.concatenate([np.empty(0), *fitted])
    return pa.table({"m": bins["m"], "bin": bins["bin"], "share": share})


def increasing(
    bins: NDArray[np.int64], share: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The isotonic regression of shares over bins, as straight lines between its steps: a surer prediction never ties with a less sure one.

    Each step counts at the mean of its bins; below the first and above the last, the line leads on to 0 at score 0 and to 1 at score 1.
    All three are (N,).
    """
    level = monotone(share, weight)
    steps, which = np.unique(level, return_inverse=True)
    mass = np.bincount(which, weight)
    centre = np.bincount(which, weight * (bins + 0.5)) / mass
    return np.asarray(np.interp(bins + 0.5, np.r_[0, centre, BINS], np.r_[0, steps, 1]))


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
