"""Which label and which prediction mean the same object: box IoU, mask IoU, assignment.

`overlaps` and `pairs` take a DuckDB connection that shows the input tables and leave their result in a temporary
table. What a disagreement means is decided in ``findings``, not here.
"""

from __future__ import annotations

from label_quality.matching.assignment import assign
from label_quality.matching.overlaps import build_overlaps
from label_quality.matching.pairs import build_pairs

IOU_FLOOR = 0.10

__all__ = ["IOU_FLOOR", "assign", "build_overlaps", "build_pairs"]
