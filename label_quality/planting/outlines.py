"""Masks that are wrong to a wanted degree. One mask at a time: each is decoded, changed as pixels and encoded again.

Belongs here: pixels. Does not belong here: boxes without masks (`boxes`), and which labels are made wrong (`shapes`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as mask_api

from label_quality.coco.masks import to_rle
from label_quality.coco.regions import Region, fit, run_lengths, tight

if TYPE_CHECKING:
    from label_quality.planting.labels import Floats

Pixels = NDArray[np.bool_]
Distortion = Callable[[Pixels, float, Generator], Pixels]

_GRIDS = (12, 9, 7, 5, 4, 3)  # of coarse outlines, from fine to rough


def region(segmentation: str, size: Floats) -> Region | None:
    """The pixels of a segmentation in an image of a width and height; None where it has none."""
    rle = to_rle(segmentation, int(size[1]), int(size[0]))
    x, y, width, height = (int(v) for v in mask_api.toBbox(rle))
    pixels = mask_api.decode(rle)[y : y + height, x : x + width]
    return tight(pixels.astype(bool), x, y)


def stretched(
    segmentation: str, size: Floats, old: Floats, new: Floats, to: Floats
) -> Region | None:
    """The mask moved and scaled as the box `old` became `new`, in an image of the size `to`; None where nothing is left."""
    found = region(segmentation, size)
    if found is None:
        return None
    scale = new[2:] / old[2:]
    box = np.array(found.box)
    x, y = (box[:2] - old[:2]) * scale + new[:2]
    width, height = box[2:] * scale
    return fit(found, (x, y, width, height), (int(to[0]), int(to[1])))


def distorted(
    kind: str, segmentation: str, size: Floats, target: float, rng: Generator
) -> tuple[Region | None, float]:
    """The mask made wrong in one of `KINDS`, so that its IoU with what it was is about `target`; and that IoU."""
    old = region(segmentation, size)
    if old is None:
        return None, 0.0
    margin = _margin(old.area, target) if kind == "dilated" else 0
    pixels = np.pad(old.pixels, margin)
    changed = KINDS[kind](pixels, target, rng)
    # What lies beyond the image is lost.
    rows, columns = (
        np.arange(n) - margin + start for n, start in zip(pixels.shape, (old.y, old.x), strict=True)
    )
    changed = (
        changed & ((rows >= 0) & (rows < size[1]))[:, None] & ((columns >= 0) & (columns < size[0]))
    )
    union = np.count_nonzero(changed | pixels)
    iou = np.count_nonzero(changed & pixels) / union if union else 0.0
    return tight(changed, old.x - margin, old.y - margin), iou


def text(found: Region, size: Floats) -> str:
    """The segmentation's JSON, run-length encoded."""
    rle: dict[str, Any] = run_lengths(found, (int(size[0]), int(size[1])))
    return json.dumps(rle)


def _margin(area: int, target: float) -> int:
    """Pixels around a mask that it may grow into.

    Of all shapes a disc has to grow furthest to gain so much: from radius r to r / √IoU.
    """
    return int(np.sqrt(area / np.pi) * (1 / np.sqrt(target) - 1)) + 3


def _dilated(pixels: Pixels, target: float, _rng: Generator) -> Pixels:
    """Every pixel within some distance of the mask: the distance that adds area × (1 / IoU − 1)."""
    away = _distance(~pixels)
    wanted = int(pixels.sum() / target)
    cut = np.partition(away.ravel(), wanted - 1)[wanted - 1]
    return np.asarray(away <= cut)


def _eroded(pixels: Pixels, target: float, _rng: Generator) -> Pixels:
    """Every pixel at more than some distance of the background: the distance that leaves area × IoU."""
    inside = _distance(pixels)
    return np.asarray(inside > np.quantile(inside[pixels], 1 - target))


def _cut(pixels: Pixels, target: float, rng: Generator) -> Pixels:
    """What lies on one side of a straight line that leaves area × IoU."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.nonzero(pixels)
    along = x * np.cos(angle) + y * np.sin(angle)
    kept = along <= np.quantile(along, target)
    out = np.zeros_like(pixels)
    out[y[kept], x[kept]] = True
    return out


def _coarse(pixels: Pixels, target: float, _rng: Generator) -> Pixels:
    """The outline on a raster so rough that its IoU falls to `target`, or on the roughest."""
    fine = Image.fromarray(pixels.astype(np.uint8) * 255)
    size = (pixels.shape[1], pixels.shape[0])
    out = pixels
    for grid in _GRIDS:
        raster = np.asarray(fine.resize((grid, grid), Image.Resampling.BOX)) > 127
        out = np.asarray(Image.fromarray(raster).resize(size, Image.Resampling.NEAREST)) > 0
        if np.count_nonzero(out & pixels) <= target * np.count_nonzero(out | pixels):
            break
    return out


def _box(pixels: Pixels, _target: float, _rng: Generator) -> Pixels:
    """The box of the mask, filled."""
    return np.outer(pixels.any(1), pixels.any(0))


def _distance(pixels: Pixels) -> NDArray[np.float64]:
    # 0.2 s to import, and only two kinds need it.
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415

    return np.asarray(distance_transform_edt(pixels))


KINDS: dict[str, Distortion] = {
    "dilated": _dilated,
    "eroded": _eroded,
    "cut": _cut,
    "coarse": _coarse,
    "box": _box,
}
