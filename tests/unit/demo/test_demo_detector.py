"""The simulated detector must be wrong in each of the named ways, and not be separable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from label_quality.demo.categories import CATEGORY_IDS
from label_quality.demo.detector import STRONG, WEAK, SimulatedDetector, simulate
from label_quality.demo.scenes import HEIGHT, WIDTH, Scene, TrueObject

Record = dict[str, Any]


@dataclass
class Compared:
    """Results beside the objects: for each result the best IoU in its image, and with what."""

    rows: list[Record]
    overlap: NDArray[np.float64]
    best: list[TrueObject | None]


def compare(rows: list[Record], scenes: list[Scene]) -> Compared:
    overlap, best = np.zeros(len(rows)), [None] * len(rows)
    for scene in scenes:
        things = [thing for thing in scene.objects if not thing.iscrowd]
        here = [number for number, row in enumerate(rows) if row["image_id"] == scene.image_id]
        table = coco_mask.iou(
            np.array([rows[number]["bbox"] for number in here]),
            np.array([thing.region.box for thing in things]),
            [0] * len(things),
        )
        for number, values in zip(here, table, strict=True):
            overlap[number] = values.max()
            best[number] = things[int(values.argmax())]  # type: ignore[call-overload]
    return Compared(rows, overlap, best)


@pytest.fixture(scope="module", params=[STRONG, WEAK], ids=lambda detector: detector.name)
def detector(request: pytest.FixtureRequest) -> SimulatedDetector:
    return request.param


@pytest.fixture(scope="module")
def compared(detector: SimulatedDetector, scenes: list[Scene]) -> Compared:
    return compare(simulate(detector, scenes, np.random.default_rng(0)), scenes)


def test_results_are_valid_coco(compared: Compared, detector: SimulatedDetector) -> None:
    for row in compared.rows:
        assert set(row) == {"image_id", "category_id", "bbox", "score", "segmentation"}
        assert row["category_id"] in CATEGORY_IDS.values()
        assert detector.least_score <= row["score"] < 1
        x, y, width, height = row["bbox"]
        assert x >= 0 and y >= 0 and width > 0 and height > 0
        assert x + width <= WIDTH + 0.02 and y + height <= HEIGHT + 0.02
        assert isinstance(row["segmentation"]["counts"], str)
        assert row["segmentation"]["size"] == [HEIGHT, WIDTH]
    order = [(row["image_id"], -row["score"]) for row in compared.rows]
    assert order == sorted(order)


def test_masks_lie_in_their_boxes(compared: Compared) -> None:
    masks = [row["segmentation"] for row in compared.rows]
    extent = coco_mask.toBbox(masks)
    boxes = np.array([row["bbox"] for row in compared.rows])
    # One by one: pycocotools 2.0.11 overflows when it is asked for more than 255 areas at once.
    assert all(coco_mask.area(mask) > 0 for mask in masks)
    assert (extent[:, :2] >= boxes[:, :2] - 1).all()
    assert (extent[:, :2] + extent[:, 2:] <= boxes[:, :2] + boxes[:, 2:] + 1).all()
    assert np.median(extent[:, 2] / boxes[:, 2]) > 0.9


def test_it_misses_some_and_finds_most(compared: Compared, scenes: list[Scene]) -> None:
    good = {
        id(thing)
        for row, overlap, thing in zip(compared.rows, compared.overlap, compared.best, strict=True)
        if overlap >= 0.5 and thing is not None and row["category_id"] == thing.category_id
    }
    things = [thing for scene in scenes for thing in scene.objects if thing.labelled]
    things = [thing for thing in things if not thing.iscrowd]
    share = np.mean([id(thing) in good for thing in things])
    assert 0.6 < share < 0.995


def test_boxes_are_off_but_mostly_good(compared: Compared) -> None:
    confident = compared.overlap[[row["score"] > 0.5 for row in compared.rows]]
    near = confident[confident > 0.5]
    assert 0.75 < np.median(near) < 0.98
    assert near.min() < 0.8


def test_it_confuses_classes(compared: Compared) -> None:
    wrong = [
        (row["category_id"], thing.category_id)
        for row, overlap, thing in zip(compared.rows, compared.overlap, compared.best, strict=True)
        if thing is not None and overlap > 0.7 and row["category_id"] != thing.category_id
    ]
    nut_washer = {CATEGORY_IDS["nut"], CATEGORY_IDS["washer"]}
    assert sum(set(pair) == nut_washer for pair in wrong) > len(wrong) / 28


def test_it_raises_false_alarms_on_bench_and_clutter(
    compared: Compared, scenes: list[Scene]
) -> None:
    alarms = [
        row for row, overlap in zip(compared.rows, compared.overlap, strict=True) if overlap < 0.1
    ]
    clutter = [thing for scene in scenes for thing in scene.clutter]
    on_clutter = 0
    for row in alarms:
        boxes = [thing.region.box for thing in clutter if thing.image_id == row["image_id"]]
        if boxes:
            table = coco_mask.iou(np.array([row["bbox"]]), np.array(boxes), [0] * len(boxes))
            on_clutter += bool(table.max() > 0.4)
    assert on_clutter >= 3
    assert len(alarms) - on_clutter >= 3


QUIET = replace(
    STRONG, name="simulated-quiet", false_alarms=0.0, fooled=0.0, repeats=0.0, noise=0.0
)


@pytest.mark.parametrize(
    ("change", "least"),
    [
        ({"repeats": 0.5}, 60),
        ({"noise": 1.0}, 100),
        ({"fooled": 1.0}, 20),
        ({"false_alarms": 5}, 20),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_fault_adds_its_predictions(
    change: dict[str, float], least: int, scenes: list[Scene]
) -> None:
    without = simulate(QUIET, scenes, np.random.default_rng(3))
    faulty = simulate(replace(QUIET, **change), scenes, np.random.default_rng(3))
    assert len(faulty) >= len(without) + least


def test_repeats_are_second_boxes_on_the_same_object(scenes: list[Scene]) -> None:
    def twice(detector: SimulatedDetector) -> int:
        result = compare(simulate(detector, scenes, np.random.default_rng(4)), scenes)
        good = [
            (id(thing), row["category_id"])
            for row, overlap, thing in zip(result.rows, result.overlap, result.best, strict=True)
            if thing is not None and overlap > 0.5 and row["category_id"] == thing.category_id
        ]
        return len(good) - len(set(good))

    assert twice(replace(QUIET, repeats=0.5)) > twice(QUIET) + 20


def test_scores_of_right_and_wrong_overlap_but_mean_something(compared: Compared) -> None:
    right = np.array(
        [
            overlap >= 0.5 and thing is not None and row["category_id"] == thing.category_id
            for row, overlap, thing in zip(
                compared.rows, compared.overlap, compared.best, strict=True
            )
        ]
    )
    score = np.array([row["score"] for row in compared.rows])
    assert score[right].mean() > score[~right].mean() + 0.2
    assert score[~right].max() > np.quantile(score[right], 0.4)
    assert score[right].min() < np.quantile(score[~right], 0.8)


def test_small_objects_are_missed_more_often(scenes: list[Scene]) -> None:
    dull = replace(WEAK, name="simulated-dull", skill=0.5, noise=0.0, false_alarms=0.0)
    found = compare(simulate(dull, scenes, np.random.default_rng(1)), scenes)
    hits = {
        id(thing)
        for overlap, thing in zip(found.overlap, found.best, strict=True)
        if overlap > 0.5 and thing is not None
    }
    things = [t for scene in scenes for t in scene.objects if t.labelled and not t.iscrowd]
    area = np.array([thing.region.area for thing in things])
    hit = np.array([id(thing) in hits for thing in things])
    middle = np.median(area)
    assert hit[area >= middle].mean() > hit[area < middle].mean() + 0.1


def test_the_strong_detector_is_better(scenes: list[Scene]) -> None:
    quality = []
    for detector in (STRONG, WEAK):
        result = compare(simulate(detector, scenes, np.random.default_rng(2)), scenes)
        confident = np.array([row["score"] > 0.5 for row in result.rows])
        quality.append((confident.sum(), np.median(result.overlap[confident])))
    assert quality[0] > quality[1]
    assert quality[0][1] > quality[1][1]


def test_no_scenes_no_results() -> None:
    assert simulate(STRONG, [], np.random.default_rng(0)) == []
