"""Duplicate: two labels on one object. The pair is scored; the less supported label is the one to drop.

score = ramp × (1 − 0.8 × m) for pairs of one category, ramp rising from 0 at IoU 0.5 to 1 at IoU 0.9 (the mask's IoU
where there is one, or 0.7 × the mask's containment if that is more), m the support of the less supported label by a prediction
assigned to it: a model that sees two objects speaks against a duplicate. From IoU 0.95 on, the two are one object whatever
models say. Pairs of two categories start at IoU 0.7. Without predictions the overlap alone decides.
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
        with own as (
          select annotation_id, max(confidence * least(iou / 0.7, 1)) as own from _speaks where assigned group by all
        ), same as (
          select annotation_id, max(confidence * least(iou / 0.7, 1)) as same
          from _speaks where same_category group by all
        ), pairs as (
          select p.*, coalesce(p.mask_iou, p.box_iou) as iou_used, p.category_id = p.other_category_id as one_category,
                 coalesce(p.mask_containment, p.containment) as containment_used,
                 coalesce(a.own, 0) as own_a, coalesce(b.own, 0) as own_b,
                 coalesce(sa.same, 0) as same_a, coalesce(sb.same, 0) as same_b
          from annotation_pairs p
          left join own a on a.annotation_id = p.annotation_id left join own b on b.annotation_id = p.other_annotation_id
          left join same sa on sa.annotation_id = p.annotation_id
          left join same sb on sb.annotation_id = p.other_annotation_id
        ), nesting as (
          -- Of boxes without masks, and of masks that were too unlike to be compared, only the IoU counts.
          select *, case when mask_iou is not null then {_NESTED} * mask_containment else 0 end as nested from pairs
        ), scored as (
          select *, case when same_a <> same_b then same_a < same_b when own_a <> own_b then own_a < own_b
                         else false end as drop_first,
                 least(own_a, own_b) as support,
                 case when one_category
                   then least(greatest((greatest(iou_used, nested) - {_START})
                              / {_END - _START}, 0), 1)
                   else least(greatest((iou_used - {_CONFLICT_START}) / {_END - _CONFLICT_START}, 0), 1)
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
        where ramp > 0
        """,
    )
