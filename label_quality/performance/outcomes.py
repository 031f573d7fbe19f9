"""The tables ``prediction_outcomes`` and ``label_outcomes`` of one batch: each verdict of `reasons` as a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from label_quality.performance.load import IOU_TYPES, load, models, number
from label_quality.performance.reasons import BACKGROUND, OUTCOMES, REASONS, Verdicts, verdicts
from label_quality.schema.rows import nan_as_null
from label_quality.store.scan import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What is beyond the hundred that count of an image and category is in _beyond, the rest in _found.
_PREDICTIONS = """
select b.batch, {model} as model, f.* from {found} f cross join (select any_value(batch) as batch from images) b
union all
select batch, {model}, prediction_id, image_id, '{iou_type}', 'ignored', null, null, null
from predictions semi join {beyond} using (batch, prediction_id) where model = {model} and {masks}
"""
_LABELS = """
select b.batch, {model} as model, f.* from {missed} f cross join (select any_value(batch) as batch from images) b
"""


def build_outcomes(con: DuckDBPyConnection) -> None:
    """Make the temporary views ``new_prediction_outcomes`` and ``new_label_outcomes`` (schemas of those names).

    Args:
        con: shows ``images``, ``categories``, ``annotations``, ``predictions`` and ``prediction_overlaps`` of one batch.
    """
    number(con)
    asked = [(t, m) for t in IOU_TYPES for m in models(con, t)]
    parts = [_build(con, n, iou_type, model) for n, (iou_type, model) in enumerate(asked)]
    for place, (table, empty) in enumerate(_EMPTY.items()):
        select = " union all ".join(part[place] for part in parts) or empty
        con.execute(f"create or replace temp view new_{table} as {select}")


_EMPTY = {
    "prediction_outcomes": """select batch, model, prediction_id, image_id, '' as iou_type, '' as outcome,
        null::varchar as reason, null::bigint as annotation_id, null::double as iou from predictions where false""",
    "label_outcomes": """select batch, '' as model, annotation_id, '' as iou_type, '' as outcome, null::varchar as reason,
        null::bigint as prediction_id, null::double as iou from annotations where false""",
}


def _build(con: DuckDBPyConnection, number: int, iou_type: str, model: str) -> tuple[str, str]:
    """The two SELECTs of one model; what they read is kept under names of its own."""
    data = load(con, model, iou_type, floor=BACKGROUND, other_categories=True, numbered=True)
    of_predictions, of_labels = verdicts(data)
    found, missed, beyond = (f"_{name}_{number}" for name in ("found", "missed", "beyond"))
    images = con.execute("select image_id from _images order by i").fetchnumpy()["image_id"]
    # In one batch the key of a prediction is its id. In the order of ids a table is half as large.
    order = _ascending(data.key)
    who = {"prediction_id": data.key[order], "image_id": images[data.image[order]]}
    sorted_ = Verdicts(*(column[order] for column in vars(of_predictions).values()))
    con.register(found, _rows(who, iou_type, sorted_, "annotation_id", data.annotation_id))
    who = {"annotation_id": data.annotation_id}
    con.register(missed, _rows(who, iou_type, of_labels, "prediction_id", data.key))
    con.execute(f"create or replace temp table {beyond} as from _beyond")
    words = {"model": quoted(model), "iou_type": iou_type}
    words["masks"] = "has_mask" if iou_type == "segm" else "true"
    return (
        _PREDICTIONS.format(found=found, beyond=beyond, **words),
        _LABELS.format(missed=missed, **words),
    )


def _ascending(keys: np.ndarray) -> np.ndarray:
    """Where the keys stand, by key. They are dense: laid out in their places, which is faster than sorting them."""
    place = np.full(int(keys.max(initial=-1)) + 1, -1, np.int64)
    place[keys] = np.arange(len(keys))
    return place[place >= 0]


def _rows(
    who: dict[str, np.ndarray], iou_type: str, found: Verdicts, other: str, ids: np.ndarray
) -> pa.Table:
    """The columns of `who`, iou_type, outcome, reason, `other` (by its id in `ids`) and iou."""
    count = len(found.outcome)
    return pa.table(
        {
            **who,
            "iou_type": _words(np.zeros(count, np.int8), (iou_type,)),
            "outcome": _words(found.outcome, OUTCOMES),
            "reason": _words(found.reason, REASONS),
            other: pa.array(np.append(ids, -1)[found.other], mask=found.other < 0),
            "iou": nan_as_null(found.iou),
        }
    )


def _words(codes: np.ndarray, words: tuple[str, ...]) -> pa.Array:
    """Words by their number as a dictionary, which is small; NULL for -1."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int8), mask=codes < 0), pa.array(words)
    )
