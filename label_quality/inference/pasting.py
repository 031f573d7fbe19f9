"""Mask probabilities in boxes become run lengths in the image: all masks at once, on the device that they are on.

Only where the runs begin and end leaves the device. The pixels are those of torchvision's ``paste_masks_in_image`` above 0.5,
which makes a whole picture of each mask instead. The runs become COCO's compressed text through pycocotools.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    from torch import Tensor

_THRESHOLD = 0.5
_PIXELS_AT_A_TIME = 4_000_000


@dataclass
class Runs:
    """Runs of the pixels of `count` masks, sorted by mask and place.

    mask int64 (r,); start and end int64 (r,), the first pixel and the one behind the last, counted down the columns of
    the image as COCO counts; size is (height, width).
    """

    mask: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    count: int
    size: tuple[int, int]


def paste(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Runs:
    """The runs of masks (n, M, M), probabilities, in boxes (n, 4), x0, y0, x1, y1, of an image of `size` (height, width)."""
    import torch

    found: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.inference_mode():
        for first, some, grid in _groups(masks, boxes, size):
            mask, start, end = _runs(some, grid, size[0])
            found.append((mask + first, start, end))
    parts = [torch.cat([f[k] for f in found]).cpu().numpy() for k in range(3)] if found else []
    mask, start, end = parts or [np.zeros(0, np.int64)] * 3
    return Runs(mask, start, end, len(masks), size)


def to_rles(runs: Runs) -> list[dict[str, Any]]:
    """Each mask as pycocotools takes it, ``{"size": [height, width], "counts": bytes}``."""
    if not runs.count:
        return []
    height, width = runs.size
    total = height * width
    edges = np.stack([runs.start, runs.end], axis=1).ravel()
    bounds = 2 * np.searchsorted(runs.mask, np.arange(runs.count + 1))
    # The edges of each mask between 0 and the number of pixels: their differences are its counts.
    places = np.repeat(bounds, 2)[1:-1]
    framed = np.insert(edges, places, np.tile([0, total], runs.count))
    firsts = bounds[:-1] + 2 * np.arange(runs.count)
    counts = [np.diff(part).tolist() for part in np.split(framed, firsts[1:])]
    # As pycocotools writes it: a mask that holds the last pixel ends with that run.
    ended = [c[:-1] if c[-1] == 0 else c for c in counts]
    size = [height, width]
    return coco_mask.frPyObjects([{"size": size, "counts": c} for c in ended], *size)  # type: ignore[no-any-return]


@dataclass
class _Grid:
    """Where the visible pixels of some masks lie: the box as torchvision widens and rounds it, and its part in the image."""

    left: Tensor
    top: Tensor
    width: Tensor
    height: Tensor
    x0: Tensor
    y0: Tensor
    columns: Tensor  # number of them in the image
    rows: Tensor


def _groups(
    masks: Tensor, boxes: Tensor, size: tuple[int, int]
) -> Iterator[tuple[int, Tensor, _Grid]]:
    """The masks in groups of so many pixels, each with the number of its first and its grid."""
    import torch
    from torch.nn.functional import pad
    from torchvision.models.detection.roi_heads import expand_boxes

    if not len(masks):
        return
    side = masks.shape[-1]
    wide = expand_boxes(boxes, (side + 2) / side).to(torch.int64)
    left, top, right, bottom = wide.unbind(1)
    x0, y0 = left.clamp(min=0), top.clamp(min=0)
    grid = (
        *(left, top, (right - left + 1).clamp(min=1), (bottom - top + 1).clamp(min=1), x0, y0),
        ((right + 1).clamp(max=size[1]) - x0).clamp(min=0),
        ((bottom + 1).clamp(max=size[0]) - y0).clamp(min=0),
    )
    pixels = (grid[6] * grid[7]).cumsum(0)
    numbers = (pixels // _PIXELS_AT_A_TIME).unique_consecutive(return_counts=True)[1].tolist()
    first = 0
    for count in numbers:
        some = slice(first, first + count)
        yield first, pad(masks[some], (1, 1, 1, 1)), _Grid(*(g[some] for g in grid))
        first += count


def _runs(masks: Tensor, grid: _Grid, image_height: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mask, start and end of each run. `masks` (n, S, S) are padded by one on each side."""
    import torch

    across = _numbered(grid.columns)  # the mask of each column
    x = _within(grid.columns) + grid.x0[across]
    low, high, share = _sources(x - grid.left[across], grid.width[across], masks.shape[-1])
    lines = masks[across, :, low] * (1 - share)[:, None] + masks[across, :, high] * share[:, None]
    rows = grid.rows[across]
    column = _numbered(rows)  # the column of each pixel
    mask = across[column]
    y = _within(rows) + grid.y0[mask]
    low, high, share = _sources(y - grid.top[mask], grid.height[mask], masks.shape[-1])
    on = lines[column, low] * (1 - share) + lines[column, high] * share > _THRESHOLD
    place = x[column] * image_height + y
    joined = torch.zeros(len(on) + 1, dtype=torch.bool, device=on.device)
    if len(on) > 1:
        next_to = (place[1:] == place[:-1] + 1) & (mask[1:] == mask[:-1])
        joined[1:-1] = next_to & on[1:] & on[:-1]
    starts, ends = on & ~joined[:-1], on & ~joined[1:]
    return mask[starts], place[starts], place[ends] + 1


def _numbered(counts: Tensor) -> Tensor:
    """For counts (2, 0, 1): 0, 0, 2."""
    import torch

    return torch.arange(len(counts), device=counts.device).repeat_interleave(counts)


def _within(counts: Tensor) -> Tensor:
    """For counts (2, 0, 1): 0, 1, 0."""
    import torch

    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    return torch.arange(len(starts), device=counts.device) - starts


def _sources(place: Tensor, size: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Bilinear interpolation (align_corners=False) of `side` values to `size`: the two that count, and the second's share."""
    source = ((place + 0.5) * (side / size.float()) - 0.5).clamp(min=0)
    low = source.long().clamp(max=side - 1)
    return low, (low + 1).clamp(max=side - 1), source - low
