"""Inaccurate: label and prediction are the same object, but agree less than such pairs do.

deviation = (typical − IoU) / (1.4826 · MAD + 0.02), typical and MAD (median absolute deviation) among the assigned
pairs of the same model, category and size (where those are fewer than 20, of the size; where these are, of the model).
z is the mean deviation of box, mask and boundary IoU (without a mask the box's counts for all three, without a boundary
the mask's for both); where the model was asked about the label's own box (``label_probes``), the deviation of that box's
IoU with the one it would rather have joins in with three times that weight. score = √confidence × z² / (z² + 4) × min(IoU / 0.4, 1): two robust standard deviations are worth one half,
and what hardly overlaps is more likely another object.
The label's edges minus the prediction's name the error: loose, tight, shifted, or one edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings import suspects
from label_quality.matching.masks import count

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ENOUGH = 20
_NOISE = 0.02  # IoU that even a careful annotator does not keep to
_ASKED = 3.0  # weight of what the model says about the label's own box, beside its prediction's 1
_HALF = 2.0  # deviation that is worth a score of one half
_NEAR = 0.4  # IoU below which label and prediction are ever less likely the same object
_OVERLAPS = ("iou", "mask_iou", "boundary_iou")


def score(con: DuckDBPyConnection) -> None:
    """Add the suspects of type ``inaccurate``."""
    con.execute(
        """
        create or replace temp table _same as
        with asked as (
          select annotation_id, try_cast(model as _model) as model, box_iou as probe_iou from label_probes
        )
        select l.image_id, l.annotation_id, l.category_id, l.size, l.x, l.y, l.width, l.height, p.model,
               p.prediction_id, p.confidence, o.iou, o.mask_iou, o.boundary_iou, a.probe_iou,
               p.x as suggested_x, p.y as suggested_y, p.width as suggested_width, p.height as suggested_height
        from _speaks o join _labels l using (annotation_id) join _predictions p using (model, prediction_id)
          left join asked a on a.model = o.model and a.annotation_id = o.annotation_id
        where o.assigned and o.same_category
        """
    )
    asked = count(con, "label_probes") > 0
    overlaps = (*_OVERLAPS, "probe_iou") if asked else _OVERLAPS
    z = f"coalesce((z_predicted + {_ASKED} * z_probe_iou) / {1 + _ASKED}, z_predicted)"
    medians = ", ".join(f"median({o}) as m_{o}, mad({o}) as d_{o}" for o in overlaps)
    typical = ", ".join(
        f"case when f.n >= {_ENOUGH} then f.{k}_{o} when c.n >= {_ENOUGH} then c.{k}_{o} else w.{k}_{o} end as {k}_{o}"
        for o in overlaps
        for k in "md"
    )
    deviations = ", ".join(
        f"(m_{o} - {o}) / (1.4826 * d_{o} + {_NOISE}) as z_{o}" for o in overlaps
    )
    suspects.add(
        con,
        f"""
        with fine as (
          select model, category_id, size, count(*) as n, {medians} from _same group by model, category_id, size
        ), coarse as (
          select model, size, count(*) as n, {medians} from _same group by model, size
        ), whole as (
          -- Only of models that have a rare size: in a large batch there is none.
          select model, {medians} from _same semi join (from coarse where n < {_ENOUGH}) using (model) group by model
        ), compared as (
          select a.*, {typical}
          from _same a join fine f using (model, category_id, size) join coarse c using (model, size)
            left join whole w using (model)
        ), measured as (
          select *, {deviations} from compared
        ), predicted as (
          select *, (z_iou + coalesce(z_mask_iou, z_iou) + coalesce(z_boundary_iou, z_mask_iou, z_iou)) / 3 as z_predicted
          from measured
        ), judged as (
          -- The mean of what is known: an error in place shows in all three, noise in one of them.
          select *, greatest({z if asked else "z_predicted"}, 0) as z,
                 mask_iou is null or z_iou >= least(1.5, greatest(z_mask_iou, coalesce(z_boundary_iou, z_mask_iou)))
                   as box_is_off
          from predicted
        )
        select 'inaccurate' as error_type, 'inaccurate' || annotation_id as key, image_id, annotation_id, category_id,
               case when box_is_off then 'change_box' else 'change_mask' end as suggested_fix,
               category_id as suggested_category_id, suggested_x, suggested_y, suggested_width, suggested_height,
               sqrt(confidence) * z * z / (z * z + {_HALF * _HALF}) * least(iou / {_NEAR}, 1) as score, x, y, width, height, model,
               prediction_id, confidence, iou, mask_iou, boundary_iou,
               case when box_is_off then m_iou else m_mask_iou end as typical_iou, z as deviation,
               x - suggested_x as edge_left, y - suggested_y as edge_top,
               x + width - suggested_x - suggested_width as edge_right,
               y + height - suggested_y - suggested_height as edge_bottom
        from judged
        """,
    )
    con.execute("drop table _same")
