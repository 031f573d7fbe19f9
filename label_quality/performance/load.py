"""Labels, predictions and their overlaps of one model, from the stored tables to arrays in COCO's order.

What belongs here is only the way from tables to arrays. Whether boxes overlap is `matching`'s; what matches is `greedy`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from label_quality.performance.greedy import Edges, Flags, Floats, Ints

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IOU_TYPES = ("bbox", "segm")
MAX_DETECTIONS = 100
"""Of an image and category only so many predictions count, those of the highest score, as in COCOeval."""

# Categories of several batches are one where their name is one.
_CATEGORIES = """
create or replace temp table _categories as
with named as (
  select min(category_id) as id, name from categories group by name
), numbered as (
  select id, name, row_number() over (order by id, name) - 1 as c from named
)
select batch, category_id, n.c::integer as c, n.id, n.name from categories join numbered n using (name)
"""
_IMAGES = """
create or replace temp table _images as
select batch, image_id, (row_number() over (order by batch, image_id) - 1)::integer as i from images
"""
# Where the prediction ids of a batch begin when those of all batches are laid end to end: a key that is dense.
_OFFSETS = """
create or replace temp table _offsets as
select batch, (sum(size) over (order by batch) - size)::bigint as first, (sum(size) over ())::bigint as size
from (select batch, max(prediction_id) + 1 as size from predictions where model = $model group by batch)
"""
_BEYOND = f"""
create or replace temp table _beyond as
with large as (
  select batch, image_id, category_id from predictions where model = $model
  group by all having count(*) > {MAX_DETECTIONS}
)
select batch, prediction_id from predictions semi join large using (batch, image_id, category_id)
where model = $model
qualify row_number() over (partition by batch, image_id, category_id order by score desc, prediction_id)
  > {MAX_DETECTIONS}
"""
_DETECTIONS = """
select k.c, s.i, p.score, coalesce(p.mask_area, p.width * p.height) as area, o.first + p.prediction_id as key
from predictions p join _categories k using (batch, category_id) join _images s using (batch, image_id)
  join _offsets o using (batch) anti join _beyond b on b.batch = p.batch and b.prediction_id = p.prediction_id
where p.model = $model and {masks}
order by k.c, p.score desc, s.i, p.prediction_id
"""
_LABELS = """
create or replace temp table _numbered_labels as
select row_number() over (order by a.batch, a.annotation_id) - 1 as l, a.batch, a.annotation_id, k.c, a.area, a.iscrowd
from {annotations} a join _categories k using (batch, category_id)
where {masks}
"""
_EDGES = """
select o.first + v.prediction_id as key, l.l, v.{iou} as iou, v.same_category as same
from {overlaps} v join _offsets o using (batch) join _numbered_labels l using (batch, annotation_id)
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
        image: (D,) number of the image, over all batches.
        score: (D,) confidence, 0 to 1.
        area: (D,) width × height of the box, px², for masks too; of results without boxes the mask's: as pycocotools' loadRes.
        key: (D,) names the prediction: the prediction ids of all batches, laid end to end (``_offsets`` says where).
        annotation_id: (L,) COCO id of the label; they stand by batch and id.
        label_category: (L,) number of the category.
        label_area: (L,) area by the label file, px².
        crowd: (L,) whether the label is a crowd.
        edges: pairs of an IoU of at least the floor that was asked for, of the same category.
        other_edges: likewise of different categories, empty unless asked for.
    """

    category_ids: Ints
    category_names: list[str]
    bounds: Ints
    image: Ints
    score: Floats
    area: Floats
    key: Ints
    annotation_id: Ints
    label_category: Ints
    label_area: Floats
    crowd: Flags
    edges: Edges
    other_edges: Edges

    @cached_property
    def category(self) -> Ints:
        """(D,) number of the category of each detection."""
        return np.repeat(np.arange(len(self.category_ids)), np.diff(self.bounds))

    @cached_property
    def rank(self) -> Ints:
        """(D,) how many detections of its image and category have a higher place."""
        # Two stable sorts by 16 bits are linear in time, one by all bits is not.
        order = np.argsort(self.image.astype(np.uint16), kind="stable")
        high = (self.image >> 16).astype(np.uint16)
        order = order[np.argsort(high[order], kind="stable")]
        image, category = self.image[order], self.category[order]
        new = (image[1:] != image[:-1]) | (category[1:] != category[:-1])
        first = np.flatnonzero(np.r_[True, new][: len(order)])
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
        return ranks


def models(con: DuckDBPyConnection, iou_type: str) -> list[str]:
    """The models that can be judged by `iou_type`: with predictions, for segm with masks, as the labels."""
    masks = iou_type == "segm"
    if (
        masks
        and not con.execute(
            "select 1 from annotations where segmentation_type <> 'none' limit 1"
        ).fetchall()
    ):
        return []
    where = "where has_mask" if masks else ""
    rows = con.execute(f"select distinct model from predictions {where} order by model").fetchall()
    return [row[0] for row in rows]


def number(con: DuckDBPyConnection) -> None:
    """Number categories and images, for all models and IoU types: the temporary tables ``_categories`` and ``_images``."""
    for sql in (_CATEGORIES, _IMAGES):
        con.execute(sql)


def load(
    con: DuckDBPyConnection,
    model: str,
    iou_type: str = "bbox",
    *,
    floor: float = 0.10,
    other_categories: bool = False,
    numbered: bool = False,
) -> Data:
    """Read what is needed to judge one model. Labels and predictions without a mask take no part in segm.

    Args:
        con: shows ``images``, ``categories``, ``annotations``, ``predictions`` and ``prediction_overlaps``, of one
            batch or of several. Temporary tables are left on it.
        model: name of the model.
        iou_type: bbox or segm.
        floor: smallest IoU of a pair that is read, 0 to 1; ``prediction_overlaps`` holds none below 0.10.
        other_categories: whether to read the pairs of different categories too.
        numbered: whether `number` went before, of the same tables.

    Raises:
        ValueError: an `iou_type` that is none of the two.
    """
    if iou_type not in IOU_TYPES:
        raise ValueError(f"{iou_type!r} is not an IoU type: {', '.join(IOU_TYPES)}")
    if not numbered:
        number(con)
    for sql in (_OFFSETS, _BEYOND):
        con.execute(sql, {"model": model})
    names = con.execute("select distinct c, id, name from _categories order by c").fetchnumpy()
    masks = "p.has_mask" if iou_type == "segm" else "true"
    found = con.execute(_DETECTIONS.format(masks=masks), {"model": model}).fetchnumpy()
    none = np.empty(0, np.int64)
    data = Data(
        category_ids=names["id"].astype(np.int64),
        category_names=[str(n) for n in names["name"]],
        bounds=np.searchsorted(found["c"], np.arange(len(names["c"]) + 1)),
        image=found["i"],
        score=found["score"],
        area=found["area"],
        key=found["key"],
        annotation_id=none,
        label_category=none,
        label_area=none.astype(np.float64),
        crowd=none.astype(bool),
        edges=Edges(none, none, none.astype(np.float64)),
        other_edges=Edges(none, none, none.astype(np.float64)),
    )
    return with_labels(con, data, model, iou_type, floor=floor, other_categories=other_categories)


def with_labels(
    con: DuckDBPyConnection,
    data: Data,
    model: str,
    iou_type: str,
    *,
    floor: float = 0.10,
    other_categories: bool = False,
    annotations: str = "annotations",
    overlaps: str = "prediction_overlaps",
) -> Data:
    """The same detections with the labels and pairs of these tables. `load` with the same model went before."""
    masks = "a.segmentation_type <> 'none'" if iou_type == "segm" else "true"
    con.execute(_LABELS.format(annotations=annotations, masks=masks))
    labels = con.execute(
        "select annotation_id, c, area, iscrowd from _numbered_labels order by l"
    ).fetchnumpy()
    pairs = con.execute(
        _EDGES.format(iou=_column(iou_type), overlaps=overlaps),
        {"model": model, "floor": floor, "other_categories": other_categories},
    ).fetchnumpy()
    size = con.execute("select max(size) from _offsets").fetchall()[0][0] or 0
    place = np.full(size, -1, np.int64)
    place[data.key] = np.arange(len(data.key))
    detection = place[pairs["key"]]
    kept = detection >= 0  # the others are beyond MAX_DETECTIONS
    edges = Edges(detection, pairs["l"], pairs["iou"])
    same = pairs["same"].astype(bool)
    made = replace(
        data,
        annotation_id=labels["annotation_id"],
        label_category=labels["c"].astype(np.int64),
        label_area=labels["area"],
        crowd=labels["iscrowd"].astype(bool),
        edges=edges.where(kept & same),
        other_edges=edges.where(kept & ~same),
    )
    # What was computed from the detections alone holds for these labels too.
    known = {name: v for name, v in vars(data).items() if name in ("category", "rank")}
    vars(made).update(known)
    return made


def _column(iou_type: str) -> str:
    return "mask_iou" if iou_type == "segm" else "box_iou"
