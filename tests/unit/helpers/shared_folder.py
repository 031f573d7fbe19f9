"""Where the real data lies: beside the project, or where ``LABEL_QUALITY_SHARED`` says. Nothing of it is copied.

For what is decided when tests are collected; tests themselves take the fixture ``shared``, which says why they are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LABEL_QUALITY_SHARED"
SHARED = Path(os.environ.get(VARIABLE) or Path(__file__).parents[4] / "shared")
COCO_SUBSET = SHARED / "data" / "coco_val2017_subset"
