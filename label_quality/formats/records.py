"""What a converter hands back: COCO records, and every record that was refused with its place. Read = kept + refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PRECISION = 6  # decimals of a pixel that are written: finer than any of the formats can say
MAX_COORDINATE = 1e9  # px, as `label_quality.coco` has it
LABEL, IMAGE = "label", "image"


class ConvertError(Exception):
    """A folder that cannot be converted at all; the message is for the user."""


@dataclass(frozen=True)
class Refusal:
    """A record that was not taken: `record` is "image" or "label", `file` is relative to the folder, `line` counts from 1."""

    file: str
    line: int | None
    record: str
    reason: str
    original: str = ""


@dataclass
class Converted:
    """A folder as COCO records. Boxes are x, y, width, height in pixels, from 0; `file_name` is relative to the folder."""

    format: str
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    categories: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels_read: int = 0
    images_read: int = 0

    def check(self) -> None:
        """Read = kept + refused, for images and labels. Raises AssertionError: a mistake of the program."""
        refused = Counter(r.record for r in self.refused)
        assert self.labels_read == len(self.annotations) + refused[LABEL]
        assert self.images_read == len(self.images) + refused[IMAGE]


def categories(names: Sequence[str]) -> list[dict[str, Any]]:
    """COCO categories with ids from 1, in the order of `names`."""
    return [{"id": k, "name": name} for k, name in enumerate(names, start=1)]


def box_faults(box: np.ndarray, size: np.ndarray) -> dict[int, str]:
    """Why a box can be no label, by row; rows that are sound are not in it.

    `box` is float64 (n, 4) x, y, width, height, `size` (n, 2) width and height of the image, all in px. A box that only
    leaves its image is sound: that is an error of the label, which the audit has to see.
    """
    faults: dict[int, str] = {}

    def name(rows: Any, say: str) -> None:
        for k in np.flatnonzero(rows).tolist():
            x, y, width, height = (f"{v:.10g}" for v in box[k])
            text = say.format(x=x, y=y, w=width, h=height, W=int(size[k, 0]), H=int(size[k, 1]))
            faults.setdefault(k, text)

    if not len(box):
        return faults
    with np.errstate(invalid="ignore"):
        left_top, sides = box[:, :2], box[:, 2:]
        name((~np.isfinite(box)).any(axis=1), "a coordinate of the box is not a finite number")
        name((np.abs(box) > MAX_COORDINATE).any(axis=1), "a coordinate of the box is too large")
        name((~(sides > 0)).any(axis=1), "the box is {w} × {h} pixels (width × height)")
        outside: np.ndarray = (left_top >= size).any(axis=1) | (left_top + sides <= 0).any(axis=1)
        name(outside, "the box [{x}, {y}, {w}, {h}] lies outside the image of {W} × {H} pixels")
    return faults
