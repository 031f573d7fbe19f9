"""Planted errors: each is what the ledger says, and nothing else is wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from label_quality.coco.regions import Region, iou, run_lengths
from label_quality.demo import Demo
from label_quality.demo.categories import CATEGORY_NAMES, CONFUSED_WITH
from label_quality.demo.distort import KINDS, distort, holds
from label_quality.demo.planting import (
    DUPLICATE_BAND,
    INACCURATE_BANDS,
    SHARES,
    SIZE,
    Planting,
    plant,
    true_labels,
)
from label_quality.demo.scenes import Scene

Record = dict[str, Any]


@pytest.fixture(scope="module")
def heavy(scenes: list[Scene]) -> Planting:
    """Far more errors than in the demo, so that every kind of every type occurs."""
    return plant(scenes, np.random.default_rng(0), share=0.7)


def true_box(record: Record) -> tuple[float, float, float, float]:
    return record["x"], record["y"], record["width"], record["height"]


def of_type(planting: Planting, error_type: str) -> list[Record]:
    found = [record for record in planting.ledger() if record["error_type"] == error_type]
    assert len(found) >= 10
    return found


def test_the_ledger_of_the_demo_agrees_with_its_labels(
    demo: Demo, document: Record, ledger: list[Record]
) -> None:
    labels = {item["id"]: item for item in document["annotations"]}
    assert len(ledger) == demo.planted_errors
    assert 0.04 <= len(ledger) / len(labels) <= 0.08
    assert {record["error_type"] for record in ledger} == set(SHARES)
    assert [record["error_id"] for record in ledger] == list(range(1, len(ledger) + 1))
    for record in ledger:
        if record["error_type"] == "missing":
            assert record["annotation_id"] is None
            continue
        label = labels[record["annotation_id"]]
        assert label["image_id"] == record["image_id"]
        same_class = label["category_id"] == record["category_id"]
        same_box = tuple(label["bbox"]) == true_box(record)
        if record["error_type"] == "wrong_class":
            assert same_box and not same_class
        elif record["error_type"] == "inaccurate":
            assert same_class and not same_box
        elif record["error_type"] == "duplicate":
            original = labels[record["other_annotation_id"]]
            assert tuple(original["bbox"]) == true_box(record)
            assert original["image_id"] == record["image_id"]
        else:
            assert same_class and same_box


def test_one_error_per_label_at_most_and_crowds_are_left_alone(heavy: Planting) -> None:
    touched = [error.true for error in heavy.errors if error.true is not None]
    touched += [error.delivered for error in heavy.errors if error.true is None]
    assert max(Counter(id(label) for label in touched).values()) == 1
    assert not any(label is not None and label.iscrowd for label in touched)
    named = [
        number
        for record in heavy.ledger()
        for number in (record["annotation_id"], record["other_annotation_id"])
        if number is not None
    ]
    assert max(Counter(named).values()) == 1


def test_everything_else_is_delivered_as_it_was(heavy: Planting, scenes: list[Scene]) -> None:
    clean = true_labels(scenes)
    counts = Counter(error.error_type for error in heavy.errors)
    added, lost = counts["duplicate"] + counts["spurious"], counts["missing"]
    assert len(heavy.labels) == len(clean) + added - lost
    # Labels are made anew by every call of true_labels; the regions of the scenes are not.
    changed = {
        id(error.true.region)
        for error in heavy.errors
        if error.true is not None and error.error_type != "duplicate"
    }
    kept = {(id(label.region), label.category_id, label.iscrowd) for label in heavy.labels}
    for label in clean:
        unchanged = (id(label.region), label.category_id, label.iscrowd) in kept
        assert unchanged != (id(label.region) in changed)
    images = [label.image_id for label in heavy.labels]
    assert images == sorted(images)


def test_wrong_classes_are_mostly_the_confusable_one(heavy: Planting) -> None:
    likely = 0
    records = of_type(heavy, "wrong_class")
    for record in records:
        delivered = heavy.labels[record["annotation_id"] - 1]
        true_name = CATEGORY_NAMES[record["category_id"] - 1]
        wrong_name = CATEGORY_NAMES[delivered.category_id - 1]
        assert wrong_name != true_name
        assert delivered.region.box == true_box(record)
        assert record["detail"] == f"{true_name} labelled {wrong_name}"
        likely += wrong_name == CONFUSED_WITH[true_name]
    assert likely / len(records) > 0.6


def test_inaccurate_labels_lie_in_both_bands_in_every_kind(heavy: Planting) -> None:
    kinds: set[str] = set()
    overlaps = []
    for record in of_type(heavy, "inaccurate"):
        delivered = heavy.labels[record["annotation_id"] - 1]
        kind = record["detail"].split(":")[0]
        kinds.add(kind)
        assert holds(kind, true_box(record), delivered.region.box)
        assert delivered.category_id == record["category_id"]
        overlaps.append(iou(true_box(record), delivered.region.box))
        assert f"IoU {overlaps[-1]:.2f}" in record["detail"]
        mask_box = coco_mask.toBbox(run_lengths(delivered.region, SIZE))
        assert tuple(mask_box) == delivered.region.box
    assert kinds == set(KINDS)
    for low, high in INACCURATE_BANDS:
        assert any(low <= overlap <= high for overlap in overlaps)
    assert min(overlaps) >= INACCURATE_BANDS[0][0]
    assert max(overlaps) <= INACCURATE_BANDS[1][1]


def test_duplicates_are_second_labels_of_one_object(heavy: Planting) -> None:
    same = set()
    for record in of_type(heavy, "duplicate"):
        second = heavy.labels[record["annotation_id"] - 1]
        original = heavy.labels[record["other_annotation_id"] - 1]
        assert original.region.box == true_box(record)
        assert second.image_id == original.image_id == record["image_id"]
        assert DUPLICATE_BAND[0] <= iou(second.region.box, true_box(record)) <= DUPLICATE_BAND[1]
        same.add(second.category_id == original.category_id)
        assert record["category_id"] == original.category_id
    assert same == {True, False}


def test_missing_labels_are_gone(heavy: Planting) -> None:
    delivered = {(label.image_id, label.region.box) for label in heavy.labels if not label.iscrowd}
    for record in of_type(heavy, "missing"):
        assert record["annotation_id"] is None
        assert (record["image_id"], true_box(record)) not in delivered


def test_spurious_labels_mark_no_object(heavy: Planting, scenes: list[Scene]) -> None:
    by_image = {scene.image_id: scene for scene in scenes}
    details = set()
    for record in of_type(heavy, "spurious"):
        delivered = heavy.labels[record["annotation_id"] - 1]
        assert delivered.region.box == true_box(record)
        details.add(record["detail"].split(":")[0])
        height, width = delivered.region.pixels.shape
        x, y = delivered.region.x, delivered.region.y
        hidden = by_image[record["image_id"]].occupied[y : y + height, x : x + width]
        assert not (hidden & delivered.region.pixels).mean() > 0.02
        for thing in by_image[record["image_id"]].objects:
            assert thing.iscrowd or iou(thing.region.box, delivered.region.box) < 0.5
    assert details == {"clutter", "bare bench"}


def test_ids_do_not_give_added_labels_away(heavy: Planting) -> None:
    """Added labels are not the last of their image more often than chance would have it."""
    added = {id(e.delivered) for e in heavy.errors if e.error_type in ("duplicate", "spurious")}
    last = {label.image_id: label for label in heavy.labels}
    share = len(added) / len(heavy.labels)
    assert sum(id(label) in added for label in last.values()) / len(last) < share + 0.4


def test_very_few_labels_do_not_hang_or_fail(scenes: list[Scene]) -> None:
    planting = plant(scenes[:1], np.random.default_rng(0))
    assert 1 <= len(planting.errors) <= len(SHARES)
    assert plant([], np.random.default_rng(0)).ledger() == []


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 40),
    st.integers(0, 30),
    st.integers(8, 40),
    st.integers(8, 30),
    st.sampled_from([*INACCURATE_BANDS, DUPLICATE_BAND]),
    st.integers(0, 2**32),
)
def test_distortion_keeps_its_promise(
    x: int, y: int, width: int, height: int, band: tuple[float, float], seed: int
) -> None:
    region = Region(x, y, np.ones((height, width), bool))
    changed = distort(region, band, (80, 60), np.random.default_rng(seed))
    if changed is None:
        return
    kind, moved = changed
    assert band[0] <= iou(region.box, moved.box) <= band[1]
    assert holds(kind, region.box, moved.box)
    left, top, wide, high = moved.box
    assert left >= 0 and top >= 0 and left + wide <= 80 and top + high <= 60


def test_impossible_distortion_is_none() -> None:
    one_pixel = Region(0, 0, np.ones((1, 1), bool))
    assert distort(one_pixel, (0.8, 0.98), (1, 1), np.random.default_rng(0)) is None
