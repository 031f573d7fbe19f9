"""Wrong class: predictions say that the object is there, but of another category.

score = other × (1 − same) × trust. other and same are the strongest confidence × min(IoU / 0.7, 1) among the
predictions that speak for the label, of one other category and of the label's own; a model that was asked about the label's
own box (``label_probes``) speaks too, with its probabilities and IoU 1. trust weighs the model's habit of
taking one for the other: π q / (π q + (1 − π) r), with r the share of the category's labels (this one left out) that
the model calls so by its own mistake: a model that often takes buses for trucks proves little by doing so once more. A
disagreement counts as the model's mistake by 1 − other, so that what it is sure of does not speak against it. Where another label on the
same object has the other category already, the label is a duplicate, not of the wrong class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings import suspects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PRIOR = (
    0.1  # π: share of wrong ones among labels that a model contradicts, before anything is seen
)
_HIT = 0.8  # q: how often a model names the right category where the label is wrong
_SHRINK = 50.0  # pseudo-labels ...
_HABIT = 0.002  # ... of which this share is taken for any one other category
_PLACE = 0.7  # IoU from which place is no argument against the pair
_SAME_OBJECT = 0.5


def score(con: DuckDBPyConnection) -> None:
    """Add the suspects of type ``wrong_class``."""
    con.execute(
        """
        create or replace temp view _asked as
        with answers as (
          select annotation_id, try_cast(model as _model) as model, l.category_id, given_probability, other_category_id,
                 other_probability
          from label_probes join _labels l using (annotation_id) where given_probability is not null
        )
        select annotation_id, model, category_id, true as same_category, given_probability as confidence, 1.0::double as iou,
               null::bigint as prediction_id
        from answers where model is not null
        union all
        select annotation_id, model, other_category_id, false, other_probability, 1.0, null
        from answers where model is not null and other_category_id is not null
        """
    )
    con.execute(
        f"""
        create or replace temp view _taken_places as
        select distinct unnest([annotation_id, other_annotation_id]) as annotation_id,
               unnest([other_category_id, category_id]) as category_id
        from annotation_pairs
        where category_id <> other_category_id
          and case when mask_iou is null then box_iou >= {_PLACE} else mask_iou >= {_SAME_OBJECT} end
        """
    )
    con.execute(
        f"""
        create or replace temp table _rivals as
        with strength as (
          select annotation_id, model, category_id, same_category,
                 max(confidence * least(iou / {_PLACE}, 1)) as strength,
                 arg_max(prediction_id, (confidence * least(iou / {_PLACE}, 1), -prediction_id)) as prediction_id
          from (
            select annotation_id, model, category_id, same_category, confidence, iou, prediction_id from _speaks
            where iou >= {_SAME_OBJECT}
            union all from _asked
          ) group by all
        ), same as (
          select annotation_id, model, strength from strength where same_category
        )
        select o.annotation_id, o.model, o.category_id as rival, o.prediction_id,
               o.strength as other, coalesce(s.strength, 0) as same
        from strength o left join same s using (annotation_id, model)
          left join _taken_places t on t.annotation_id = o.annotation_id and t.category_id = o.category_id
        where not o.same_category and o.strength > coalesce(s.strength, 0) and t.annotation_id is null
        """
    )
    suspects.add(
        con,
        f"""
        with habit as (
          select model, l.category_id, rival, sum(1 - other) as mistakes from _rivals r join _labels l using (annotation_id)
          group by all
        ), totals as (
          select category_id, count(*) as n from _labels group by all
        ), rated as (
          select r.*, l.image_id, l.category_id, l.x, l.y, l.width, l.height,
                 (h.mistakes - (1 - r.other) + {_SHRINK} * {_HABIT}) / (t.n - 1 + {_SHRINK}) as confusion
          from _rivals r join _labels l using (annotation_id)
          join habit h on h.model = r.model and h.category_id = l.category_id and h.rival = r.rival
          join totals t on t.category_id = l.category_id
        )
        select 'wrong_class' as error_type, 'wrong_class' || r.annotation_id || '/' || r.rival as key, r.image_id,
               r.annotation_id, r.category_id, 'change_class' as suggested_fix, r.rival as suggested_category_id,
               r.x as suggested_x, r.y as suggested_y, r.width as suggested_width, r.height as suggested_height,
               r.other * (1 - r.same)
                 * {_PRIOR * _HIT} / ({_PRIOR * _HIT} + {1 - _PRIOR} * r.confusion) as score,
               r.x, r.y, r.width, r.height, r.model, r.prediction_id, coalesce(o.confidence, r.other) as confidence, o.iou,
               o.mask_iou, r.confusion
        from rated r left join _speaks o
          on o.model = r.model and o.prediction_id = r.prediction_id and o.annotation_id = r.annotation_id
        """,
    )
    con.execute("drop table _rivals")
