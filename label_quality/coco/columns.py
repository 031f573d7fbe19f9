"""Turns the records of a chunk into arrays, the same for both readers. What is a wrong value is decided in ``rules``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from label_quality.coco.errors import Refused
from label_quality.coco.records import Annotation, Box, LooseAnnotation, LoosePrediction, Prediction
from label_quality.coco.segments import Segments

_NO_BOX = (np.nan,) * 4


@dataclass
class Objects:
    """Labels or predictions of a chunk, `n` rows; NaN stands where a record has no value, `has_*` says so."""

    image_row: np.ndarray  # int64, row of the image table, -1 where the reference dangles
    category_row: np.ndarray  # int64, likewise
    image_width: np.ndarray  # int64 px, 0 where the reference dangles
    image_height: np.ndarray
    box: np.ndarray  # float64 (n, 4) x, y, width, height
    has_box: np.ndarray  # bool
    segments: Segments
    area: np.ndarray | None = None  # float64, labels only
    has_area: np.ndarray | None = None
    crowd: np.ndarray | None = None  # float64, labels only: 0 or 1, 0 where absent
    score: np.ndarray | None = None  # float64, predictions only

    def __len__(self) -> int:
        return len(self.image_row)


@dataclass(frozen=True)
class ImageSizes:
    """Width and height of each row of the image table, int64 px."""

    width: np.ndarray
    height: np.ndarray

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sizes of these rows; 0 where the row is -1."""
        if not len(self.width):
            return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        known = rows >= 0
        return np.where(known, self.width[rows], 0), np.where(known, self.height[rows], 0)


def integers(values: list[int]) -> np.ndarray:
    """An int64 array. Raises `Refused` for an integer that does not fit."""
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        raise Refused("an id is too large a number") from None


def boxes(values: Sequence[Box | None]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes as float64 (n, 4) without negative zeros, and where there is one."""
    has = np.array([v is not None for v in values], dtype=bool)
    filled = values if has.all() else [_NO_BOX if v is None else v for v in values]
    numbers = chain.from_iterable(filled)  # type: ignore[arg-type]
    return np.fromiter(numbers, np.float64, 4 * len(values)).reshape(-1, 4) + 0.0, has


def labels(
    records: Sequence[Annotation] | Sequence[LooseAnnotation],
    image_row: np.ndarray,
    category_row: np.ndarray,
    sizes: ImageSizes,
    segments: Segments,
) -> Objects:
    """The arrays of a chunk of labels whose references and segmentations were read."""
    box, has_box = boxes([r.bbox for r in records])
    width, height = sizes.of(image_row)
    return Objects(
        image_row, category_row, width, height, box, has_box, segments,
        area=np.array([r.area for r in records], dtype=np.float64) + 0.0,  # None becomes NaN
        has_area=np.array([r.area is not None for r in records], dtype=bool),
        crowd=np.array([r.iscrowd or 0 for r in records], dtype=np.float64),
    )  # fmt: skip


def predictions(
    records: Sequence[Prediction] | Sequence[LoosePrediction],
    image_row: np.ndarray,
    category_row: np.ndarray,
    sizes: ImageSizes,
    segments: Segments,
) -> Objects:
    """The arrays of a chunk of predictions whose references and segmentations were read."""
    box, has_box = boxes([r.bbox for r in records])
    width, height = sizes.of(image_row)
    return Objects(
        image_row, category_row, width, height, box, has_box, segments,
        score=np.array([r.score for r in records], dtype=np.float64) + 0.0,
    )  # fmt: skip
