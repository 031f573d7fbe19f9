"""Spurious: a label that no model supports, where models do support such labels.

score = (1 − support) × (1 − beside / 2) × π / (π + (1 − π) · rarity). support is the greatest confidence × min(IoU / 0.5, 1) of a prediction
that speaks for the label, or what a model grants it that was asked about its very box; rarity is the share of labels of its category and size with no more support than it. A
small object that models always miss is not suspicious for being missed; a large one that alone is missed is.
beside is the greatest min(IoU / 0.5, 1) with any prediction, of another label's object too: what stands beside an object is more
likely its hidden neighbour, lost to suppression, than nothing. A label that is suspected to be a duplicate stands on something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings import suspects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BESIDE = 0.5  # how much standing beside an object speaks for the label, at most
_PRIOR = 0.03  # π: share of spurious labels before anything is seen


def score(con: DuckDBPyConnection) -> None:
    """Add the suspects of type ``spurious``: one row for all models together. After ``duplicate``."""
    suspects.add(
        con,
        f"""
        select 'spurious' as error_type, 'spurious' || l.annotation_id as key, l.image_id, l.annotation_id,
               l.category_id, 'remove' as suggested_fix,
               (1 - s.support) * (1 - {_BESIDE} * coalesce(b.beside, 0)) * {_PRIOR} / ({_PRIOR} + {1 - _PRIOR} * s.rarity) as score,
               l.x, l.y, l.width, l.height, s.support, 1 - s.rarity as recall
        from (
          from _labels anti join (from _suspects where error_type = 'duplicate' and score >= {suspects.FLOOR}) using (annotation_id)
        ) l join _support s using (annotation_id) left join (
          select annotation_id, max(least(box_iou / 0.5, 1)) as beside from prediction_overlaps where not iscrowd group by all
        ) b using (annotation_id)
        """,
    )
