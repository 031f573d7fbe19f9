"""The eight categories of the demo, how often each occurs, and which are mistaken for which.

Belongs here: facts about the categories that scenes, planting and the simulated detector share.
Does not belong here: how a part looks (`shapes`) or where it lies (`scenes`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Order fixes the COCO ids, which start at 1.
CATEGORY_NAMES: Final = (
    "bolt",
    "nut",
    "washer",
    "gear",
    "bearing",
    "spring",
    "bracket",
    "spanner",
)
CATEGORY_IDS: Final = {name: index + 1 for index, name in enumerate(CATEGORY_NAMES)}

# Relative frequency of each category in a scene: small parts are common, tools are rare.
FREQUENCY: Final = {
    "bolt": 2.2,
    "nut": 1.7,
    "washer": 1.5,
    "gear": 1.3,
    "bearing": 0.9,
    "spring": 0.9,
    "bracket": 1.1,
    "spanner": 0.7,
}

# Range of the longer half extent in pixels, before the scale of the scene (0.75 to 1.05).
HALF_SIZE: Final = {
    "bolt": (36.0, 72.0),
    "nut": (15.0, 27.0),
    "washer": (14.0, 28.0),
    "gear": (30.0, 60.0),
    "bearing": (27.0, 46.0),
    "spring": (32.0, 62.0),
    "bracket": (42.0, 64.0),
    "spanner": (82.0, 124.0),
}

# The category that a part is most easily taken for, by a hurried annotator as by a detector.
CONFUSED_WITH: Final = {
    "bolt": "spring",
    "nut": "washer",
    "washer": "nut",
    "gear": "bearing",
    "bearing": "gear",
    "spring": "bolt",
    "bracket": "spanner",
    "spanner": "bracket",
}

# How alike two categories look, 0 (never confused) to 1; symmetric, all other pairs are 0.
_ALIKE: Final = {
    ("nut", "washer"): 1.0,
    ("gear", "bearing"): 0.55,
    ("washer", "bearing"): 0.4,
    ("bolt", "spring"): 0.4,
    ("bracket", "spanner"): 0.25,
}


def likeness() -> NDArray[np.float64]:
    """Return the symmetric (8, 8) matrix of likeness in [0, 1]; the diagonal is 0."""
    matrix = np.zeros((len(CATEGORY_NAMES), len(CATEGORY_NAMES)))
    for (first, second), value in _ALIKE.items():
        row, column = CATEGORY_IDS[first] - 1, CATEGORY_IDS[second] - 1
        matrix[row, column] = matrix[column, row] = value
    return matrix


def coco_categories() -> list[dict[str, object]]:
    """Return the `categories` section of the COCO file."""
    return [
        {
            "id": number,
            "name": name,
            "supercategory": "machine part" if name != "spanner" else "tool",
        }
        for name, number in CATEGORY_IDS.items()
    ]
