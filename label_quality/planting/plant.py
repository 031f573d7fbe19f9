"""Plants errors into the labels of one batch and keeps a ledger of them.

Belongs here: how many, which labels, ids and the ledger. Does not belong here: what is made wrong and how (`shapes`), and whether it
is found (`rescoring`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import Generator
from numpy.typing import NDArray

from label_quality.planting.labels import Ints, Labels, read_labels
from label_quality.planting.shapes import SHAPES, Shape
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.planting.made import Made

LEDGER = pa.schema(
    [
        pa.field("error_id", pa.int64(), False),
        pa.field("error_type", pa.string(), False),
        pa.field("shape", pa.string(), False),
        pa.field("image_id", pa.int64(), False),
        *(pa.field(name, pa.int64()) for name in ("annotation_id", "other_annotation_id")),
        pa.field("category_id", pa.int64(), False),
        *(pa.field(name, pa.float64(), False) for name in ("x", "y", "width", "height")),
        pa.field("iou", pa.float64()),
    ]
)
"""One row per planted error. Category and box are the true object's; of a spurious label, which has none, its own.

annotation_id: the wrong label as it stands in the planted labels; NULL for missing. other_annotation_id: the original of a
duplicate, as it stands there. iou: of the wrong with the true box, or mask where the outline is what is wrong.
"""


@dataclass(frozen=True)
class Planted:
    """Labels with errors in them (schemas ``annotations`` and ``annotation_masks``) and the errors (`LEDGER`)."""

    annotations: pa.Table
    masks: pa.Table
    ledger: pa.Table


@dataclass(frozen=True)
class _Errors:
    """What one shape planted: the labels that were taken, and what they became."""

    name: str
    shape: Shape
    places: Ints
    made: Made


def plant(
    con: DuckDBPyConnection, shares: Mapping[str, float], seed: int | Sequence[int]
) -> Planted:
    """Plant errors into a copy of the labels that `con` shows.

    No label gets more than one error; the original of a duplicate counts as touched. Crowds are never touched, and what lies in a
    crowd of its category is never made missing. Labels that were not touched keep their ids. Added labels get ids above the
    greatest; of an original and its duplicate either may have the greater one, so that ids give nothing away.

    Args:
        con: shows ``images``, ``categories``, ``annotations`` and ``annotation_masks`` of one batch; for confusable
            classes also ``predictions`` and ``prediction_overlaps``.
        shares: name of a shape (`SHAPES`) to its share of the labels that are not crowds, 0 to 1. Where fewer labels can
            have that error, fewer are planted.
        seed: any seed of numpy's; the same one plants the same errors.

    Raises:
        ValueError: an unknown shape, or a share that is not between 0 and 1.
    """
    for name, share in shares.items():
        if name not in SHAPES:
            raise ValueError(f"unknown shape {name!r}; there are {', '.join(SHAPES)}")
        if not 0 <= share <= 1:
            raise ValueError(f"the share of {name} must be between 0 and 1, is {share}")
    labels = read_labels(con, confusions="wrong_class_confusable" in shares)
    rng = np.random.default_rng(seed)
    touched = np.zeros(len(labels.box), bool)
    planted = []
    for name, share in shares.items():
        # A part of an error is planted with that probability.
        count = int(share * labels.whole.sum() + rng.random())
        planted.append(_errors(name, labels, touched, count, rng))
    return _assembled(labels, planted, rng)


def _errors(
    name: str, labels: Labels, touched: NDArray[np.bool_], count: int, rng: Generator
) -> _Errors:
    """`count` errors of a shape, or as many as there can be, on labels drawn by weight; marks them as touched."""
    shape = SHAPES[name]
    weight = np.where(touched, 0.0, shape.weight(labels))
    able = np.flatnonzero(weight > 0)
    # Efraimidis and Spirakis: the order of a draw without replacement.
    order = able[np.argsort(rng.exponential(size=len(able)) / weight[able], kind="stable")]
    places, made = order[:0], shape.make(labels, order[:0], rng)
    while len(places) < count and len(order):
        tried, order = np.split(order, [count - len(places)])
        more = shape.make(labels, tried, rng)
        places = np.concatenate([places, tried[more.good]])
        made = made.followed_by(more)
    if shape.error_type != "spurious":
        touched[places] = True
    return _Errors(name, shape, places, made)


def _assembled(labels: Labels, planted: list[_Errors], rng: Generator) -> Planted:
    ids = labels.rows["annotation_id"].to_numpy().copy()
    next_id = int(ids.max()) + 1 if len(ids) else 1
    added = sum(len(e.places) for e in planted if e.shape.error_type in ("duplicate", "spurious"))
    free = next_id + rng.permutation(added)
    keep = np.ones(len(ids), bool)
    parts, ledgers, first = [], [], 0
    for e in planted:
        kind, n = e.shape.error_type, len(e.places)
        own, other = ids[e.places], np.full(n, -1, np.int64)
        if kind in ("duplicate", "spurious"):
            own, free = free[:n].copy(), free[n:]
        if kind == "duplicate":
            other = ids[e.places]
            swap = rng.random(n) < 0.5
            own[swap], other[swap] = other[swap], own[swap]
            ids[e.places] = other
        if kind in ("missing", "wrong_class", "inaccurate"):
            keep[e.places] = False
        if kind != "missing":
            parts.append(_rows(labels, e, own))
        ledgers.append(_ledger(labels, e, own, other, first))
        first += n
    rest = np.flatnonzero(keep)
    column = labels.rows.schema.get_field_index("annotation_id")
    unplanted = labels.rows.set_column(column, labels.rows.field(column), pa.array(ids)).take(rest)
    rows = pa.concat_tables([unplanted, *parts]).sort_by(
        [("image_id", "ascending"), ("annotation_id", "ascending")]
    )
    masks = rows.filter(pc.is_valid(rows["segmentation"]))
    return Planted(
        _as(rows, "annotations"),
        _as(masks, "annotation_masks"),
        pa.concat_tables(ledgers or [LEDGER.empty_table()]),
    )


def _rows(labels: Labels, e: _Errors, ids: Ints) -> pa.Table:
    """The planted labels as rows like `Labels.rows`."""
    made, template = e.made, labels.rows.take(e.places)
    same = np.isnan(made.area)
    kinds = [
        None if t is None else "rle" if t.lstrip().startswith("{") else "polygon"
        for t in made.segmentation
    ]
    was_polygon = np.array([k == "polygon" for k in kinds], bool)
    mask_area = np.where(same, _floats(template["mask_area"]), made.area)
    masked = np.array([k is not None for k in kinds], bool)
    values = {
        "annotation_id": pa.array(ids),
        "image_id": pa.array(made.image_id),
        "category_id": pa.array(made.category_id),
        **{c: pa.array(made.box[:, k]) for k, c in enumerate(("x", "y", "width", "height"))},
        "area": pa.array(np.where(same, _floats(template["area"]), made.area)),
        "segmentation_type": pa.array([k or "none" for k in kinds], pa.string()),
        "parts": pc.if_else(pa.array(was_polygon), template["parts"], pa.scalar(None, pa.int64())),
        "mask_area": pa.array(mask_area, mask=~masked | np.isnan(mask_area)),
        "original_id": pa.nulls(len(ids), pa.string()),
        "segmentation": pa.array(made.segmentation, pa.string()),
    }
    columns = [values.get(name, template[name]) for name in template.column_names]
    return pa.table(columns, schema=labels.rows.schema)


def _ledger(labels: Labels, e: _Errors, own: Ints, other: Ints, first: int) -> pa.Table:
    kind, n = e.shape.error_type, len(own)
    spurious = kind == "spurious"
    box = e.made.box if spurious else labels.box[e.places]
    return pa.table(
        [
            pa.array(np.arange(first, first + n)),
            pa.array([kind] * n, pa.string()),
            pa.array([e.name] * n, pa.string()),
            pa.array(e.made.image_id),
            pa.array(own, mask=np.full(n, kind == "missing")),
            pa.array(other, mask=np.full(n, kind != "duplicate")),
            pa.array(labels.category_id[e.places]),
            *(pa.array(np.ascontiguousarray(box[:, k])) for k in range(4)),
            pa.array(e.made.iou, mask=np.isnan(e.made.iou)),
        ],
        schema=LEDGER,
    )


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(), np.float64)


def _as(rows: pa.Table, table: str) -> pa.Table:
    schema = TABLES[table].arrow_schema()
    return rows.select(schema.names).cast(schema)
