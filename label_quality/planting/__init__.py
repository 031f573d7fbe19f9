"""Plants known label errors into the labels of a batch, scores them, and tells which are found.

Labels and predictions are fixed, so a batch can be scored again with errors that are known: that is how the benchmark compares methods
and how a calibration learns what scores mean. Add a shape of error in `shapes`. Nothing here knows Dagster or files.
"""

from __future__ import annotations

from label_quality.planting.plant import LEDGER, Planted, plant
from label_quality.planting.rescoring import matched, rescore
from label_quality.planting.shapes import SHAPES, Shape

__all__ = ["LEDGER", "SHAPES", "Planted", "Shape", "matched", "plant", "rescore"]
