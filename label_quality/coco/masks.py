"""Masks as run lengths. All of it is pycocotools' work; what is a sound segmentation is decided in ``segments``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from pycocotools import mask as coco_mask

from label_quality.coco.records import Rle

_decode = msgspec.json.Decoder(list[list[list[float]] | Rle])


def to_rle(segmentation_json: str, height: int, width: int) -> dict[str, Any]:
    """The compressed run-length mask of a segmentation, as pycocotools takes it.

    `segmentation_json` is a row of ``annotation_masks`` or ``prediction_masks``: polygons (several parts are one
    object), compressed or uncompressed run lengths. Returns ``{"size": [height, width], "counts": bytes}``.
    """
    return to_rles([segmentation_json], [height], [width])[0]


def to_rles(
    segmentations: Sequence[str], heights: Iterable[int], widths: Iterable[int]
) -> list[dict[str, Any]]:
    """`to_rle` of many segmentations at once; the three sequences are of one length."""
    decoded = decode_segmentations(segmentations)
    return [
        _encode(segmentation, int(height), int(width))
        for segmentation, height, width in zip(decoded, heights, widths, strict=True)
    ]


def decode_segmentations(segmentations: Sequence[str]) -> list[list[list[float]] | Rle]:
    """The polygons or run lengths of rows of ``annotation_masks`` or ``prediction_masks``."""
    return _decode.decode("[" + ",".join(segmentations) + "]")


def _encode(segmentation: list[list[float]] | Rle, height: int, width: int) -> dict[str, Any]:
    if isinstance(segmentation, Rle):
        return compressed(segmentation)
    parts = coco_mask.frPyObjects(segmentation, height, width)
    return parts[0] if len(parts) == 1 else coco_mask.merge(parts)  # type: ignore[no-any-return]


def compressed(rle: Rle) -> dict[str, Any]:
    """A run-length record of a file as pycocotools takes it."""
    if isinstance(rle.counts, str):
        return {"size": list(rle.size), "counts": rle.counts.encode("ascii")}
    return coco_mask.frPyObjects(  # type: ignore[no-any-return]
        {"size": list(rle.size), "counts": rle.counts}, rle.size[0], rle.size[1]
    )


def areas(rles: Sequence[dict[str, Any]]) -> np.ndarray:
    """Area of each mask in pixels, float64 (n,)."""
    # pycocotools 2.0.11 keeps the length of the list in a byte: no more than 255 at a time.
    parts = [coco_mask.area(list(rles[i : i + 255])) for i in range(0, len(rles), 255)]
    return np.concatenate([np.zeros(0), *parts])


def areas_and_extents(rles: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Area in pixels, float64 (n,), and bounding box x, y, width, height, float64 (n, 4), of each mask."""
    if not rles:
        return np.zeros(0), np.zeros((0, 4))
    return areas(rles), np.asarray(coco_mask.toBbox(list(rles)), dtype=np.float64)
