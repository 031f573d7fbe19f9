"""Label × label: pairs of labels of one image that could stand for one object. Crowds are left out.

Boxes are one DuckDB join; masks are compared only for pairs near enough to be a duplicate, because drawing every
polygon of a large batch would cost more than all the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as mask_api

from label_quality.coco.masks import areas
from label_quality.matching.masks import Masks, count, gather_label_masks, image_ranges
from label_quality.workers import in_processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

CONTAINMENT_FLOOR = 0.80
_SECONDS = 1e-4  # of work for each label, roughly: most of it draws polygons
# IoU 0.5 needs areas within a factor of two. A part of less than 0.3 of the whole is no second label of the whole.
# Two categories on one object must agree better to be suspicious, see findings.duplicate.
_MASK_CANDIDATE = """both_masks and (
    (area_ratio >= 0.5 and box_iou >= case when category_id = other_category_id then 0.5 else 0.65 end)
    or (category_id = other_category_id and containment >= 0.9 and area_ratio >= 0.3))"""

_PAIRS = """
create or replace temp table _label_pairs as
with labels as (
  select batch, image_id, annotation_id, category_id, x, y, width, height, coalesce(mask_area, area) as object_area,
         segmentation_type <> 'none' as has_mask
  from annotations where not iscrowd
), candidates as (
  select a.batch, a.image_id, a.annotation_id, b.annotation_id as other_annotation_id, a.category_id,
         b.category_id as other_category_id, a.has_mask and b.has_mask as both_masks,
         least(a.object_area, b.object_area) / greatest(a.object_area, b.object_area) as area_ratio,
         a.width * a.height as area, b.width * b.height as other_area,
         (least(a.x + a.width, b.x + b.width) - greatest(a.x, b.x))
         * (least(a.y + a.height, b.y + b.height) - greatest(a.y, b.y)) as inter
  from labels a join labels b on a.image_id = b.image_id and a.annotation_id < b.annotation_id
  where a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
)
select batch, image_id, annotation_id, other_annotation_id, category_id, other_category_id, both_masks, area_ratio,
       inter / (area + other_area - inter) as box_iou, inter / least(area, other_area) as containment
from candidates
where inter / (area + other_area - inter) >= $floor or inter / least(area, other_area) >= $containment
"""


def build_pairs(con: DuckDBPyConnection, *, floor: float = 0.10) -> None:
    """Fill the temporary table ``new_annotation_pairs`` (schema of ``annotation_pairs``).

    Args:
        con: shows ``annotations``, ``images`` and ``annotation_masks``.
        floor: smallest box IoU that is kept, 0 to 1.
    """
    con.execute(_PAIRS, {"floor": floor, "containment": CONTAINMENT_FLOOR})
    con.register("_mask_rows", _mask_rows(con))
    con.execute(
        """
        create or replace temp table new_annotation_pairs as
        select p.* exclude (both_masks, area_ratio), r.mask_iou, r.mask_containment
        from _label_pairs p left join _mask_rows r on r.pair = p.rowid
        """
    )
    con.unregister("_mask_rows")
    con.execute("drop table _label_pairs")


def _mask_rows(con: DuckDBPyConnection) -> pa.Table:
    con.execute(
        f"""create or replace temp table _masked as
            select rowid as pair, image_id, annotation_id, other_annotation_id
            from _label_pairs where {_MASK_CANDIDATE}"""
    )
    gather_label_masks(
        con, "select unnest([annotation_id, other_annotation_id]) as annotation_id from _masked"
    )
    pairs: list[NDArray[np.int64]] = []

    def tasks() -> Iterator[_Task]:
        for first, last in image_ranges(con, "_masked"):
            rows = con.execute(
                f"select * from _masked where image_id between {first} and {last}"
            ).fetchnumpy()
            masks = Masks(con, "_label_masks", first, last)
            pairs.append(rows["pair"])
            yield masks, masks.find(rows["annotation_id"]), masks.find(rows["other_annotation_id"])

    values = list(in_processes(_compare, tasks(), _SECONDS * count(con, "_label_masks")))
    con.execute("drop table _masked")
    return pa.table(
        {
            "pair": np.concatenate([np.empty(0, np.int64), *pairs]),
            "mask_iou": np.concatenate([np.empty(0), *(iou for iou, _ in values)]),
            "mask_containment": np.concatenate([np.empty(0), *(part for _, part in values)]),
        }
    )


_Task = tuple[Masks, NDArray[np.int64], NDArray[np.int64]]


def _compare(task: _Task) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU and intersection over the smaller area of each pair of masks (masks, position of one, of the other)."""
    masks, left, right = task
    rles = masks.rles()
    area = areas(rles)
    # The area of a union of two masks is a merge of their runs: cheaper than a matrix of IoUs per image.
    unions = areas([mask_api.merge([rles[i], rles[j]]) for i, j in zip(left, right, strict=True)])
    inter = area[left] + area[right] - unions
    smaller = np.minimum(area[left], area[right])
    return (
        np.divide(inter, unions, out=np.zeros_like(inter), where=unions > 0),
        np.divide(inter, smaller, out=np.zeros_like(inter), where=smaller > 0),
    )
