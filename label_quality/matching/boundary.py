"""Boundary IoU of assigned pairs: the overlap of two outlines rather than of two areas.

Definition: Cheng et al., Boundary IoU (CVPR 2021): the IoU of the parts of both masks that lie within d of their own
contour, d = 2 % of the image diagonal, at least one pixel. Eroding d times by a 3 × 3 square is a minimum over a square of
2 d + 1, which a few ANDs of the mask with itself, shifted, compute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as mask_api

from label_quality.matching.masks import Masks, count, image_ranges
from label_quality.workers import in_processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

_DILATION = 0.02
_SECONDS = 1e-3  # of work for each pair, roughly


def boundary_ious(con: DuckDBPyConnection) -> pa.Table:
    """Boundary IoU of the pairs in ``_wanted``: columns ``pair`` and ``boundary_iou``. After `mask_overlaps`."""
    pairs: list[NDArray[np.int64]] = []

    def tasks() -> Iterator[_Task]:
        for first, last in image_ranges(con, "_wanted"):
            rows = con.execute(
                f"select * from _wanted where image_id between {first} and {last}"
            ).fetchnumpy()
            labels = Masks(con, "_label_masks", first, last)
            predictions = Masks(con, "_prediction_masks", first, last)
            pairs.append(rows["pair"])
            left, right = labels.find(rows["annotation_id"]), predictions.find(rows["prediction"])
            yield labels, predictions, left, right

    values = list(in_processes(_all, tasks(), _SECONDS * count(con, "_wanted")))
    return boundary_table(pairs, values)


def boundary_table(pairs: list[NDArray[np.int64]], values: list[NDArray[np.float64]]) -> pa.Table:
    """The parts of the two columns put together; without any, an empty table."""
    return pa.table(
        {
            "pair": np.concatenate([np.empty(0, np.int64), *pairs]),
            "boundary_iou": np.concatenate([np.empty(0), *values]),
        }
    )


_Task = tuple[Masks, Masks, NDArray[np.int64], NDArray[np.int64]]


def _all(task: _Task) -> NDArray[np.float64]:
    labels, predictions, left, right = task
    one, other = labels.rles(), predictions.rles()
    pairs = zip(left, right, strict=True)
    return np.array([boundary_iou(one[i], other[j]) for i, j in pairs], np.float64)


def boundary_iou(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Boundary IoU of two compressed RLEs of one image size, 0 to 1 (0 where both are empty)."""
    height, width = one["size"]
    distance = max(1, round(_DILATION * float(np.hypot(height, width))))
    boxes = mask_api.toBbox([one, other])
    left, top = np.maximum(np.floor(boxes[:, :2].min(0)).astype(int), 0)
    right, bottom = np.ceil((boxes[:, :2] + boxes[:, 2:]).max(0)).astype(int)
    crops = mask_api.decode([one, other])[top:bottom, left:right]
    edges = [_boundary(crops[:, :, k], distance) for k in (0, 1)]
    union = int(np.count_nonzero(edges[0] | edges[1]))
    return np.count_nonzero(edges[0] & edges[1]) / union if union else 0.0


def _boundary(mask: NDArray[np.uint8], distance: int) -> NDArray[np.uint8]:
    """The pixels of a mask within `distance` of its contour. Outside the crop, and the image, is background."""
    eroded = np.pad(mask, distance)
    size = 2 * distance + 1
    for _ in range(2):
        # Each AND with itself shifted widens the square that a pixel stands for, up to double.
        eroded, reach = eroded.T, 1
        while reach < size:
            step = min(reach, size - reach)
            eroded = eroded[step:] & eroded[:-step]
            reach += step
    return np.asarray(mask & ~eroded & 1, np.uint8)
