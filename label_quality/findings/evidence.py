"""What several error types ask of labels: which predictions speak for a label, and how strongly.

A prediction speaks for a label when it overlaps it and is not assigned to another one. No error is named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings.confidence import size

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHRINK = 20.0
_STEPS = (
    1000  # support is ranked in steps of 0.001: counting steps is far cheaper than sorting labels
)


def build_labels(con: DuckDBPyConnection) -> None:
    """Fill ``_labels`` (labels that are not crowds, with their size), ``_speaks`` and ``_support``.

    ``_speaks``: label × prediction that speaks for it, and their overlap. ``_support``: per label the greatest
    confidence × min(IoU / 0.5, 1) over all models, or 1 − the probability of background where a model was asked about the
    label's own box (``label_probes``) and that is more; and ``rarity``: the share of labels of its category and size that have
    no more support than it (shrunk towards the share over all categories of that size).
    """
    con.execute(
        f"""
        create or replace temp table _labels as
        select image_id, annotation_id, category_id, x, y, width, height, {size("width * height")} as size,
               segmentation_type <> 'none' as has_mask
        from annotations where not iscrowd;

        create or replace temp table _speaks as
        with pairs as (
          select model::_model as model, prediction_id, annotation_id, same_category, assigned, box_iou as iou, mask_iou,
                 boundary_iou
          from prediction_overlaps where not iscrowd
        )
        select o.*, p.category_id, p.confidence from pairs o join _predictions p using (model, prediction_id)
        where o.assigned or p.assigned_iou is null;

        create or replace temp table _supported as
        with strongest as (
          select annotation_id, max(confidence * least(iou / 0.5, 1)) as support from _speaks group by all
        ), probed as (
          select annotation_id, max(1 - background_probability) as support from label_probes group by all
        ), told as (
          -- greatest passes over NULL.
          select l.annotation_id, l.category_id, l.size, coalesce(greatest(s.support, p.support), 0) as support
          from _labels l left join strongest s using (annotation_id) left join probed p using (annotation_id)
        )
        select *, cast(floor(support * {_STEPS}) as integer) as step from told;

        create or replace temp table _support as
        with counts as (
          select category_id, size, step, count(*) as n from _supported group by all
        ), shares as (
          select category_id, size, step, sum(n) over whole as n,
                 sum(n) over (whole order by step) / sum(n) over whole as own
          from counts window whole as (partition by category_id, size)
        ), pooled_counts as (
          select size, step, sum(n) as n from counts group by all
        ), pooled as (
          select size, step, sum(n) over (partition by size order by step) / sum(n) over (partition by size) as pooled
          from pooled_counts
        )
        select s.annotation_id, s.support,
               (h.n * h.own + {_SHRINK} * p.pooled) / (h.n + {_SHRINK}) as rarity
        from _supported s join shares h using (category_id, size, step) join pooled p using (size, step);
        """
    )
