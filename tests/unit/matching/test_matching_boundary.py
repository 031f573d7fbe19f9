"""Boundary IoU against its definition, computed the long way: erosion of the full image, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api
from scipy.ndimage import binary_erosion

from label_quality.matching.boundary import boundary_iou


def encode(mask: np.ndarray) -> dict[str, Any]:
    return mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))


def by_definition(one: np.ndarray, other: np.ndarray) -> float:
    """Cheng et al. 2021: the bands within d of the contours; d erosions by 3 × 3, with background outside the image."""
    distance = max(1, round(0.02 * float(np.hypot(*one.shape))))
    bands = [
        m & ~binary_erosion(m, np.ones((3, 3)), iterations=distance, border_value=0)
        for m in (one, other)
    ]
    union = np.count_nonzero(bands[0] | bands[1])
    return np.count_nonzero(bands[0] & bands[1]) / union if union else 0.0


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of one image of 1 to 300 pixels a side: rectangles, united or cut out, so with holes and parts."""
    shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)) | st.just((200, 300)))
    masks = []
    for _ in range(2):
        mask = np.zeros(shape, bool)
        for value in (True, *draw(st.lists(st.booleans(), max_size=3))):
            top, left = (draw(st.integers(-5, s - 1)) for s in shape)
            tall, wide = (draw(st.integers(1, s + 5)) for s in shape)
            mask[max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)] = value
        masks.append(mask)
    return masks[0], masks[1]


FULL = np.ones((200, 300), bool)
HOLE = FULL.copy()
HOLE[90:95, 100:105] = False
PIXEL = np.zeros((200, 300), bool)
PIXEL[199, 299] = True


@settings(max_examples=80, deadline=None)
@given(pair=pairs())
@example(pair=(FULL, FULL))  # the whole image: its border is the contour
@example(pair=(FULL, HOLE))
@example(pair=(HOLE, PIXEL))
@example(pair=(PIXEL, PIXEL))
@example(pair=(PIXEL, ~PIXEL))
@example(pair=(np.zeros_like(FULL), FULL))
@example(pair=(np.zeros_like(FULL), np.zeros_like(FULL)))
def test_equals_the_definition(pair: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = pair
    assert boundary_iou(encode(one), encode(other)) == by_definition(one, other)
    assert boundary_iou(encode(other), encode(one)) == by_definition(one, other)


def test_a_wrong_outline_shows_more_than_in_the_mask_iou() -> None:
    one, other = np.zeros((200, 300), bool), np.zeros((200, 300), bool)
    one[20:180, 20:280] = True
    other[24:176, 24:276] = True
    mask_iou = float(mask_api.iou([encode(one)], [encode(other)], [False])[0, 0])
    assert mask_iou == pytest.approx(0.92, abs=0.01)
    assert boundary_iou(encode(one), encode(other)) < 0.5
