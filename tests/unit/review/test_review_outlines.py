"""Masks as SVG paths: filling the path gives the mask back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from label_quality.review.outlines import border, outline


def filled(path: str, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels whose middle lies in the path by the even-odd rule: what a browser fills."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    inside = np.zeros(shape, dtype=bool)
    for part in path.split("M")[1:]:
        points = np.array([[float(v) for v in p.split(",")] for p in part.rstrip("Z").split("L")])
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if y0 != y1:
                across = (min(y0, y1) <= rows) & (rows < max(y0, y1))
                inside ^= across & (columns < x0 + (rows - y0) * (x1 - x0) / (y1 - y0))
    return inside.astype(np.uint8)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1))
)
def test_the_border_of_a_mask_encloses_its_pixels(mask: NDArray[np.uint8]) -> None:
    path = border(mask)
    assert np.array_equal(filled(path, mask.shape), mask)
    for part in path.split("M")[
        1:
    ]:  # a step goes along the grid, and no corner stands on a straight line
        points = np.array([[float(v) for v in p.split(",")] for p in part.rstrip("Z").split("L")])
        steps = np.diff(points, axis=0)
        assert ((steps == 0).sum(axis=1) == 1).all()
        assert len(points) == 4 or (np.sign(steps[1:]) != np.sign(steps[:-1])).any(axis=1).all()


def test_run_lengths_of_both_kinds_and_polygons() -> None:
    mask = np.zeros((6, 8), dtype=np.uint8, order="F")
    mask[2:4, 3:6] = 1
    packed = coco_mask.encode(mask)
    compressed = json.dumps({"size": [6, 8], "counts": packed["counts"].decode()})
    plain = json.dumps({"size": [6, 8], "counts": [20, 2, 4, 2, 4, 2, 14]})
    assert outline(compressed, (6, 8)) == outline(plain, (6, 8)) == "M3,2L6,2L6,4L3,4Z"
    polygons = "[[1, 1, 5.25, 1, 5, 4], [6, 6, 7, 6, 7, 7]]"
    assert outline(polygons, (10, 10)) == "M1,1L5.2,1L5,4ZM6,6L7,6L7,7Z"


@pytest.mark.parametrize("size", [(8, 6), (600, 800)])
def test_a_mask_of_another_size_than_its_image_is_not_drawn(size: tuple[int, int]) -> None:
    assert outline('{"size": [6, 8], "counts": [20, 2, 26]}', size) == ""


def test_a_mask_that_is_too_large_to_be_decoded_is_not_drawn() -> None:
    assert outline('{"size": [60000, 60000], "counts": [3600000000]}', (60_000, 60_000)) == ""


def test_noise_is_not_drawn() -> None:
    noise = np.indices((500, 500)).sum(axis=0) % 2
    assert border(noise.astype(np.uint8)) == ""
