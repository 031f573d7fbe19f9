"""Findings that need masks: wrong outlines in right boxes, labels nested in one another."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import batch
from helpers.scenes import CAT, CATEGORIES, DOG, Box, ellipse, image, ordinary

A: Box = (100, 100, 160, 140)


def part(box: Box, share: float) -> list[list[float]]:
    """The left part of an ellipse's box, as a rectangle of that share of the box."""
    x, y, width, height = box
    right = x + share * width
    return [[x, y, right, y, right, y + height, x, y + height]]


def label(number: int, image_id: int, box: Box, shape: Any, category: int = CAT) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category,
        "bbox": box,
        "segmentation": shape,
    }


def seen(image_id: int, box: Box = A, category: int = CAT) -> dict[str, Any]:
    return {
        "image_id": image_id, "category_id": category, "bbox": box, "segmentation": ellipse(box), "score": 0.95,
    }  # fmt: skip


HALF: Box = (100, 100, 104, 140)
MOVED: Box = (130, 120, 160, 140)


@pytest.fixture(scope="module")
def found() -> dict[int, list[dict[str, Any]]]:
    images, labels, predictions = ordinary(30, masks=True)
    images += [image(k) for k in range(1, 9)]
    labels += [
        label(1, 1, A, ellipse(A)),
        label(2, 2, A, ellipse(A, squeeze=0.55)),
        label(3, 3, MOVED, ellipse(MOVED)),
        # A part of the object, labelled once more: IoU 0.65 by box, and by mask it lies within the other.
        label(40, 4, A, part(A, 1.0)),
        label(41, 4, HALF, part(A, 0.65)),
        # Two objects whose boxes are the same and whose masks share nothing: the halves along the diagonal.
        label(50, 5, A, [[100, 100, 260, 100, 100, 240]]),
        label(51, 5, A, [[260, 100, 260, 240, 100, 240]], DOG),
        # The same, of one category and without predictions of their own.
        label(60, 6, A, [[100, 100, 260, 100, 100, 240]]),
        label(61, 6, A, [[260, 100, 260, 240, 100, 240]]),
        label(70, 7, A, ellipse(A)),
        label(71, 7, A, ellipse(A)),
        # A thin thing across a large one: the same box, but a tenth of the area.
        label(80, 8, A, part(A, 1.0)) | {"area": 160 * 140},
        label(81, 8, A, [[100, 100, 110, 100, 260, 240, 250, 240]]) | {"area": 10 * 140},
    ]
    predictions["det"] += [seen(k) for k in (1, 2, 3, 4, 5, 6, 7)]
    con = batch.audit(batch.database(images, labels, predictions, CATEGORIES))
    every = batch.findings(con, "score >= 0.25")
    return {n: [f for f in every if f["image_id"] == n] for n in range(1, 9)}


def test_a_right_mask_is_no_finding(found: dict[int, Any]) -> None:
    assert found[1] == []


def test_a_wrong_outline_in_the_right_box(found: dict[int, Any]) -> None:
    (finding,) = found[2]
    assert (finding["error_type"], finding["suggested_fix"]) == ("inaccurate", "change_mask")
    assert finding["score"] > 0.6
    assert finding["iou"] > 0.95
    assert finding["mask_iou"] < 0.6
    assert "its outline differs: mask IoU 0." in finding["reason"]


def test_a_moved_label_is_a_matter_of_the_box(found: dict[int, Any]) -> None:
    (finding,) = found[3]
    assert (finding["error_type"], finding["suggested_fix"]) == ("inaccurate", "change_box")
    assert "left +30, top +20, right +30, bottom +20 px" in finding["reason"]


def test_a_part_of_a_labelled_object_labelled_once_more(found: dict[int, Any]) -> None:
    duplicates = [f for f in found[4] if f["error_type"] == "duplicate"]
    assert [(f["annotation_id"], f["other_annotation_id"]) for f in duplicates] == [(41, 40)]
    assert duplicates[0]["containment"] > 0.9


@pytest.mark.parametrize("number", [5, 6, 8])
def test_masks_that_share_nothing_are_two_objects_in_one_box(
    found: dict[int, Any], number: int
) -> None:
    assert [f for f in found[number] if f["error_type"] == "duplicate"] == []


def test_equal_masks_are_one_object(found: dict[int, Any]) -> None:
    (finding,) = found[7]
    assert (finding["error_type"], finding["annotation_id"], finding["mask_iou"]) == (
        "duplicate",
        71,
        1.0,
    )
    assert "mask IoU 1.00 with label 70" in finding["reason"]
