"""Areas of unions of boxes, against pixels that are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_quality.metrics.unions import union_areas

SIDE = 12
_edge = st.integers(0, SIDE)
_box = st.tuples(_edge, _edge, _edge, _edge).filter(lambda b: b[0] != b[2] and b[1] != b[3])


def areas(images: list[list[tuple[float, float, float, float]]]) -> list[float]:
    """Area of the union in each image of boxes of two opposite corners."""
    rows = sorted(
        (k, min(a, c), min(b, d), max(a, c), max(b, d))
        for k, boxes in enumerate(images)
        for a, b, c, d in boxes
    )
    rows.sort(key=lambda r: (r[0], r[2], r[4]))
    image, x0, y0, x1, y1 = np.array(rows, dtype=float).reshape(-1, 5).T
    return union_areas(x0, y0, x1, y1, image.astype(np.int64)).tolist()


@given(st.lists(st.lists(_box, min_size=1, max_size=9), min_size=1, max_size=4))
def test_areas_are_those_of_the_pixels(images: list[list[tuple[int, int, int, int]]]) -> None:
    expected = []
    for boxes in images:
        pixels = np.zeros((SIDE, SIDE), bool)
        for a, b, c, d in boxes:
            pixels[min(b, d) : max(b, d), min(a, c) : max(a, c)] = True
        expected.append(pixels.sum())
    assert areas(images) == expected


def test_fractions_of_pixels() -> None:
    found = areas([[(0.5, 0.25, 2, 1.25), (1, 0.5, 3, 1)], [(0, 0, 0.1, 0.1)]])
    assert found == pytest.approx([1.5 + 0.5, 0.01])


def test_no_box_at_all() -> None:
    assert areas([]) == []
