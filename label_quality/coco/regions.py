"""The pixels of one object as a tight region, and its COCO forms.

Belongs here: tracing outlines, run-length encoding, moving and scaling a mask. Does not belong here: masks
of many labels at once (`masks`), which pixels an object has, and what is wrong with a label.
Boxes are x, y, width, height in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Region:
    """The pixels of one object: `pixels` (h, w) bool with the upper left corner at (x, y).

    Always tight: the first and last row and column contain a pixel, so that (x, y, w, h) is the
    COCO box of the mask.
    """

    x: int
    y: int
    pixels: NDArray[np.bool_]

    @property
    def box(self) -> Box:
        """x, y, width, height in pixels."""
        return (
            float(self.x),
            float(self.y),
            float(self.pixels.shape[1]),
            float(self.pixels.shape[0]),
        )

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(self.pixels.sum())


def tight(pixels: NDArray[np.bool_], x: int = 0, y: int = 0) -> Region | None:
    """Crop a mask whose corner lies at (x, y) to its extent; None where it is empty."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if rows.size == 0:
        return None
    top, left = int(rows[0]), int(columns[0])
    cropped = pixels[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].copy()
    return Region(x + left, y + top, cropped)


def _place(pixels: NDArray[np.bool_], x: int, y: int, image_size: tuple[int, int]) -> Region | None:
    """Clip a mask with its corner at (x, y) to the image (width, height) and make it tight."""
    width, height = image_size
    rows = slice(max(0, -y), max(0, min(pixels.shape[0], height - y)))
    columns = slice(max(0, -x), max(0, min(pixels.shape[1], width - x)))
    return tight(pixels[rows, columns], max(x, 0), max(y, 0))


def fit(region: Region, box: Box, image_size: tuple[int, int]) -> Region | None:
    """Stretch the mask into another box (rounded to pixels), by the nearest pixel.

    Returns None where nothing of it is left inside the image (width, height).
    """
    left, top = round(box[0]), round(box[1])
    width = max(1, round(box[0] + box[2]) - left)
    height = max(1, round(box[1] + box[3]) - top)
    from_height, from_width = region.pixels.shape
    rows = ((np.arange(height) + 0.5) * from_height / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * from_width / width).astype(np.int64)
    return _place(region.pixels[np.ix_(rows, columns)], left, top, image_size)


def fit_coarsely(
    region: Region, box: Box, image_size: tuple[int, int], grid: int, threshold: float
) -> Region | None:
    """Stretch the mask into another box by way of a `grid` x `grid` raster, as mask heads do.

    `threshold` in (0, 1) is the cut on the interpolated raster: above 0.5 the mask comes out thin.
    Falls back to `fit` where the coarse raster loses the object.
    """
    left, top = round(box[0]), round(box[1])
    size = (max(1, round(box[0] + box[2]) - left), max(1, round(box[1] + box[3]) - top))
    fine = Image.fromarray(region.pixels.astype(np.uint8) * 255)
    coarse = fine.resize((grid, grid), Image.Resampling.BOX)
    back = np.asarray(coarse.resize(size, Image.Resampling.BILINEAR))
    pixels = back > 255 * threshold
    return _place(pixels, left, top, image_size) or fit(region, box, image_size)


def iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, by pycocotools."""
    return float(coco_mask.iou(np.array([first]), np.array([second]), [0])[0, 0])


def run_lengths(region: Region, image_size: tuple[int, int]) -> dict[str, Any]:
    """COCO's compressed run-length encoding in the whole image, `counts` as str."""
    width, height = image_size
    # Encode only the columns that the object touches; before and after lie zeros.
    strip = np.zeros((height, region.pixels.shape[1]), np.uint8, order="F")
    strip[region.y : region.y + region.pixels.shape[0]] = region.pixels
    counts = _counts(strip)
    counts[0] += region.x * height
    rest = (width - region.x - region.pixels.shape[1]) * height
    if len(counts) % 2:
        counts[-1] += rest
    elif rest:
        counts.append(rest)
    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}


def raw_run_lengths(region: Region, image_size: tuple[int, int]) -> dict[str, Any]:
    """COCO's uncompressed run lengths, the form in which COCO delivers crowd regions."""
    width, height = image_size
    full = np.zeros((height, width), np.uint8, order="F")
    rows, columns = region.pixels.shape
    full[region.y : region.y + rows, region.x : region.x + columns] = region.pixels
    return {"size": [height, width], "counts": _counts(full)}


def _counts(mask: NDArray[np.uint8]) -> list[int]:
    """Lengths of the runs in column order, starting with zeros (length 0 where a one is first)."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=np.uint8(0)))
    counts: list[int] = np.diff(changes, prepend=0, append=flat.size).tolist()
    return counts


def segmentation(region: Region, image_size: tuple[int, int]) -> list[list[float]] | dict[str, Any]:
    """COCO segmentation of a mask: polygons, or compressed run lengths where there are holes.

    Polygons follow the edges of the pixels, so that rasterising them gives the same mask again.
    An object that is seen in up to three pieces becomes a polygon of several parts; more pieces
    are run-length encoded, as holes are.
    """
    loops = outlines(region.pixels)
    if len(loops) > 3 or any(_signed_area(loop) < 0 for loop in loops):
        return run_lengths(region, image_size)
    corner = np.array([region.x, region.y])
    return [(loop + corner).ravel().astype(float).tolist() for loop in loops]


def _signed_area(loop: NDArray[np.int64]) -> float:
    """Shoelace area of a closed loop (n, 2); positive for an outline, negative for a hole."""
    following = np.roll(loop, -1, axis=0)
    return float((loop[:, 0] * following[:, 1] - following[:, 0] * loop[:, 1]).sum()) / 2


def outlines(pixels: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Corner points (n, 2) of every closed outline of a mask, along the pixel edges.

    Pixels that touch only at a corner are separate pieces (4-connected); the pixels lie to the
    right of the way (y down), so outlines have positive area and holes negative.
    """
    padded = np.pad(pixels, 1)
    here = padded[1:-1, 1:-1]
    stride = pixels.shape[1] + 1
    parts = []
    # (is the neighbour empty, start corner, end corner) of the four edges of a pixel.
    for neighbour, start, end in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        y, x = np.nonzero(here & ~neighbour)
        parts.append(
            np.stack(
                [(y + start[1]) * stride + x + start[0], (y + end[1]) * stride + x + end[0]], 1
            )
        )
    edges = np.concatenate(parts)
    following = _link(edges, stride)
    return [_corners(loop, stride) for loop in _walk(edges, following)]


def _link(edges: NDArray[np.int64], stride: int) -> NDArray[np.int64]:
    """Index of the edge that follows each edge (m,).

    Where two outlines meet in one corner, two edges leave it; the one that turns right is taken,
    which keeps to the same pixel.
    """
    order = np.argsort(edges[:, 0], kind="stable")
    starts = edges[order, 0]
    first = np.searchsorted(starts, edges[:, 1], side="left")
    last = np.searchsorted(starts, edges[:, 1], side="right") - 1
    direction = edges[:, 1] - edges[:, 0]
    # Right of +x is +y, of +y is -x, of -x is -y, of -y is +x (y points down).
    right = np.select(
        [direction == 1, direction == stride, direction == -1], [stride, -1, -stride], 1
    )
    choice = direction[order[last]] == right
    return np.where((first != last) & choice, order[last], order[first])


def _walk(edges: NDArray[np.int64], following: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Corner indices of every closed loop of edges."""
    nexts, starts = following.tolist(), edges[:, 0].tolist()
    seen = bytearray(len(nexts))
    loops = []
    for begin in range(len(nexts)):
        if seen[begin]:
            continue
        loop, edge = [], begin
        while not seen[edge]:
            seen[edge] = 1
            loop.append(starts[edge])
            edge = nexts[edge]
        loops.append(np.array(loop, np.int64))
    return loops


def _corners(loop: NDArray[np.int64], stride: int) -> NDArray[np.int64]:
    """Points (n, 2) of a loop where it changes direction."""
    points = np.stack([loop % stride, loop // stride], 1)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    corners: NDArray[np.int64] = points[(before != after).any(axis=1)]
    return corners
