"""Print the table of docs/findings.md: average precision on errors planted into the COCO subset, mean of three seeds.

``python docs/measure_planted.py``. It needs ``../shared`` (or ``LABEL_QUALITY_SHARED``) and the dev dependencies, and
measures with the functions of ``tests/unit/findings/test_findings_planted.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "unit"
SEEDS = (0, 1, 2)


def main() -> None:
    sys.path[:0] = [str(TESTS), str(TESTS / "findings")]
    from helpers.coco_subset import MODELS
    from test_findings_planted import OBVIOUS, measure

    print("| type | one model (yolov7-seg) | obvious | two models (and yolov5s-seg) | obvious |")
    print("|---|---|---|---|---|")
    for error_type in OBVIOUS:
        cells = [f"`{error_type}`"]
        for models in (MODELS[:1], MODELS):
            pairs = [measure(error_type, models, seed=seed) for seed in SEEDS]
            cells += [f"{sum(p[k] for p in pairs) / len(pairs):.2f}" for k in (0, 1)]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
