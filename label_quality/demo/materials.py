"""What the parts are made of.

Belongs here: materials and how a batch of parts varies in colour. Does not belong here: shapes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from label_quality.demo.relief import Material

STEEL: Final = Material((0.66, 0.68, 0.71))
DARK_STEEL: Final = Material((0.36, 0.38, 0.41))
BLACK_OXIDE: Final = Material((0.19, 0.19, 0.21), 0.75)
BRASS: Final = Material((0.80, 0.60, 0.25))
COPPER: Final = Material((0.74, 0.43, 0.28))
ZINC: Final = Material((0.70, 0.64, 0.42))
RUBBER: Final = Material((0.10, 0.10, 0.11), 0.25)
PAINTS: Final = (
    Material((0.70, 0.13, 0.10), 0.2),
    Material((0.10, 0.29, 0.60), 0.2),
    Material((0.88, 0.62, 0.08), 0.2),
    Material((0.12, 0.42, 0.30), 0.2),
    Material((0.86, 0.36, 0.08), 0.2),
)


def between(rng: Generator, low: float, high: float) -> float:
    """A plain float: a NumPy scalar would turn the float32 fields into float64."""
    return float(rng.uniform(low, high))


def pick(rng: Generator, materials: tuple[Material, ...], weights: tuple[float, ...]) -> Material:
    """Choose a material and vary its colour a little, as batches of parts vary."""
    material = materials[int(rng.choice(len(materials), p=np.array(weights) / sum(weights)))]
    factor = rng.uniform(0.9, 1.1) * (1 + rng.normal(0, 0.02, 3))
    red, green, blue = (float(value) for value in np.array(material.colour) * factor)
    return Material((red, green, blue), material.metal)
