"""Boxes that are wrong to a wanted degree, in closed form, for arrays of boxes.

Belongs here: geometry of boxes (x, y, width, height in pixels, the last axis of an array). Does not belong here: masks
(`outlines`), and which labels are made wrong (`shapes`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_TRIES = 20


def shifted(box: Floats, iou: Floats, share: Floats, sign: Floats) -> Floats:
    """The box moved so that its IoU with itself is `iou`.

    Overlap o of equal boxes gives IoU o / (2 − o). `share` (0 to 1) splits it over both directions; `sign` (..., 2) is −1 or 1.
    """
    overlap = 2 * iou / (1 + iou)
    step = np.stack([1 - overlap**share, 1 - overlap ** (1 - share)], -1)
    return np.concatenate([box[..., :2] + sign * step * box[..., 2:], box[..., 2:]], -1)


def scaled(box: Floats, area: Floats, share: Floats, anchor: Floats) -> Floats:
    """The box with `area` times its area: loose above 1 (IoU 1 / area), tight below (IoU area).

    `share` (0 to 1) splits the change over both directions, `anchor` (..., 2) (0 to 1) over both sides of each.
    """
    ratio = np.stack([area**share, area ** (1 - share)], -1)
    return np.concatenate(
        [box[..., :2] + anchor * box[..., 2:] * (1 - ratio), box[..., 2:] * ratio], -1
    )


def with_one_edge(box: Floats, ratio: Floats, side: Floats, low: Floats) -> Floats:
    """The box with one side `ratio` times as long: IoU min(ratio, 1 / ratio).

    `side` 0 is the width, 1 the height; `low` 1 moves the left or upper edge, 0 the other.
    """
    ratios = np.where(np.stack([side == 0, side == 1], -1), ratio[..., None], 1.0)
    return np.concatenate(
        [
            box[..., :2] + low[..., None] * box[..., 2:] * (1 - ratios),
            box[..., 2:] * ratios,
        ],
        -1,
    )


def _shift(box: Floats, iou: Floats, rng: Generator) -> Floats:
    return shifted(box, iou, rng.random(len(box)), rng.choice([-1.0, 1.0], (len(box), 2)))


def _scale(box: Floats, area: Floats, rng: Generator) -> Floats:
    # Not every side moves alike.
    n = len(box)
    return scaled(box, area, rng.uniform(0.35, 0.65, n), rng.uniform(0.3, 0.7, (n, 2)))


def _loose(box: Floats, iou: Floats, rng: Generator) -> Floats:
    return _scale(box, 1 / iou, rng)


def _edge(box: Floats, iou: Floats, rng: Generator) -> Floats:
    side, low, longer = (rng.integers(0, 2, len(box)).astype(np.float64) for _ in range(3))
    return with_one_edge(box, np.where(longer == 1, 1 / iou, iou), side, low)


KINDS: dict[str, Callable[[Floats, Floats, Generator], Floats]] = {
    "shift": _shift,
    "loose": _loose,
    "tight": _scale,
    "edge": _edge,
}


def distorted(
    kind: str, box: Floats, band: tuple[float, float], size: Floats, rng: Generator
) -> tuple[Floats, Floats, Bools]:
    """Boxes (N, 4) made wrong in one of `KINDS`, within their images (`size` (N, 2): width, height).

    Returns the boxes, their IoU with `box` after clipping to the image, and whether that lies within `band`: near a border a
    few tries may find none.
    """
    out, found = box.copy(), np.ones(len(box))
    wanted = np.ones(len(box), bool)
    for _ in range(_TRIES):
        todo = np.flatnonzero(wanted)
        if not len(todo):
            break
        target = rng.uniform(*band, len(todo))
        tried = clipped(KINDS[kind](box[todo], target, rng), size[todo])
        iou = ious(box[todo], tried)
        good = (iou >= band[0]) & (iou <= band[1])
        out[todo[good]], found[todo[good]] = tried[good], iou[good]
        wanted[todo[good]] = False
    return out, found, ~wanted


def clipped(box: Floats, size: Floats) -> Floats:
    """What of each box lies in its image; width or height 0 where nothing does."""
    low = np.clip(box[:, :2], 0, size)
    high = np.clip(box[:, :2] + box[:, 2:], 0, size)
    return np.concatenate([low, high - low], 1)


def intersections(a: Floats, b: Floats) -> Floats:
    """Area that each two boxes share, px²."""
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    return np.asarray(np.maximum(high - low, 0).prod(1))


def ious(a: Floats, b: Floats) -> Floats:
    """IoU of each two boxes, 0 to 1; 0 where neither has an area."""
    inter = intersections(a, b)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - inter
    return np.asarray(np.divide(inter, union, out=np.zeros_like(inter), where=union > 0))


def covers(a: Floats, b: Floats) -> Floats:
    """Share of each box of `a` that lies in `b`, 0 to 1; 0 where it has no area."""
    area = a[:, 2:].prod(1)
    inter = intersections(a, b)
    return np.asarray(np.divide(inter, area, out=np.zeros_like(area), where=area > 0))
