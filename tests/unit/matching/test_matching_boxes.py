"""Box overlaps of labels with predictions and of labels with labels: pycocotools defines the answer, to the last bit."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers.batch import database, rows
from helpers.coco_subset import MODELS, labels, needs_coco, results
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from label_quality.matching import IOU_FLOOR, build_overlaps, build_pairs
from label_quality.matching.pairs import CONTAINMENT_FLOOR

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Box = tuple[float, float, float, float]

IMAGE = {"id": 1, "width": 100, "height": 100}

# Whole numbers make touching edges, identical and nested boxes likely; the others make rounding matter.
_edge = st.integers(-20, 60).map(float) | st.floats(-20, 60)
_side = st.integers(1, 40).map(float) | st.floats(1e-3, 40)
boxes = st.lists(st.tuples(_edge, _edge, _side, _side), min_size=1, max_size=8)
crowd_or_not = st.sampled_from([0, 0, 1])
# A database costs more than a hundred images in it.
scenes = st.lists(
    st.tuples(boxes, st.lists(crowd_or_not, min_size=8, max_size=8), boxes), min_size=6, max_size=6
)


def scene_database(found: list[tuple[list[Box], list[int], list[Box]]]) -> DuckDBPyConnection:
    """One image per scene (labels, which of them are crowds, predictions); image n has ids from 100 n on."""
    annotations, predictions = [], []
    for n, (own, crowds, seen) in enumerate(found):
        annotations += [
            {
                "id": 100 * n + k,
                "image_id": n,
                "category_id": 1 + k % 2,
                "bbox": b,
                "iscrowd": crowds[k],
            }
            for k, b in enumerate(own)
        ]
        predictions += [
            {"prediction_id": 100 * n + k, "image_id": n, "category_id": 1, "bbox": b, "score": 0.5}
            for k, b in enumerate(seen)
        ]
    return database(
        [{**IMAGE, "id": n} for n in range(len(found))], annotations, {"m": predictions}
    )


def overlaps(own: list[Box], seen: list[Box], crowds: list[int]) -> list[dict[str, Any]]:
    con = scene_database([(own, crowds, seen)])
    build_overlaps(con)
    return rows(con, "select * from new_prediction_overlaps")


@settings(max_examples=15, deadline=None)
@given(found=scenes)
def test_every_overlap_equals_pycocotools_and_none_is_missing(found) -> None:
    con = scene_database(found)
    build_overlaps(con)
    stored = rows(con, "select * from new_prediction_overlaps")
    wanted = {}
    for n, (own, crowds, seen) in enumerate(found):
        matrix = mask_api.iou(np.array(seen), np.array(own), crowds[: len(own)])
        wanted |= {
            (100 * n + p, 100 * n + a): matrix[p, a]
            for p, a in np.argwhere(matrix >= IOU_FLOOR).tolist()
        }
    assert {(r["prediction_id"], r["annotation_id"]): r["box_iou"] for r in stored} == wanted


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
    found = overlaps([one], [other], [0])
    assert [r["box_iou"] for r in found] == ([] if expected is None else [pytest.approx(expected)])
    if expected is not None:
        assert found[0]["assigned"]


def test_a_crowd_overlaps_by_the_share_of_the_prediction_and_is_never_assigned() -> None:
    (found,) = overlaps([(0, 0, 100, 100)], [(0, 0, 10, 10)], [1])
    assert (found["box_iou"], found["assigned"], found["iscrowd"]) == (1.0, False, True)


def test_boxes_of_two_images_never_overlap() -> None:
    con = database(
        [IMAGE, {"id": 2, "width": 100, "height": 100}],
        [{"id": 1, "image_id": 1, "category_id": 1, "bbox": (0, 0, 9, 9)}],
        {"m": [{"image_id": 2, "category_id": 1, "bbox": (0, 0, 9, 9), "score": 0.9}]},
    )
    build_overlaps(con)
    assert rows(con, "select * from new_prediction_overlaps") == []


@settings(max_examples=15, deadline=None)
@given(found=scenes)
def test_pairs_of_labels_equal_pycocotools_and_none_is_missing(found) -> None:
    con = scene_database([(own, [0] * 8, []) for own, _, _ in found])
    build_pairs(con)
    stored = {
        (r["annotation_id"], r["other_annotation_id"]): (r["box_iou"], r["containment"])
        for r in rows(con, "select * from new_annotation_pairs")
    }
    for n, (own, _, _) in enumerate(found):
        array = np.array(own)
        area = array[:, 2] * array[:, 3]
        # For a crowd pycocotools has the intersection over the area of the first: containment if that is smaller.
        over_first = mask_api.iou(array, array, [True] * len(own))
        iou = mask_api.iou(array, array, [False] * len(own))
        for a, b in itertools.combinations(range(len(own)), 2):
            containment = over_first[(a, b) if area[a] <= area[b] else (b, a)]
            pair = stored.pop((100 * n + a, 100 * n + b), None)
            if pair is not None:
                assert pair == (iou[a, b], containment)
            else:
                assert iou[a, b] < IOU_FLOOR
                assert containment < CONTAINMENT_FLOOR
    assert stored == {}


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
