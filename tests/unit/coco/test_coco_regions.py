"""Outlines, run lengths and stretching of masks, with pycocotools as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from label_quality.coco.regions import (
    Region,
    fit,
    fit_coarsely,
    iou,
    outlines,
    raw_run_lengths,
    run_lengths,
    segmentation,
    tight,
)

SIZE = (23, 17)  # width, height
Mask = NDArray[np.bool_]
masks = st_numpy.arrays(
    np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 14)), elements=st.booleans()
)


def in_image(region: Region) -> Mask:
    full = np.zeros((SIZE[1], SIZE[0]), bool)
    height, width = region.pixels.shape
    full[region.y : region.y + height, region.x : region.x + width] = region.pixels
    return full


def decoded(form: object) -> Mask:
    encoded = coco_mask.frPyObjects(form, SIZE[1], SIZE[0]) if isinstance(form, list) else form
    if isinstance(form, list):
        encoded = coco_mask.merge(encoded)
    elif isinstance(form, dict) and isinstance(form["counts"], list):
        encoded = coco_mask.frPyObjects(form, SIZE[1], SIZE[0])
    return coco_mask.decode(encoded).astype(bool)


@settings(max_examples=300, deadline=None)
@given(masks, st.integers(0, 9), st.integers(0, 5))
def test_every_coco_form_gives_the_same_mask_again(pixels: Mask, x: int, y: int) -> None:
    region = tight(pixels, x, y)
    if region is None:
        assert not pixels.any()
        return
    wanted = in_image(region)
    for form in (
        segmentation(region, SIZE),
        run_lengths(region, SIZE),
        raw_run_lengths(region, SIZE),
    ):
        assert (decoded(form) == wanted).all()
    assert coco_mask.toBbox(run_lengths(region, SIZE)).tolist() == list(region.box)
    oracle = coco_mask.encode(np.asfortranarray(wanted.astype(np.uint8)))
    assert run_lengths(region, SIZE)["counts"] == oracle["counts"].decode()


@pytest.mark.parametrize(
    ("drawing", "loops", "is_polygon"),
    [
        (["#"], 1, True),
        (["##", "##"], 1, True),
        (["#.", ".#"], 2, True),  # touching corners are two pieces
        (["###", "#.#", "###"], 2, False),  # a hole
        (["#.#.#.#"], 4, False),  # more than three pieces
        (["#.#.#"], 3, True),
    ],
)
def test_form_follows_the_shape(drawing: list[str], loops: int, is_polygon: bool) -> None:
    pixels = np.array([[letter == "#" for letter in row] for row in drawing])
    assert len(outlines(pixels)) == loops
    region = tight(pixels)
    assert region is not None
    assert isinstance(segmentation(region, SIZE), list) is is_polygon


def test_outline_of_a_rectangle_has_four_corners() -> None:
    (loop,) = outlines(np.ones((3, 5), bool))
    assert {tuple(point) for point in loop.tolist()} == {(0, 0), (5, 0), (5, 3), (0, 3)}


@settings(max_examples=100, deadline=None)
@given(
    masks,
    st.floats(-8, 20),
    st.floats(-8, 16),
    st.floats(1, 30),
    st.floats(1, 30),
    st.integers(4, 28),
)
def test_stretched_masks_stay_inside_box_and_image(
    pixels: Mask, x: float, y: float, width: float, height: float, grid: int
) -> None:
    region = tight(pixels)
    if region is None:
        return
    box = (x, y, width, height)
    for moved in (fit(region, box, SIZE), fit_coarsely(region, box, SIZE, grid, 0.5)):
        if moved is None:
            continue
        left, top, wide, high = moved.box
        assert left >= max(0, round(x))
        assert top >= max(0, round(y))
        assert left + wide <= min(SIZE[0], round(x + width) + 1)
        assert top + high <= min(SIZE[1], round(y + height) + 1)
        assert moved.pixels.any(axis=1)[[0, -1]].all()
        assert moved.pixels.any(axis=0)[[0, -1]].all()


def test_fit_to_the_own_box_changes_nothing() -> None:
    pixels = np.random.default_rng(0).random((9, 11)) < 0.5
    region = tight(pixels, 3, 2)
    assert region is not None
    same = fit(region, region.box, SIZE)
    assert same is not None
    assert same.box == region.box
    assert (same.pixels == region.pixels).all()


def test_iou_of_boxes() -> None:
    assert iou((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
