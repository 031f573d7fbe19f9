"""Mask overlaps: pycocotools defines the answer; what is compared follows from the boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.batch import Record, database, rows
from helpers.coco_subset import MODELS, labels, needs_coco, results
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from label_quality.matching import IOU_FLOOR, build_overlaps, build_pairs

SIDE = 40


def rle_of(mask: np.ndarray) -> dict[str, Any]:
    rle = mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def record(mask: np.ndarray, **fields: Any) -> Record:
    """A label or prediction whose box is its mask's extent, as COCO's are."""
    rle = rle_of(mask)
    box = mask_api.toBbox({**rle, "counts": rle["counts"].encode()}).tolist()
    return {"image_id": 1, "category_id": 1, "bbox": box, "segmentation": rle, **fields}


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """One to three rectangles, the last perhaps cut out: parts, holes, single pixels, masks at the border."""
    mask = np.zeros((SIDE, SIDE), bool)
    for value in (True, *draw(st.lists(st.booleans(), max_size=2))):
        x, y = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
        wide, tall = draw(st.integers(1, SIDE)), draw(st.integers(1, SIDE))
        mask[y : y + tall, x : x + wide] = value
    if not mask.any():
        mask[0, 0] = True
    return mask


def overlaps(own: list[Record], models: dict[str, list[Record]]) -> list[dict[str, Any]]:
    con = database([{"id": 1, "width": SIDE, "height": SIDE}], own, models)
    build_overlaps(con)
    return rows(con, "select * from new_prediction_overlaps")


images = st.lists(
    st.tuples(
        st.lists(st.tuples(masks(), st.booleans()), min_size=1, max_size=4),
        st.lists(masks(), min_size=1, max_size=4),
    ),
    min_size=4,
    max_size=4,
)


@settings(max_examples=12, deadline=None)
@given(found=images)
def test_every_mask_overlap_equals_pycocotools_and_none_is_missing(found) -> None:
    annotations, predictions, wanted = [], [], {}
    for n, (own, seen) in enumerate(found):
        annotations += [
            record(m, id=10 * n + k, image_id=n, iscrowd=int(c)) for k, (m, c) in enumerate(own)
        ]
        predictions += [
            record(m, prediction_id=10 * n + k, image_id=n, score=0.5) for k, m in enumerate(seen)
        ]
        by_box, by_mask = matrices(annotations[-len(own) :], predictions[-len(seen) :])
        for p, a in np.argwhere((by_box >= IOU_FLOOR) | (by_mask >= IOU_FLOOR)).tolist():
            wanted[10 * n + p, 10 * n + a] = (by_box[p, a], by_mask[p, a])
    # Two models with the same results under other numbers: masks are found by model and number.
    other = [{**p, "prediction_id": 99 - p["prediction_id"]} for p in predictions]
    con = database(
        [{"id": n, "width": SIDE, "height": SIDE} for n in range(len(found))],
        annotations,
        {"a": predictions, "b": other},
    )
    build_overlaps(con)
    stored = rows(con, "select * from new_prediction_overlaps")
    for model in "ab":
        got = {
            (
                r["prediction_id"] if model == "a" else 99 - r["prediction_id"],
                r["annotation_id"],
            ): (r["box_iou"], r["mask_iou"])
            for r in stored
            if r["model"] == model
        }
        assert got == {
            k: (box, pytest.approx(mask, abs=1e-12)) for k, (box, mask) in wanted.items()
        }


def matrices(own: list[Record], seen: list[Record]) -> tuple[np.ndarray, np.ndarray]:
    """Box and mask IoU, predictions × labels, by pycocotools."""
    crowds = [a["iscrowd"] for a in own]
    image = {"height": SIDE, "width": SIDE}
    boxes = [np.array([r["bbox"] for r in side]) for side in (seen, own)]
    return mask_api.iou(*boxes, crowds), mask_api.iou(_rles(seen, image), _rles(own, image), crowds)


@settings(max_examples=12, deadline=None)
@given(found=st.lists(st.lists(masks(), min_size=2, max_size=5), min_size=4, max_size=4))
def test_mask_overlaps_of_two_labels_equal_the_count_of_pixels(
    found: list[list[np.ndarray]],
) -> None:
    by_id = {10 * n + k: m for n, own in enumerate(found) for k, m in enumerate(own)}
    con = database(
        [{"id": n, "width": SIDE, "height": SIDE} for n in range(len(found))],
        [record(m, id=i, image_id=i // 10, area=float(m.sum())) for i, m in by_id.items()],
    )
    build_pairs(con)
    for r in rows(con, "select * from new_annotation_pairs"):
        a, b = by_id[r["annotation_id"]], by_id[r["other_annotation_id"]]
        inter = np.count_nonzero(a & b)
        smaller, larger = sorted((a.sum(), b.sum()))
        if r["mask_iou"] is None:
            # Not compared: too unlike in box or area to be two labels on one object.
            assert r["box_iou"] < 0.5 or smaller / larger < 0.5
        else:
            assert r["mask_iou"] == pytest.approx(inter / np.count_nonzero(a | b), abs=1e-12)
            assert r["mask_containment"] == pytest.approx(inter / smaller, abs=1e-12)


def square(x: int, y: int, side: int = 10) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_a_label_without_a_mask_is_compared_by_box_alone() -> None:
    label = {k: v for k, v in record(square(0, 0), id=1).items() if k != "segmentation"}
    (found,) = overlaps([label], {"m": [record(square(0, 2), score=0.5)]})
    assert (found["mask_iou"], found["boundary_iou"], found["assigned"]) == (None, None, True)


@pytest.mark.parametrize("kind", ["polygon", "parts", "uncompressed RLE"])
def test_every_way_to_write_a_mask_is_read(kind: str) -> None:
    segmentation: Any = {
        "polygon": [[0, 0, 10, 0, 10, 10, 0, 10]],
        "parts": [[0, 0, 10, 0, 10, 5, 0, 5], [0, 5, 10, 5, 10, 10, 0, 10]],
        # Column by column: 10 columns of 10 ones and 30 zeros, then nothing.
        "uncompressed RLE": {
            "size": [SIDE, SIDE],
            "counts": [0, *[10, 30] * 9, 10, 30 * SIDE + 30],
        },
    }[kind]
    label = {**record(square(0, 0), id=1), "segmentation": segmentation}
    (found,) = overlaps([label], {"m": [record(square(0, 0), score=0.5)]})
    assert found["mask_iou"] == found["boundary_iou"] == 1.0


def test_boxes_that_agree_do_not_hide_masks_that_do_not() -> None:
    """Two halves of one square along its diagonals: same box, masks that share a quarter of the square."""
    rows_, columns = np.indices((SIDE, SIDE))
    one, other = (
        square(0, 0, SIDE) & (rows_ >= columns),
        square(0, 0, SIDE) & (rows_ + columns < SIDE),
    )
    (found,) = overlaps([record(one, id=1)], {"m": [record(other, score=0.5)]})
    assert found["box_iou"] == 1.0
    assert found["mask_iou"] == pytest.approx((one & other).sum() / (one | other).sum(), abs=1e-12)
    assert found["assigned"]


def test_more_labels_in_an_image_than_a_byte_counts() -> None:
    """pycocotools 2.0.11 fails to take the areas of more than 255 masks at once."""
    own = [record(square(k % 30, k % 30), id=k, area=100.0) for k in range(300)]
    con = database([{"id": 1, "width": SIDE, "height": SIDE}], own)
    build_pairs(con)
    same = rows(con, "select * from new_annotation_pairs where mask_iou = 1")
    assert len(same) == sum(1 for a in range(300) for b in range(a + 1, 300) if a % 30 == b % 30)


@needs_coco
@pytest.mark.parametrize("model", MODELS)
def test_all_mask_overlaps_of_the_coco_subset(model: str) -> None:
    """Images with many labels are left to the slower tests of whole runs: these hold crowds, parts and every size."""
    document = labels()
    images = document["images"][::4]
    wanted = {i["id"]: i for i in images}
    own = [a for a in document["annotations"] if a["image_id"] in wanted]
    seen = [
        {"prediction_id": k, **p} for k, p in enumerate(results(model)) if p["image_id"] in wanted
    ]
    con = database(images, own, {model: seen}, document["categories"])
    build_overlaps(con)
    found = {
        (r["prediction_id"], r["annotation_id"]): r["mask_iou"]
        for r in rows(con, "select * from new_prediction_overlaps")
    }
    expected: dict[tuple[int, int], float] = {}
    for image in images:
        here = [a for a in own if a["image_id"] == image["id"]]
        there = [p for p in seen if p["image_id"] == image["id"]]
        if not here or not there:
            continue
        crowds = [a["iscrowd"] for a in here]
        by_box = mask_api.iou(
            np.array([p["bbox"] for p in there]), np.array([a["bbox"] for a in here]), crowds
        )
        by_mask = mask_api.iou(_rles(there, image), _rles(here, image), crowds)
        # Of masks whose boxes do not meet nothing is known, nor wanted.
        kept = (by_box > 0) & ((by_box >= IOU_FLOOR) | (by_mask >= IOU_FLOOR))
        for p, a in np.argwhere(kept).tolist():
            expected[there[p]["prediction_id"], here[a]["id"]] = by_mask[p, a]
    assert found.keys() == expected.keys()
    keys = sorted(found)
    assert np.allclose([found[k] for k in keys], [expected[k] for k in keys], rtol=0, atol=1e-12)


def _rles(records: list[Record], image: Record) -> list[dict[str, Any]]:
    """The masks by pycocotools' own reading of a segmentation."""
    out = []
    for r in records:
        s, size = r["segmentation"], (image["height"], image["width"])
        if isinstance(s, list):
            out.append(mask_api.merge(mask_api.frPyObjects(s, *size)))
        elif isinstance(s["counts"], list):
            out.append(mask_api.frPyObjects(s, *size))
        else:
            out.append({"size": s["size"], "counts": s["counts"].encode()})
    return out
