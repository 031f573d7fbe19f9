"""What differs between two labels of one object, which labels came and went, and what that did to findings and rates."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pycocotools import mask as mask_api

from label_quality.coco.masks import areas, decode_segmentations, to_rles
from label_quality.diff.pairing import IOU, pair_labels
from label_quality.diff.sides import Side
from label_quality.schema.rows import nan_as_null
from label_quality.workers import in_processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

_MASKS_A_TASK = 2000
_SECONDS = 1.5e-4  # of work for each pair of masks, roughly

_COMPARED = f"""
create or replace temp table _compared as
select p.old_id, p.new_id, p.matched_by, n.image_id,
       not coalesce(o.category = n.category_id, false) as reclassed,
       (o.x, o.y, o.width, o.height) <> (n.x, n.y, n.width, n.height) as moved,
       o.iscrowd <> n.iscrowd as crowd_changed,
       o.mask is distinct from n.mask as mask_differs,
       o.mask is not null and n.mask is not null as both_masks,
       {IOU} as box_iou
from _pairs p join _old o on p.old_id = o.annotation_id join _new n on p.new_id = n.annotation_id
"""
_MASKS = """
select c.rowid as pair, o.segmentation as old, n.segmentation as new, i.height, i.width
from _compared c join old_annotation_masks o on c.old_id = o.annotation_id
join new_annotation_masks n on c.new_id = n.annotation_id join new_images i on c.image_id = i.image_id
where c.mask_differs and c.both_masks
"""
# Masks that differ in how they are written only are the same mask.
_CHANGES = """
create or replace temp table changes as
with pairs as (
  select c.*, case when both_masks then coalesce(m.mask_iou, case when mask_differs then null else 1.0 end) end as mask_iou,
         mask_differs and coalesce(m.mask_iou < 1, true) as mask_changed
  from _compared c left join _mask_rows m on m.pair = c.rowid
), every as (
  select 'changed' as change, old_id, new_id, matched_by, reclassed, moved, mask_changed, crowd_changed, box_iou, mask_iou
  from pairs where reclassed or moved or mask_changed or crowd_changed
  union all by name
  select 'removed' as change, annotation_id as old_id from _old anti join _pairs on annotation_id = old_id
  union all by name
  select 'added' as change, annotation_id as new_id from _new anti join _pairs on annotation_id = new_id
)
select e.change, coalesce(ni.file_name, oi.file_name) as file_name,
       coalesce(reclassed, false) as reclassed, coalesce(moved, false) as moved,
       coalesce(mask_changed, false) as mask_changed, coalesce(crowd_changed, false) as crowd_changed,
       e.old_id as old_annotation_id, e.new_id as new_annotation_id,
       oc.name as old_category, nc.name as new_category, e.box_iou, e.mask_iou,
       o.x as old_x, o.y as old_y, o.width as old_width, o.height as old_height,
       n.x as new_x, n.y as new_y, n.width as new_width, n.height as new_height,
       o.image_id as old_image_id, n.image_id as new_image_id, e.matched_by
from every e
left join _old o on e.old_id = o.annotation_id left join _new n on e.new_id = n.annotation_id
left join old_images oi on o.image_id = oi.image_id left join new_images ni on n.image_id = ni.image_id
left join old_categories oc on o.category_id = oc.category_id
left join new_categories nc on n.category_id = nc.category_id
"""
_COUNTS = """
select (select count(*) from old_images) as old_images, (select count(*) from new_images) as new_images,
       (select count(*) from new_images anti join _images_pairs on image_id = new_id) as images_added,
       (select count(*) from old_images anti join _images_pairs on image_id = old_id) as images_removed,
       (select count(*) from _old) as old_labels, (select count(*) from _new) as new_labels,
       (select count(*) from _compared) - count(*) filter (change = 'changed') as unchanged,
       (select count(*) from _compared where old_id <> new_id) as renumbered,
       count(*) filter (change = 'added') as added, count(*) filter (change = 'removed') as removed,
       count(*) filter (change = 'changed') as changed,
       count(*) filter (reclassed) as reclassed, count(*) filter (moved) as moved,
       count(*) filter (mask_changed) as mask_changed, count(*) filter (crowd_changed) as crowd_changed
from changes
"""
# A finding's id is a hash of what it is about: the same suspicion has the same id in both versions.
_FINDINGS = """
select error_type, count(*) filter (n.finding_id is null) as fixed, count(*) filter (o.finding_id is null) as new,
       count(*) filter (o.finding_id is not null and n.finding_id is not null) as remaining,
       coalesce(sum(o.p_error) filter (n.finding_id is null), 0) as fixed_expected_errors,
       coalesce(sum(n.p_error) filter (o.finding_id is null), 0) as new_expected_errors
from old_findings o full join new_findings n using (finding_id, error_type) group by error_type order by error_type
"""
_RATES = """
select error_type, o.rate as old_rate, n.rate as new_rate, o.expected_errors as old_expected_errors,
       n.expected_errors as new_expected_errors
from (from old_error_rates where category_id is null) o
full join (from new_error_rates where category_id is null) n using (error_type) order by error_type
"""


@dataclass(frozen=True)
class Summary:
    """The comparison in figures. `counts` are of images and labels; `findings` and `rates` are by error type.

    `findings` and `rates` are empty unless both sides are audited versions of a batch. `ids_stayed` is False where the
    ids of labels were given anew.
    """

    old: Side
    new: Side
    ids_stayed: bool
    counts: dict[str, int]
    findings: list[dict[str, Any]] = field(default_factory=list)
    rates: list[dict[str, Any]] = field(default_factory=list)


def compare(con: DuckDBPyConnection, old: Side, new: Side) -> Summary:
    """Compare the two sides that were loaded onto `con`. Leaves the temporary table ``changes``, a row per label that differs.

    Boxes are x, y, width, height in pixels; `box_iou` and `mask_iou` are of the two labels of a changed one, 0 to 1.
    A label is unchanged when class, box, crowd flag and mask are the same; masks may be written otherwise.
    """
    ids_stayed = pair_labels(con)
    con.execute(_COMPARED)
    con.register("_mask_rows", _mask_rows(con))
    con.execute(_CHANGES)
    con.unregister("_mask_rows")
    audited = old.audited and new.audited
    return Summary(
        old,
        new,
        ids_stayed,
        _rows(con, _COUNTS)[0],
        _rows(con, _FINDINGS) if audited else [],
        _rows(con, _RATES) if audited else [],
    )


def _rows(con: DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = con.sql(sql).to_arrow_table().to_pylist()
    return rows


_Task = tuple[list[str], list[str], list[int], list[int]]


def _mask_rows(con: DuckDBPyConnection) -> pa.Table:
    """Mask IoU of the pairs whose segmentations differ in their text: columns ``pair`` and ``mask_iou`` (NULL: sizes differ)."""
    pairs: list[np.ndarray] = []
    count = con.execute(f"select count(*) from ({_MASKS})").fetchall()[0][0]

    def tasks() -> Iterator[_Task]:
        reader = con.sql(_MASKS).to_arrow_reader(_MASKS_A_TASK)
        for chunk in reader:
            pairs.append(chunk["pair"].to_numpy())
            yield tuple(chunk[name].to_pylist() for name in ("old", "new", "height", "width"))

    values = list(in_processes(_mask_ious, tasks(), _SECONDS * count))
    ious = np.concatenate([np.empty(0), *values])
    return pa.table(
        {
            "pair": np.concatenate([np.empty(0, np.int64), *pairs]),
            "mask_iou": nan_as_null(ious),
        }
    )


def _mask_ious(task: _Task) -> np.ndarray:
    """IoU of each two masks of a picture; NaN where they are of pictures of different sizes."""
    # Most masks of a file that another tool wrote differ in blanks and zeros only: these are not drawn.
    equal = map(operator.eq, *(decode_segmentations(texts) for texts in task[:2]))
    drawn = ~np.fromiter(equal, bool, len(task[0]))
    ious = np.ones(len(drawn))
    old_texts, new_texts, heights, widths = task
    ious[drawn] = _drawn_ious(
        (
            list(compress(old_texts, drawn)),
            list(compress(new_texts, drawn)),
            list(compress(heights, drawn)),
            list(compress(widths, drawn)),
        )
    )
    return ious


def _drawn_ious(task: _Task) -> np.ndarray:
    old_texts, new_texts, heights, widths = task
    old, new = to_rles(old_texts, heights, widths), to_rles(new_texts, heights, widths)
    same = np.array([a["size"] == b["size"] for a, b in zip(old, new, strict=True)], bool)
    unions = areas(
        [mask_api.merge([a, b]) if s else a for a, b, s in zip(old, new, same, strict=True)]
    )
    inter = areas(old) + areas(new) - unions
    ious = np.divide(inter, unions, out=np.ones_like(inter), where=unions > 0)
    return np.where(same, ious, np.nan)
