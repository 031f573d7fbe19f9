"""Labels, predictions and their overlaps of one model, from the stored tables to arrays in COCO's order.

What belongs here is only the way from tables to arrays. Whether boxes overlap is `matching`'s; what matches is `greedy`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from label_quality.performance.greedy import Edges, Flags, Floats, Ints, sort_edges

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IOU_TYPES = ("bbox", "segm")
MAX_DETECTIONS = 100
"""Of an image and category only so many predictions count, those of the highest score, as in COCOeval."""

# Categories of several batches are one where their name is one.
_CATEGORIES = """
create or replace temp table _categories as
select row_number() over (order by id, name) - 1 as c, id as category_id, name as category_name
from (select min(category_id) as id, name from categories group by name)
"""
_PLACES = """
create or replace temp table _places as
select batch, image_id, row_number() over (order by batch, image_id) - 1 as i from images
"""
# Where prediction ids of a batch begin, when those of all batches are laid end to end.
_OFFSETS = """
create or replace temp table _offsets as
select batch, sum(size) over (order by batch) - size as first, sum(size) over () as size
from (select batch, max(prediction_id) + 1 as size from predictions where model = $model group by batch)
"""
_LABELS = """
create or replace temp table _numbered_labels as
select row_number() over (order by batch, annotation_id) - 1 as l, a.batch, a.annotation_id, k.c, a.area, a.iscrowd
from annotations a join categories using (batch, category_id) join _categories k on k.category_name = categories.name
where {labels}
"""
_DETECTIONS = """
select k.c::integer as c, s.i::integer as i, p.score, p.width * p.height as area,
       (o.first + p.prediction_id)::bigint as key
from predictions p join categories using (batch, category_id) join _categories k on k.category_name = categories.name
  join _places s using (batch, image_id) join _offsets o using (batch)
where p.model = $model and {predictions}
order by k.c, p.score desc, s.i, p.prediction_id
"""
_EDGES = """
select (o.first + v.prediction_id)::bigint as key, l.l, v.{iou} as iou, v.same_category
from prediction_overlaps v join _offsets o using (batch) join _numbered_labels l using (batch, annotation_id)
where v.model = $model and v.{iou} >= $floor and (v.same_category or $other_categories)
"""


@dataclass(frozen=True)
class Data:
    """What one model found and what it should have found: D detections, L labels, E pairs that overlap, C categories.

    Detections stand by category, in it by falling score, of equal ones by batch, image and prediction id: the order in
    which COCOeval accumulates them, and, within one image, matches them.

    Attributes:
        category_ids: (C,) the smallest COCO id that the category's name has in any batch.
        category_names: its name.
        bounds: (C + 1,) where the detections of each category begin and end.
        score: (D,) confidence, 0 to 1.
        area: (D,) width × height of the box, px². COCOeval takes it for masks too, where results have boxes.
        rank: (D,) place among the detections of its image and category, 0 for the best.
        key: (D,) what names the prediction: see `Keys`.
        label_category: (L,) number of the category.
        label_area: (L,) area by the label file, px².
        crowd: (L,) whether the label is a crowd.
        edges: pairs of an IoU of at least the floor that was asked for, of the same category.
        other_edges: likewise of different categories, empty unless asked for.
    """

    category_ids: Ints
    category_names: list[str]
    bounds: Ints
    score: Floats
    area: Floats
    rank: Ints
    key: Ints
    label_category: Ints
    label_area: Floats
    crowd: Flags
    edges: Edges
    other_edges: Edges

    @property
    def category(self) -> Ints:
        """(D,) number of the category of each detection."""
        return np.repeat(np.arange(len(self.category_ids)), np.diff(self.bounds))


def models(con: DuckDBPyConnection, iou_type: str) -> list[str]:
    """The models that can be judged by `iou_type`: with predictions, for segm with masks, as the labels."""
    where = "where has_mask" if iou_type == "segm" else ""
    if iou_type == "segm" and not _any(con, "annotations where segmentation_type <> 'none'"):
        return []
    rows = con.execute(f"select distinct model from predictions {where} order by model").fetchall()
    return [row[0] for row in rows]


def load(
    con: DuckDBPyConnection,
    model: str,
    iou_type: str = "bbox",
    *,
    floor: float = 0.10,
    other_categories: bool = False,
) -> Data:
    """Read what is needed to judge one model.

    Labels and predictions without a mask take no part in segm.

    Args:
        con: shows ``images``, ``categories``, ``annotations``, ``predictions`` and ``prediction_overlaps``, of one
            batch or of several.
        model: name of the model.
        iou_type: bbox or segm.
        floor: smallest IoU of a pair that is read, 0 to 1; ``prediction_overlaps`` holds none below 0.10.
        other_categories: whether to read the pairs of different categories too.

    Raises:
        ValueError: an `iou_type` that is none of the two.
    """
    if iou_type not in IOU_TYPES:
        raise ValueError(f"{iou_type!r} is not an IoU type: {', '.join(IOU_TYPES)}")
    masks = iou_type == "segm"
    for sql in (_CATEGORIES, _PLACES):
        con.execute(sql)
    con.execute(_OFFSETS, {"model": model})
    con.execute(_LABELS.format(labels="segmentation_type <> 'none'" if masks else "true"))
    names = con.execute("select category_id, category_name from _categories order by c").fetchnumpy()
    found = con.execute(
        _DETECTIONS.format(predictions="p.has_mask" if masks else "true"), {"model": model}
    ).fetchnumpy()
    labels = con.execute("select c, area, iscrowd from _numbered_labels order by l").fetchnumpy()
    overlaps = con.execute(
        _EDGES.format(iou="mask_iou" if masks else "box_iou"),
        {"model": model, "floor": floor, "other_categories": other_categories},
    ).fetchnumpy()

    categories = len(names["category_id"])
    rank = _ranks(found["i"], found["c"])
    counted = rank < MAX_DETECTIONS
    if not counted.all():
        found, rank = {k: v[counted] for k, v in found.items()}, rank[counted]
    edges, same = _edges(con, found["key"], overlaps)
    return Data(
        category_ids=names["category_id"].astype(np.int64),
        category_names=[str(n) for n in names["category_name"]],
        bounds=np.searchsorted(found["c"], np.arange(categories + 1)),
        score=found["score"],
        area=found["area"],
        rank=rank,
        key=found["key"],
        label_category=labels["c"].astype(np.int64),
        label_area=labels["area"],
        crowd=labels["iscrowd"].astype(bool),
        edges=sort_edges(edges.where(same)),
        other_edges=sort_edges(edges.where(~same)),
    )


def _any(con: DuckDBPyConnection, source: str) -> bool:
    return con.execute(f"select 1 from {source} limit 1").fetchone() is not None


def _ranks(image: Ints, category: Ints) -> Ints:
    """Of each detection how many of its image and category stand before it; they stand by category."""
    # Two stable sorts by 16 bits are linear in time, one by all bits is not.
    order = np.argsort(image.astype(np.uint16), kind="stable")
    order = order[np.argsort((image >> 16).astype(np.uint16)[order], kind="stable")]
    image, category = image[order], category[order]
    new = (image[1:] != image[:-1]) | (category[1:] != category[:-1])
    first = np.flatnonzero(np.r_[True, new][: len(order)])
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
    return ranks


def _edges(
    con: DuckDBPyConnection, keys: Ints, overlaps: dict[str, NDArray[np.generic]]
) -> tuple[Edges, Flags]:
    """The edges in the order of preference, and which are of one category."""
    size = con.execute("select any_value(size) from _offsets").fetchone()[0] or 0  # type: ignore[index]
    place = np.full(int(size), -1, np.int64)
    place[keys] = np.arange(len(keys))
    detection = place[overlaps["key"]]
    kept = np.flatnonzero(detection >= 0)  # the others are beyond MAX_DETECTIONS, or have no mask
    edges = Edges(detection[kept], overlaps["l"][kept].astype(np.int64), overlaps["iou"][kept])
    return edges, overlaps["same_category"][kept].astype(bool)
