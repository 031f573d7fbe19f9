"""The labels as they would be if findings were accepted, and the pairs that these labels make with predictions.

Only boxes: a suggested mask would have to be drawn and compared. A finding was made from these very predictions, so
what a model gains here is the most that it can be: how much of its apparent error the labels may be to blame for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.matching.box_sql import SIDES, intersection, touch
from label_quality.matching.masks import count
from label_quality.performance.average import IOUS
from label_quality.performance.load import Data, with_labels

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ACCEPTED = 0.5
"""Findings of at least this p_error are taken for accepted."""

_MOVED = "('change_box', 'change_mask')"
_FIXES = f"""
create or replace temp table _fixes as
with lowest as (select least(0, min(annotation_id)) as id from annotations)
select batch, image_id, suggested_fix, suggested_category_id as category_id, suggested_x as x, suggested_y as y,
       suggested_width as width, suggested_height as height,
       coalesce(annotation_id, (select id from lowest) - row_number() over (order by batch, finding_id)) as annotation_id
from findings where p_error >= {ACCEPTED}
"""
_ANNOTATIONS = f"""
create or replace temp view _corrected_annotations as
select batch, annotation_id, coalesce(f.category_id, a.category_id) as category_id,
       case when f.suggested_fix in {_MOVED} then f.width * f.height else a.area end as area, a.iscrowd,
       a.segmentation_type
from annotations a left join _fixes f using (batch, annotation_id)
where f.suggested_fix is distinct from 'remove'
union all
select batch, annotation_id, category_id, width * height, false, 'none' from _fixes where suggested_fix = 'add'
"""
# Boxes that a fix moves or adds meet the predictions anew.
_OVERLAPS = f"""
create or replace temp view _corrected_overlaps as
select batch, model, prediction_id, annotation_id, box_iou, same_category
from prediction_overlaps anti join _fixes using (batch, annotation_id)
union all
select batch, v.model, v.prediction_id, annotation_id, v.box_iou, p.category_id = f.category_id
from prediction_overlaps v join (from _fixes where suggested_fix = 'change_class') f using (batch, annotation_id)
  join predictions p using (batch, model, prediction_id)
union all
select batch, model, prediction_id, annotation_id, shared / (area + label_area - shared), same_category
from (
  select f.batch, p.model, p.prediction_id, f.annotation_id, p.category_id = f.category_id as same_category,
         {intersection("f", "p")} as shared, f.area as label_area, p.area
  from (
    select batch, image_id, annotation_id, category_id, {SIDES} from _fixes
    where suggested_fix = 'add' or suggested_fix in {_MOVED}
  ) f join (
    select batch, image_id, model, prediction_id, category_id, {SIDES} from predictions
  ) p on p.batch = f.batch and p.image_id = f.image_id
  where {touch("f", "p")}
)
"""


def correct(con: DuckDBPyConnection) -> int:
    """Make the corrected labels from ``findings``; returns how many fixes were taken for accepted."""
    for sql in (_FIXES, _ANNOTATIONS, _OVERLAPS):
        con.execute(sql)
    return count(con, "_fixes")


def with_corrected_labels(con: DuckDBPyConnection, data: Data, model: str) -> Data:
    """The same detections against the corrected labels; `load` of the same model and `correct` went before."""
    return with_labels(
        con,
        data,
        model,
        "bbox",
        floor=float(IOUS[0]),
        annotations="_corrected_annotations",
        overlaps="_corrected_overlaps",
    )
