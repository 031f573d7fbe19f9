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


@dataclass(frozen=True)
class ImageSizes:
    """Width and height of each row of the image table, int64 px."""

    width: np.ndarray
    height: np.ndarray

    def place(self, image_row: np.ndarray, category_row: np.ndarray) -> Placed:
        """The rows that records refer to, with the sizes of the images."""
        if not len(self.width):
            nothing = np.zeros(len(image_row), dtype=np.int64)
            return Placed(image_row, category_row, nothing, nothing)
        known = image_row >= 0
        width = np.where(known, self.width[image_row], 0)
        height = np.where(known, self.height[image_row], 0)
        return Placed(image_row, category_row, width, height)


@dataclass(frozen=True)
class Placed:
    """What the records of a chunk refer to, int64 (n,) each."""

    image_row: np.ndarray  # row of the image table, -1 where the reference dangles
    category_row: np.ndarray  # row of the category table, likewise
    image_width: np.ndarray  # px, 0 where the reference dangles
    image_height: np.ndarray


@dataclass
class Objects:
    """Labels or predictions of a chunk, `n` rows; NaN stands where a record has no value, `has_*` says so."""

    placed: Placed
    box: np.ndarray  # float64 (n, 4) x, y, width, height
    has_box: np.ndarray  # bool
    segments: Segments
    area: np.ndarray  # float64 px², NaN for predictions
    has_area: np.ndarray  # bool
    crowd: np.ndarray  # float64 0 or 1, 0 where absent
    score: np.ndarray  # float64, 0 for labels
    are_labels: bool

    def __len__(self) -> int:
        return len(self.box)

    @classmethod
    def labels(
        cls,
        placed: Placed,
        box: np.ndarray,
        has_box: np.ndarray,
        segments: Segments,
        *,
        area: np.ndarray,
        has_area: np.ndarray,
        crowd: np.ndarray,
    ) -> Objects:
        """Labels: they have no score."""
        nothing = np.zeros(len(area))
        return cls(placed, box, has_box, segments, area, has_area, crowd, nothing, True)

    @classmethod
    def predictions(
        cls,
        placed: Placed,
        box: np.ndarray,
        has_box: np.ndarray,
        segments: Segments,
        score: np.ndarray,
    ) -> Objects:
        """Predictions: they have no area and are no crowds."""
        n = len(score)
        nothing = np.zeros(n)
        return cls(
            placed, box, has_box, segments, nothing + np.nan, nothing > 0, nothing, score, False
        )


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
    records: Sequence[Annotation] | Sequence[LooseAnnotation], placed: Placed, segments: Segments
) -> Objects:
    """The arrays of a chunk of labels whose references and segmentations were read."""
    box, has_box = boxes([r.bbox for r in records])
    areas = [r.area for r in records]
    return Objects.labels(
        placed,
        box,
        has_box,
        segments,
        area=np.array(areas, dtype=np.float64) + 0.0,  # None becomes NaN
        has_area=np.array([area is not None for area in areas], dtype=bool),
        crowd=np.array([r.iscrowd or 0 for r in records], dtype=np.float64),
    )


def predictions(
    records: Sequence[Prediction] | Sequence[LoosePrediction], placed: Placed, segments: Segments
) -> Objects:
    """The arrays of a chunk of predictions whose references and segmentations were read."""
    box, has_box = boxes([r.bbox for r in records])
    score = np.array([r.score for r in records], dtype=np.float64) + 0.0
    return Objects.predictions(placed, box, has_box, segments, score)
