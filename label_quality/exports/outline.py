"""Box and area of an outline that a reviewer decided on, from the mask itself. pycocotools does the work, on masks known to be sound."""

from __future__ import annotations

from typing import Any

from pycocotools import mask as coco_mask

from label_quality.coco import rle
from label_quality.coco.masks import areas_and_extents, compressed
from label_quality.coco.records import Rle as CocoRle
from label_quality.store.entries import Rle


class Unsound(ValueError):
    """A segmentation that is none; the message completes the sentence "the mask ..."."""


def measured(
    segmentation: list[list[float]] | Rle, height: int, width: int
) -> tuple[Any, list[float], float]:
    """A segmentation as COCO writes it, its box (x, y, width, height in pixels) and its area in px².

    `height` and `width` are the image's. Raises `Unsound`.
    """
    if isinstance(segmentation, Rle):
        written: Any = {"size": list(segmentation.size), "counts": segmentation.counts}
        encoded = _encoded(segmentation, height, width)
    else:
        written = segmentation
        if not segmentation or any(len(part) < 6 or len(part) % 2 for part in segmentation):
            raise Unsound("has a polygon of less than three points")
        encoded = polygons_to_rle(segmentation, height, width)
    area, box = areas_and_extents([encoded])
    if not area[0]:
        raise Unsound("is empty")
    return written, box[0].tolist(), float(area[0])


def polygons_to_rle(polygons: list[list[float]], height: int, width: int) -> dict[str, Any]:
    """The run-length mask of polygons that together are one object."""
    return coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))  # type: ignore[no-any-return]


def _encoded(mask: Rle, height: int, width: int) -> dict[str, Any]:
    if tuple(mask.size) != (height, width):
        raise Unsound(
            f"is of {mask.size[1]} x {mask.size[0]} pixels, the image of {width} x {height}"
        )
    text = isinstance(mask.counts, str)
    sums = rle.compressed([mask.counts]) if text else rle.uncompressed([mask.counts])  # type: ignore[list-item]
    if not sums.sound[0] or int(sums.total[0]) != height * width:
        raise Unsound("has run lengths that do not fill the image")
    return compressed(CocoRle((height, width), mask.counts))
