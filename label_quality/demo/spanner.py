"""The spanner: the one category that is a tool, with the most involved outline.

Belongs here: jaws, ring and shaft of the spanner. Does not belong here: the other parts (`shapes`).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from label_quality.demo.materials import DARK_STEEL, STEEL, between, pick
from label_quality.demo.relief import Field, Part, Relief, box, hexagon, length, rounded, step, turn


def spanner(rng: Generator, size: float) -> Part:
    """Spanner: two open jaws, or one jaw and one ring."""
    head = size * between(rng, 0.19, 0.225)
    other = head * between(rng, 0.82, 0.95)
    ring = bool(rng.random() < 0.55)
    handle = head * between(rng, 0.36, 0.44)

    def jaw(u: Field, v: Field, radius: float) -> Field:
        turned_u, turned_v = turn(u, v, 15)
        slot = box(turned_u + radius * 0.8, turned_v, radius * 0.85, radius * 0.47, radius * 0.16)
        disc = length(u * 0.94, v) - radius * 0.97
        opened: Field = np.maximum(disc, -slot)
        return opened

    def build(u: Field, v: Field) -> Relief:
        left = jaw(u + size - head, v, head)
        far_u, far_v = size - other - u, -v
        if ring:
            hole = np.minimum(
                hexagon(far_u, far_v, other * 0.52), hexagon(*turn(far_u, far_v, 30), other * 0.52)
            )
            right = np.maximum(length(far_u, far_v) - other, -hole)
        else:
            right = jaw(far_u, far_v, other)
        shaft = box(u, v, size - head * 1.55, handle, handle * 0.3)
        # The shaft widens towards the heads, as forged spanners do.
        flare = handle * (0.92 + 0.5 * np.clip(np.abs(u) / (size - head * 1.4), 0, 1) ** 6)
        shaft = np.maximum(np.abs(v) - flare, shaft - handle * 0.5)
        silhouette = np.minimum(np.minimum(left, right), shaft).astype(np.float32)
        panel = box(u, v, size - head * 3.0, handle * 0.55, handle * 0.5)
        height = rounded(silhouette, 3.0, 4.0) - 1.2 * step(-panel, 2.0)
        height = height + 0.9 * step(-np.minimum(left, right), 3.0)
        shade = 1 - 0.22 * step(-panel, 1.5)
        return Relief(silhouette, height.astype(np.float32), shade)

    material = pick(rng, (STEEL, DARK_STEEL), (5, 1))
    return Part("spanner", size, head * 1.02, build, material, lift=4.5)
