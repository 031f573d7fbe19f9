"""How well a model does, exactly as COCO defines it: average precision and recall, counts at any IoU, outcomes, gains.

`load` brings the stored tables into arrays, `greedy` matches, `average`, `reasons`, `confusion` and `gains` judge,
`counts`, `outcomes` and `tables` give the results. Nothing here knows Dagster or files.
"""

from __future__ import annotations

from label_quality.performance.counts import Evaluation, counts_at
from label_quality.performance.outcomes import build_outcomes
from label_quality.performance.relations import build_relations
from label_quality.performance.tables import build_performance

__all__ = ["Evaluation", "build_outcomes", "build_performance", "build_relations", "counts_at"]
