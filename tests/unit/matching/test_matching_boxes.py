"""Box overlaps of labels with predictions and of labels with labels: pycocotools defines the answer, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.batch import database, rows
from helpers.coco_subset import MODELS, labels, needs_coco, results
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from label_quality.matching import IOU_FLOOR, build_overlaps, build_pairs
from label_quality.matching.pairs import CONTAINMENT_FLOOR

Box = tuple[float, float, float, float]

IMAGE = {"id": 1, "width": 100, "height": 100}

# Whole numbers make touching edges, identical and nested boxes likely; the others make rounding matter.
_edge = st.integers(-20, 60).map(float) | st.floats(-20, 60)
_side = st.integers(1, 40).map(float) | st.floats(1e-3, 40)
boxes = st.lists(st.tuples(_edge, _edge, _side, _side), min_size=1, max_size=8)


def overlaps(own: list[Box], seen: list[Box], crowds: list[bool]) -> list[dict[str, Any]]:
    con = database(
        [IMAGE],
        [
            {"id": k, "image_id": 1, "category_id": 1, "bbox": b, "iscrowd": int(c)}
            for k, (b, c) in enumerate(zip(own, crowds, strict=True))
        ],
        {"m": [{"image_id": 1, "category_id": 1, "bbox": b, "score": 0.5} for b in seen]},
    )
    build_overlaps(con)
    return rows(con, "select * from new_prediction_overlaps")


@settings(max_examples=60, deadline=None)
@given(own=boxes, seen=boxes, data=st.data())
def test_every_overlap_equals_pycocotools_and_none_is_missing(
    own: list[Box], seen: list[Box], data: st.DataObject
) -> None:
    crowds = data.draw(st.lists(st.booleans(), min_size=len(own), max_size=len(own)))
    expected = mask_api.iou(np.array(seen), np.array(own), crowds)
    found = {
        (r["prediction_id"], r["annotation_id"]): r["box_iou"] for r in overlaps(own, seen, crowds)
    }
    wanted = {(int(p), int(a)): expected[p, a] for p, a in np.argwhere(expected >= IOU_FLOOR)}
    assert found == wanted


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param((0, 0, 10, 10), (10, 0, 10, 10), None, id="sharing an edge is no overlap"),
        pytest.param((0, 0, 10, 10), (10, 10, 5, 5), None, id="sharing a corner is no overlap"),
        pytest.param((0, 0, 10, 10), (0, 0, 10, 10), 1.0, id="identical"),
        pytest.param((0, 0, 10, 10), (2, 2, 5, 4), 0.2, id="nested"),
        pytest.param((-5, -5, 10, 10), (-5, 0, 10, 10), 1 / 3, id="outside the image"),
        pytest.param((0, 0, 0.01, 0.01), (0, 0, 0.01, 0.01), 1.0, id="tiny"),
        pytest.param((0, 0, 10, 10), (0, 0, 10, 1), 0.1, id="exactly the floor"),
        pytest.param((0, 0, 10, 10), (0, 0, 10, 0.99), None, id="just below the floor"),
    ],
)
def test_corner_cases(one: Box, other: Box, expected: float | None) -> None:
    found = overlaps([one], [other], [False])
    assert [r["box_iou"] for r in found] == ([] if expected is None else [pytest.approx(expected)])
    if expected is not None:
        assert found[0]["assigned"]


def test_a_crowd_overlaps_by_the_share_of_the_prediction_and_is_never_assigned() -> None:
    (found,) = overlaps([(0, 0, 100, 100)], [(0, 0, 10, 10)], [True])
    assert (found["box_iou"], found["assigned"], found["iscrowd"]) == (1.0, False, True)


def test_boxes_of_two_images_never_overlap() -> None:
    con = database(
        [IMAGE, {"id": 2, "width": 100, "height": 100}],
        [{"id": 1, "image_id": 1, "category_id": 1, "bbox": (0, 0, 9, 9)}],
        {"m": [{"image_id": 2, "category_id": 1, "bbox": (0, 0, 9, 9), "score": 0.9}]},
    )
    build_overlaps(con)
    assert rows(con, "select * from new_prediction_overlaps") == []


@settings(max_examples=60, deadline=None)
@given(own=boxes)
def test_pairs_of_labels_equal_pycocotools_and_none_is_missing(own: list[Box]) -> None:
    con = database(
        [IMAGE],
        [{"id": k, "image_id": 1, "category_id": 1 + k % 2, "bbox": b} for k, b in enumerate(own)],
    )
    build_pairs(con)
    found = {
        (r["annotation_id"], r["other_annotation_id"]): (r["box_iou"], r["containment"])
        for r in rows(con, "select * from new_annotation_pairs")
    }
    array = np.array(own)
    area = array[:, 2] * array[:, 3]
    # pycocotools has the intersection over the first one's area for crowds: containment if the first is the smaller.
    over_first = mask_api.iou(array, array, [True] * len(own))
    iou = mask_api.iou(array, array, [False] * len(own))
    for a in range(len(own)):
        for b in range(a + 1, len(own)):
            small, large = (a, b) if area[a] <= area[b] else (b, a)
            containment = over_first[small, large]
            if (a, b) in found:
                assert found.pop((a, b)) == (iou[a, b], containment)
            else:
                assert iou[a, b] < IOU_FLOOR
                assert containment < CONTAINMENT_FLOOR
    assert found == {}


def test_crowds_are_in_no_pair_of_labels() -> None:
    con = database(
        [IMAGE],
        [
            {"id": k, "image_id": 1, "category_id": 1, "bbox": (0, 0, 9, 9), "iscrowd": k == 2}
            for k in (1, 2, 3)
        ],
    )
    build_pairs(con)
    found = rows(con, "select * from new_annotation_pairs")
    assert [(r["annotation_id"], r["other_annotation_id"]) for r in found] == [(1, 3)]


@needs_coco
def test_all_box_overlaps_of_the_coco_subset() -> None:
    document = labels()
    bare = [{k: v for k, v in a.items() if k != "segmentation"} for a in document["annotations"]]
    predictions = {
        m: [{k: v for k, v in p.items() if k != "segmentation"} for p in results(m)] for m in MODELS
    }
    con = database(document["images"], bare, predictions, document["categories"])
    build_overlaps(con)
    for model in MODELS:
        expected: dict[tuple[int, int], float] = {}
        for image in document["images"]:
            own = [a for a in bare if a["image_id"] == image["id"]]
            seen = [
                (k, p) for k, p in enumerate(predictions[model]) if p["image_id"] == image["id"]
            ]
            if own and seen:
                matrix = mask_api.iou(
                    np.array([p["bbox"] for _, p in seen]),
                    np.array([a["bbox"] for a in own]),
                    [a["iscrowd"] for a in own],
                )
                for p, a in np.argwhere(matrix >= IOU_FLOOR):
                    expected[seen[p][0], own[a]["id"]] = matrix[p, a]
        found = rows(con, "select * from new_prediction_overlaps where model = ?", model)
        assert {(r["prediction_id"], r["annotation_id"]): r["box_iou"] for r in found} == expected
