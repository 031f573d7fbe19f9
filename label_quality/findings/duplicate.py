"""Duplicate: two labels on one object. The pair is scored; the less supported label is the one to drop.

score = ramp × (1 − 0.8 × m) for pairs of one category, ramp rising from 0 at IoU 0.5 to 1 at IoU 0.9 (the mask's IoU
where there is one, or 0.7 × the mask's containment if that is more), m the support of the less supported label by a prediction
assigned to it: a model that sees two objects speaks against a duplicate. From IoU 0.95 on, the two are one object whatever
models say. Of two categories, boxes without masks start at IoU 0.7. Without predictions the overlap alone decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings import suspects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_START, _END = 0.5, 0.9
_CONFLICT_START = 0.7
_CERTAIN = 0.95
_NESTED = 0.7
_TWO_OBJECTS = 0.8


def score(con: DuckDBPyConnection) -> None:
    """Add the suspects of type ``duplicate``: one row for all models together."""
    suspects.add(
        con,
        f"""
        with near as (
          select *, coalesce(mask_iou, box_iou) as iou_used, category_id = other_category_id as one_category,
                 coalesce(mask_containment, containment) as containment_used
          from annotation_pairs where greatest(mask_iou, box_iou, mask_containment) > {_START}
        ), spoken as (
          select annotation_id, max(confidence * least(iou / 0.7, 1)) filter (assigned) as own,
                 max(confidence * least(iou / 0.7, 1)) filter (same_category) as same
          from _speaks
          where annotation_id in (select unnest([annotation_id, other_annotation_id]) from near) group by all
        ), pairs as (
          select n.*, coalesce(a.own, 0) as own_a, coalesce(b.own, 0) as own_b,
                 coalesce(a.same, 0) as same_a, coalesce(b.same, 0) as same_b
          from near n left join spoken a on a.annotation_id = n.annotation_id
          left join spoken b on b.annotation_id = n.other_annotation_id
        ), nesting as (
          -- Of boxes without masks only the IoU counts.
          select *, case when mask_iou is not null then {_NESTED} * mask_containment else 0 end as nested from pairs
        ), scored as (
          select *, case when same_a <> same_b then same_a < same_b when own_a <> own_b then own_a < own_b
                         else false end as drop_first,
                 least(own_a, own_b) as support,
                 case when one_category
                   then least(greatest((greatest(iou_used, nested) - {_START})
                              / {_END - _START}, 0), 1)
                   when mask_iou is null then least(greatest((box_iou - {_CONFLICT_START}) / {_END - _CONFLICT_START}, 0), 1)
                   else least(greatest((mask_iou - {_START}) / {_END - _START}, 0), 1)
                 end as ramp
          from nesting
        )
        select 'duplicate' as error_type, 'duplicate' || s.annotation_id || '/' || s.other_annotation_id as key,
               s.image_id, d.annotation_id,
               case when drop_first then s.other_annotation_id else s.annotation_id end as other_annotation_id,
               d.category_id, 'remove' as suggested_fix,
               case when iou_used >= {_CERTAIN} then ramp else ramp * (1 - {_TWO_OBJECTS} * s.support) end as score,
               d.x, d.y, d.width, d.height, s.box_iou as iou, s.mask_iou, containment_used as containment, s.support
        from scored s
        join _labels d on d.annotation_id = case when drop_first then s.annotation_id else s.other_annotation_id end
        join _labels e on e.annotation_id = case when drop_first then s.other_annotation_id else s.annotation_id end
        -- Masks that were not compared are too unlike to be one object, whatever their boxes say.
        where ramp > 0 and (s.mask_iou is not null or not (d.has_mask and e.has_mask))
        """,
    )
