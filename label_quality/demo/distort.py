"""Makes a label inaccurate to a wanted degree: box and mask together.

Belongs here: the four kinds of inaccuracy and the search for one within a band of IoU. Does not
belong here: which labels are made inaccurate (`planting`). Boxes are x, y, width, height in pixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from label_quality.coco.regions import Box, Region, fit, iou
from label_quality.planting import boxes

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
    true, iou = np.array(box), np.array(target)
    if kind == "shift":
        share = np.array(rng.uniform(0, 1))
        changed = boxes.shifted(true, iou, share, rng.choice([-1.0, 1.0], 2))
    elif kind == "one_edge":
        ratio = target if rng.random() < 0.5 else 1 / target
        low = float(rng.random() < 0.5)  # 1.0 moves the left or top edge
        side = float(rng.random() >= 0.5)
        changed = boxes.with_one_edge(true, np.array(ratio), np.array(side), np.array(low))
    else:
        # Not every side moves alike: share the change between the directions and the two sides.
        area = np.array(target if kind == "tight" else 1 / target)
        share = np.array(rng.uniform(0.35, 0.65))
        changed = boxes.scaled(true, area, share, rng.uniform(0.3, 0.7, 2))
    x, y, width, height = changed.tolist()
    return x, y, width, height


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
