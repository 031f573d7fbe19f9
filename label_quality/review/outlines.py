"""Masks as SVG paths: polygons as they are, run lengths by the borders of their pixels. Which masks, is asked elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from label_quality.coco.masks import compressed, decode_segmentations
from label_quality.coco.records import Rle

_MOST_PIXELS = 40_000_000  # of a mask that is decoded
_MOST_BORDERS = 200_000  # between pixels; a mask with more is noise, and is drawn as its box


def outline(segmentation: str, size: tuple[int, int]) -> str:
    """The SVG path, in pixels of the image, of a row of ``annotation_masks`` or ``prediction_masks``.

    `size` is height and width of the image. "" where there is nothing to draw or the mask is too large.
    """
    (decoded,) = decode_segmentations([segmentation])
    if not isinstance(decoded, Rle):
        return "".join(
            _polygon(np.asarray(part, dtype=np.float64).reshape(-1, 2)) for part in decoded
        )
    if decoded.size[0] * decoded.size[1] > _MOST_PIXELS or tuple(decoded.size) != size:
        return ""
    return border(coco_mask.decode(compressed(decoded)))


def border(mask: NDArray[np.uint8]) -> str:
    """The borders between the pixels of a mask (height, width) that are set and those that are not, as closed paths."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return ""
    top, left = int(rows[0]), int(columns[0])
    inside = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1).astype(np.int8)
    # Corners of pixels are numbered row by row. A border leads from one corner to the next, with the inside on its right.
    width = inside.shape[1]
    across, down = np.diff(inside, axis=0), np.diff(inside, axis=1)
    ways = (
        (across == 1, -1, 1),  # clear above, set below: to the right, from the corner to the left
        (across == -1, 0, -1),
        (down == 1, 0, -width),
        (down == -1, -width, width),
    )
    begin = [
        np.flatnonzero(np.pad(e, ((0, 0), (0, width - e.shape[1])))) + shift for e, shift, _ in ways
    ]
    step = np.repeat([s for _, _, s in ways], [len(b) for b in begin])
    if len(step) > _MOST_BORDERS:
        return ""
    return _follow(np.concatenate(begin), step, width, (left, top))


def _follow(
    begin: NDArray[np.int64], step: NDArray[np.int64], width: int, offset: tuple[int, int]
) -> str:
    """The closed paths that the borders make: only corners at which the direction changes stand in them."""
    leaving: dict[int, list[int]] = {}
    for corner, direction in zip(begin.tolist(), step.tolist(), strict=True):
        leaving.setdefault(corner, []).append(direction)
    right_of = {1: width, width: -1, -1: -width, -width: 1}
    parts = []
    for start in begin.tolist():
        if not leaving.get(start):
            continue
        corner, direction, points = start, 0, []
        while True:
            ways = leaving[corner]
            # Where two pixels touch at a corner only, turning right keeps them apart.
            way = (
                right_of[direction]
                if len(ways) > 1 and direction and right_of[direction] in ways
                else ways[0]
            )
            ways.remove(way)
            if way != direction:
                points.append(corner)
            corner, direction = corner + way, way
            if corner == start:
                break
        parts.append(_polygon(np.stack(np.divmod(np.array(points), width)[::-1], axis=1) + offset))
    return "".join(parts)


def _polygon(points: NDArray[np.float64] | NDArray[np.int64]) -> str:
    text = "L".join(f"{x:.10g},{y:.10g}" for x, y in np.round(points, 1).tolist())
    return f"M{text}Z"
