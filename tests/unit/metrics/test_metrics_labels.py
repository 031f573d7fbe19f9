"""Metrics of labels, case by case; what Encord Active gets wrong is named so (reference: encord_active.md, section 1)."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.measured import IMAGE, label, labels, measured

SQUARE = [10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]
BOW_TIE = [0.0, 0.0, 100.0, 100.0, 100.0, 0.0, 0.0, 100.0]


def boxed(id_: int, bbox: list[float], category: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": id_, "image_id": 1, "category_id": category, "bbox": bbox, **more}


def overlaps(*records: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return labels(measured([IMAGE], records))


# Size, shape, place ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bbox", "ratio"), [([5, 5, 2, 1], 2.0), ([5, 5, 10, 5], 2.0), ([5, 5, 1, 1], 1.0)]
)
def test_a_small_box_keeps_its_shape(bbox: list[float], ratio: float) -> None:
    """Encord Active: a rectangle of whole pixels, both ends included, makes 3 × 2 of 2 × 1."""
    assert label(bbox=bbox)["aspect_ratio"] == ratio


def test_area_is_that_of_the_mask_and_of_the_box_without_one() -> None:
    assert label(bbox=[10, 10, 40, 40])["area"] == 1600
    found = label(bbox=[10, 10, 40, 40], segmentation=[SQUARE])
    assert (found["area"], found["area_relative"]) == (400, 0.04)


@pytest.mark.parametrize(
    ("bbox", "distance", "touches"),
    [
        ([0, 20, 10, 10], 0, 1),
        ([2, 20, 10, 10], 2, 1),
        ([2.5, 20, 10, 10], 2.5, 0),
        ([20, 20, 79, 10], 1, 1),
        ([20, 95, 10, 10], -5, 1),
        ([20, 20, 60, 60], 20, 0),
        ([45, 45, 10, 10], 45, 0),
    ],
)
def test_border(bbox: list[float], distance: float, touches: int) -> None:
    found = label(bbox=bbox)
    assert (found["border_distance"], found["touches_border"]) == (distance, touches)


# Outlines -------------------------------------------------------------------------------------------------------


def test_a_bow_tie_has_the_area_that_coco_draws_and_its_own_extent() -> None:
    """Encord Active: buffer(0) keeps one half, 51 × 101; a shoelace sum would be 0."""
    found = label(bbox=[0, 0, 100, 100], segmentation=[BOW_TIE])
    assert found["area"] == pytest.approx(5000, rel=0.03)
    assert found["box_mask_iou"] == 1
    assert found["aspect_ratio"] == 1
    assert found["convexity"] == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize(
    ("polygons", "vertices", "parts", "compactness", "convexity"),
    [
        ([SQUARE], 4, 1, 0.7854, 1),
        ([[*SQUARE, 10, 20]], 5, 1, 0.7854, 1),  # a point on an edge
        ([[0, 0, 40, 0, 40, 10, 10, 10, 10, 40, 0, 40]], 6, 1, 0.3436, 700 / 1150),  # an L
        ([SQUARE, [50, 10, 70, 10, 70, 30, 50, 30]], 8, 2, 0.3927, 800 / 1200),
        ([[10, 10, 20, 20, 30, 30]], 3, 1, 0, None),  # a line
        ([[10, 10, 30, 10, 30, 30, 10, 30, 10, 10]], 5, 1, 0.7854, 1),  # closed by its first point
    ],
)
def test_polygon(
    polygons: list[list[float]],
    vertices: int,
    parts: int,
    compactness: float,
    convexity: float | None,
) -> None:
    found = label(bbox=[0, 0, 90, 90], segmentation=polygons)
    assert (found["polygon_vertices"], found["polygon_parts"]) == (vertices, parts)
    assert found["compactness"] == pytest.approx(compactness, abs=1e-4)
    assert found["convexity"] == (None if convexity is None else pytest.approx(convexity))


def test_run_lengths_have_an_area_and_an_extent_and_no_outline() -> None:
    rle = {"size": [100, 100], "counts": [0, 50, 50, 50, 9850]}  # two columns, upper halves
    found = label(bbox=[0, 0, 4, 50], segmentation=rle)
    assert (found["area"], found["mask_fill"], found["box_mask_iou"]) == (100, 0.5, 0.5)
    outline = ("polygon_vertices", "polygon_parts", "compactness", "convexity")
    assert [found[name] for name in outline] == [None] * 4


def test_box_against_mask() -> None:
    found = label(bbox=[10, 10, 40, 20], segmentation=[SQUARE])
    assert (found["box_mask_iou"], found["mask_fill"]) == (0.5, 0.5)
    outside = label(bbox=[60, 60, 20, 20], segmentation=[SQUARE])
    assert outside["box_mask_iou"] == 0
    none = label(bbox=[10, 10, 40, 20])
    assert none["box_mask_iou"] is None and none["mask_fill"] is None


# Overlap with other labels --------------------------------------------------------------------------------------


def test_identical_boxes_of_two_classes_are_seen() -> None:
    """Encord Active: 0, because it compares labels of one class only (bus and truck on one object)."""
    found = overlaps(boxed(1, [10, 10, 20, 20], 1), boxed(2, [10, 10, 20, 20], 2))
    for one, other in ((1, 2), (2, 1)):
        assert found[one]["other_class_iou"] == 1
        assert found[one]["other_class_annotation_id"] == other
        assert (found[one]["same_class_iou"], found[one]["same_class_annotation_id"]) == (0, None)


def test_three_mutual_duplicates_are_three_rows() -> None:
    """Encord Active: an object stands in two rows, and building its database fails."""
    found = overlaps(*(boxed(k, [10, 10, 20, 20]) for k in (1, 2, 3)))
    assert [found[k]["same_class_iou"] for k in (1, 2, 3)] == [1, 1, 1]
    assert [found[k]["same_class_annotation_id"] for k in (1, 2, 3)] == [2, 1, 1]


def test_a_box_inside_another_is_seen() -> None:
    """Encord Active: IoU 0.04 only."""
    found = overlaps(boxed(1, [0, 0, 100, 100]), boxed(2, [10, 10, 20, 20]))
    for one in (1, 2):
        assert found[one]["same_class_containment"] == 1
        assert found[one]["same_class_iou"] == pytest.approx(0.04)


def test_an_outline_that_crosses_itself_overlaps_itself() -> None:
    """Encord Active: IoU 0, even with itself."""
    found = overlaps(*(boxed(k, [0, 0, 100, 100], segmentation=[BOW_TIE]) for k in (1, 2)))
    assert found[1]["same_class_mask_iou"] == found[2]["same_class_mask_iou"] == 1


def test_masks_that_do_not_meet_in_boxes_that_do() -> None:
    upper = [0.0, 0.0, 80.0, 0.0, 0.0, 80.0]
    lower = [80.0, 1.0, 80.0, 80.0, 1.0, 80.0]
    found = overlaps(
        boxed(1, [0, 0, 80, 80], segmentation=[upper], area=3200),
        boxed(2, [0, 0, 80, 80], segmentation=[lower], area=3200),
    )
    assert found[1]["same_class_iou"] == 1
    assert found[1]["same_class_mask_iou"] < 0.05


def test_crowds_are_compared_with_nothing() -> None:
    found = overlaps(boxed(1, [10, 10, 20, 20]), boxed(2, [10, 10, 20, 20], iscrowd=1))
    assert found[1]["same_class_iou"] == 0
    assert found[2]["same_class_iou"] is None
    assert (found[1]["iscrowd"], found[2]["iscrowd"]) == (False, True)


# What is typical of a category ----------------------------------------------------------------------------------


def test_what_lies_elsewhere_and_what_has_another_shape() -> None:
    alike = [boxed(k, [40 + k % 5, 40 + k % 3, 20, 10]) for k in range(12)]
    odd = [boxed(20, [80, 5, 20, 10]), boxed(21, [41, 41, 10, 40])]
    found = overlaps(*alike, *odd)
    usual = [found[a["id"]] for a in alike]
    assert all(r["position_deviation"] < 4 and r["shape_deviation"] == 0 for r in usual)
    assert found[20]["position_deviation"] > 20 > found[21]["position_deviation"]
    # ln 2 - ln 1/4 over the floor of 0.05
    assert found[21]["shape_deviation"] == pytest.approx(41.589, abs=1e-3)
    assert found[20]["shape_deviation"] == 0


def test_few_labels_and_crowds_have_nothing_typical() -> None:
    few = overlaps(*(boxed(k, [10, 10, 20, 20 + k]) for k in range(9)))
    assert {r["shape_deviation"] for r in few.values()} == {None}
    crowd = overlaps(
        *(boxed(k, [10, 10, 20, 20]) for k in range(10)), boxed(11, [0, 0, 90, 9], iscrowd=1)
    )
    assert crowd[11]["position_deviation"] is None
    assert crowd[1]["position_deviation"] == 0


def test_random_is_the_same_in_every_run_and_of_no_use() -> None:
    con = measured([IMAGE], [boxed(k, [10, 10, 20, 20]) for k in range(400)])
    values = [r["random"] for r in labels(con).values()]
    assert values == [r["random"] for r in labels(con).values()]
    assert label(bbox=[1, 1, 2, 2])["random"] == label(bbox=[50, 50, 9, 9])["random"]
    assert len(set(values)) == 400
    assert abs(sum(values) / 400 - 0.5) < 0.05


# Predictions ----------------------------------------------------------------------------------------------------


def test_predictions() -> None:
    con = measured(
        [IMAGE],
        [boxed(1, [10, 10, 20, 20])],
        {
            "m": [
                {"image_id": 1, "category_id": 2, "bbox": [10, 10, 20, 10], "score": 0.9},
                {"image_id": 1, "category_id": 1, "bbox": [60, 60, 50, 20], "score": 0.3},
            ]
        },
    )
    names = "confidence, iou, area_relative, aspect_ratio, border_distance"
    found = con.execute(f"select {names} from prediction_metrics order by prediction_id").fetchall()
    assert found == [(0.9, 0.5, 0.02, 2, 10), (0.3, 0, 0.1, 2.5, -10)]
