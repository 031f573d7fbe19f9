"""Makes a label inaccurate to a wanted degree: box and mask together.

Belongs here: the four kinds of inaccuracy and the search for one within a band of IoU. Does not
belong here: which labels are made inaccurate (`planting`). Boxes are x, y, width, height in pixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from label_quality.coco.regions import Box, Region, fit, iou

KINDS: Final = ("shift", "loose", "tight", "one_edge")


def distort(
    region: Region, band: tuple[float, float], image_size: tuple[int, int], rng: Generator
) -> tuple[str, Region] | None:
    """Return a kind of `KINDS` and the region stretched so that it holds.

    The IoU of the two boxes lies within `band`, limits included, after rounding to pixels and
    clipping to the image (width, height). Returns None where 40 tries find none: the object is
    too small for the band, or at the border.
    """
    for _ in range(40):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        target = float(rng.uniform(*band))
        changed = fit(region, _proposal(kind, region.box, target, rng), image_size)
        if changed is None:
            continue
        if band[0] <= iou(region.box, changed.box) <= band[1] and holds(
            kind, region.box, changed.box
        ):
            return kind, changed
    return None


def _proposal(kind: str, box: Box, target: float, rng: Generator) -> Box:
    """A box whose IoU with `box` is about `target`, from the closed form of each kind."""
    x, y, width, height = box
    if kind == "shift":
        # Overlap o of equal boxes gives IoU o / (2 - o); split it over both directions at random.
        overlap = 2 * target / (1 + target)
        share = float(rng.uniform(0, 1))
        step_x, step_y = 1 - overlap**share, 1 - overlap ** (1 - share)
        sign_x, sign_y = rng.choice([-1.0, 1.0], 2)
        return (
            x + float(sign_x) * step_x * width,
            y + float(sign_y) * step_y * height,
            width,
            height,
        )
    if kind == "one_edge":
        ratio = target if rng.random() < 0.5 else 1 / target
        low = float(rng.random() < 0.5)  # 1.0 moves the left or top edge
        if rng.random() < 0.5:
            return x + low * width * (1 - ratio), y, width * ratio, height
        return x, y + low * height * (1 - ratio), width, height * ratio
    area = target if kind == "tight" else 1 / target
    # Not every side moves alike: share the change between the directions and the two sides.
    share = float(rng.uniform(0.35, 0.65))
    ratio_x, ratio_y = area**share, area ** (1 - share)
    left, top = (float(value) for value in rng.uniform(0.3, 0.7, 2))
    return (
        x + left * width * (1 - ratio_x),
        y + top * height * (1 - ratio_y),
        width * ratio_x,
        height * ratio_y,
    )


def holds(kind: str, true: Box, changed: Box) -> bool:
    """Whether `changed` is what the kind says, seen from `true`.

    shift: same size, other place; loose: every edge further out; tight: every edge further in;
    one_edge: exactly one edge differs.
    """
    edges = np.array(
        [
            true[0] - changed[0],
            true[1] - changed[1],
            changed[0] + changed[2] - true[0] - true[2],
            changed[1] + changed[3] - true[1] - true[3],
        ]
    )  # how far each edge moved outwards
    if kind == "shift":
        return true[2:] == changed[2:] and true[:2] != changed[:2]
    if kind == "loose":
        return bool((edges > 0).all())
    if kind == "tight":
        return bool((edges < 0).all())
    return int((edges != 0).sum()) == 1
