"""Masks that are made wrong, with pycocotools as the oracle of their IoU."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.scenes import ellipse
from pycocotools import mask as mask_api

from label_quality.coco.masks import to_rle
from label_quality.planting import outlines

SIZE = np.array([640.0, 480.0])
STAR = json.dumps(ellipse((200, 150, 120, 90), squeeze=0.6))


def area_iou(one: str, other: str) -> float:
    a, b = (to_rle(s, 480, 640) for s in (one, other))
    return float(mask_api.iou([a], [b], [0])[0, 0])


@pytest.mark.parametrize("kind", outlines.KINDS)
@pytest.mark.parametrize("target", [0.45, 0.6, 0.8])
def test_mask_has_the_iou_that_is_told(kind: str, target: float) -> None:
    rng = np.random.default_rng(1)
    found, iou = outlines.distorted(kind, STAR, SIZE, target, rng)
    assert found is not None
    assert iou == pytest.approx(area_iou(STAR, outlines.text(found, SIZE)), abs=1e-9)
    if kind in ("dilated", "eroded", "cut"):  # the others go as far as they go
        assert iou == pytest.approx(target, abs=0.06)


def test_each_kind_is_what_its_name_says() -> None:
    rng = np.random.default_rng(1)
    old = to_rle(STAR, 480, 640)
    made = {}
    for kind in outlines.KINDS:
        found, _ = outlines.distorted(kind, STAR, SIZE, 0.6, rng)
        assert found is not None
        made[kind] = mask_api.decode(to_rle(outlines.text(found, SIZE), 480, 640)).astype(bool)
    before = mask_api.decode(old).astype(bool)
    assert (made["dilated"] | before).sum() == made["dilated"].sum() > before.sum()
    for kind in ("eroded", "cut"):
        assert (made[kind] & before).sum() == made[kind].sum() < before.sum()
    x, y, width, height = mask_api.toBbox(old).astype(int)
    assert made["box"].sum() == width * height
    assert made["box"][y : y + height, x : x + width].all()


def test_mask_grows_only_within_the_image() -> None:
    corner = json.dumps([[0, 0, 40, 0, 40, 40, 0, 40]])
    found, iou = outlines.distorted("dilated", corner, SIZE, 0.5, np.random.default_rng(0))
    assert found is not None
    assert (found.x, found.y) == (0, 0)
    assert iou == pytest.approx(area_iou(corner, outlines.text(found, SIZE)), abs=1e-9)


def test_mask_follows_its_box_into_another_image() -> None:
    old, new = np.array([200.0, 150.0, 120.0, 90.0]), np.array([10.0, 20.0, 60.0, 90.0])
    found = outlines.stretched(STAR, SIZE, old, new, np.array([100.0, 200.0]))
    assert found is not None
    assert np.array(found.box) == pytest.approx(new, abs=2.5)  # whole pixels, twice
    # Half as wide, as high as before: half the area.
    before = mask_api.area(to_rle(STAR, 480, 640))
    assert found.area == pytest.approx(before / 2, rel=0.05)


def test_empty_mask_becomes_nothing() -> None:
    outside = json.dumps([[700, 500, 710, 500, 710, 510]])
    box = np.array([700.0, 500.0, 10.0, 10.0])
    assert outlines.stretched(outside, SIZE, box, box, SIZE) is None
    assert outlines.distorted("cut", outside, SIZE, 0.5, np.random.default_rng(0)) == (None, 0.0)
