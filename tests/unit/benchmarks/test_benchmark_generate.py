"""The generated files are valid COCO, repeatable, and have the statistics they claim."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from pathlib import Path
from typing import Any

import generate
import numpy as np
import pytest
import scenes
from cocotext import CATEGORIES
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SMALL = generate.Scale(images=60, labels=600, predictions=2200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a small scale, written in several chunks."""
    path = tmp_path_factory.mktemp("generated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "CHUNK", 16)
        generate.generate(path, SMALL, seed=3, masks=True)
    return path


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "annotations.json").read_bytes())


@pytest.fixture(scope="module")
def results(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "predictions.json").read_bytes())


def test_counts_are_those_of_the_manifest(
    folder: Path, document: dict[str, Any], results: list[dict[str, Any]]
) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert len(document["images"]) == manifest["images"] == 60
    assert len(document["annotations"]) == manifest["labels"]
    # Left out and doubled ones change the number a little.
    change = manifest["planted_duplicate"] - manifest["planted_missing"]
    assert manifest["labels"] == 600 + change
    assert len(results) == manifest["predictions"] == 2200
    assert sum(a["iscrowd"] for a in document["annotations"]) == manifest["crowds"] == 7


def test_ids_refer(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
    images, kinds = {i["id"] for i in document["images"]}, {c["id"] for c in document["categories"]}
    assert len(images) == 60
    assert len(kinds) == len(CATEGORIES) == 80
    assert max(kinds) == 90
    assert len({a["id"] for a in document["annotations"]}) == len(document["annotations"])
    for record in document["annotations"] + results:
        assert record["image_id"] in images
        assert record["category_id"] in kinds


def test_boxes_and_areas_follow_from_the_outlines(document: dict[str, Any]) -> None:
    for label in document["annotations"]:
        if label["iscrowd"]:
            continue
        area, points = 0.0, []
        for part in label["segmentation"]:
            x, y = np.array(part).reshape(-1, 2).T
            assert len(x) >= 3
            area += abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
            points.append(np.stack([x, y], axis=1))
        every = np.concatenate(points)
        extent = [*every.min(axis=0), *(every.max(axis=0) - every.min(axis=0))]
        assert label["bbox"] == pytest.approx(extent, abs=1e-6)
        assert label["area"] == pytest.approx(area, abs=1e-6)


def test_everything_lies_inside_its_image(
    document: dict[str, Any], results: list[dict[str, Any]]
) -> None:
    size = {i["id"]: (i["width"], i["height"]) for i in document["images"]}
    for record in document["annotations"] + results:
        (x, y, w, h), (width, height) = record["bbox"], size[record["image_id"]]
        assert x >= 0
        assert y >= 0
        assert w > 0
        assert h > 0
        assert x + w <= width + 1e-6
        assert y + h <= height + 1e-6


def test_pycocotools_reads_crowds_and_polygons(folder: Path) -> None:
    truth = _quiet(COCO, str(folder / "annotations.json"))
    for label in truth.anns.values():
        rle = truth.annToRLE(label)
        if label["iscrowd"]:
            assert coco_mask.area(rle) == label["area"]
            assert coco_mask.toBbox(rle).tolist() == label["bbox"]
        elif label["area"] > 2000:
            assert coco_mask.area(rle) == pytest.approx(label["area"], rel=0.1)


@pytest.mark.parametrize(("name", "iou"), [("predictions", "bbox"), ("predictions_masks", "segm")])
def test_detections_are_as_good_as_a_detector(folder: Path, name: str, iou: str) -> None:
    truth = _quiet(COCO, str(folder / "annotations.json"))
    run = COCOeval(truth, _quiet(truth.loadRes, str(folder / f"{name}.json")), iou)
    for step in (run.evaluate, run.accumulate, run.summarize):
        _quiet(step)
    assert 0.2 < run.stats[1] < 0.8


def test_masks_fill_the_boxes_of_the_same_detections(
    folder: Path, results: list[dict[str, Any]]
) -> None:
    masked = json.loads((folder / "predictions_masks.json").read_bytes())
    assert [{k: v for k, v in r.items() if k != "segmentation"} for r in masked] == results
    extent = coco_mask.toBbox([r["segmentation"] for r in masked])
    boxes = np.array([r["bbox"] for r in masked])
    big = boxes[:, 2:].min(axis=1) > 40
    corners = [np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], axis=1) for b in (extent, boxes)]
    off = np.abs(corners[0] - corners[1])[big]
    assert big.sum() > 200
    assert np.quantile(off, 0.95) < 2


def test_results_come_by_image_and_falling_score(results: list[dict[str, Any]]) -> None:
    for before, after in itertools.pairwise(results):
        if before["image_id"] == after["image_id"]:
            assert before["score"] >= after["score"]
    scores = np.array([r["score"] for r in results])
    assert (scores > 0).all()
    assert (scores < 1).all()
    assert np.median(scores) < 0.2


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    scale = generate.Scale(20, 150, 500)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate.generate(tmp_path / name, scale, seed=seed)
    for file in ("annotations.json", "predictions.json"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b
        assert a != c


def test_records_are_written_as_coco_writes_them(folder: Path) -> None:
    text = (folder / "annotations.json").read_text()
    record = json.loads(text)["annotations"][0]
    assert list(record) == [
        "segmentation",
        "area",
        "iscrowd",
        "image_id",
        "bbox",
        "category_id",
        "id",
    ]
    assert '"annotations": [{"segmentation": [[' in text
    assert ',"iscrowd": 0,"image_id": ' in text
    assert ', "score": 0.' in (folder / "predictions.json").read_text()


@pytest.mark.parametrize(("labels", "predictions"), [(0, 0), (0, 40), (40, 0)])
def test_nothing_to_write_is_still_json(tmp_path: Path, labels: int, predictions: int) -> None:
    manifest = generate.generate(tmp_path, generate.Scale(5, labels, predictions), masks=True)
    document = json.loads((tmp_path / "annotations.json").read_bytes())
    found = json.loads((tmp_path / "predictions_masks.json").read_bytes())
    assert len(document["annotations"]) == manifest["labels"]
    assert len(found) == manifest["predictions"] >= predictions
    assert len(document["images"]) == 5


def test_cached_writes_only_what_is_not_there(tmp_path: Path) -> None:
    scale, file = generate.Scale(5, 30, 100), tmp_path / "annotations.json"
    first = generate.cached(tmp_path, scale)
    written = file.stat().st_mtime_ns
    assert generate.cached(tmp_path, scale) == first
    assert file.stat().st_mtime_ns == written
    assert generate.cached(tmp_path, scale, masks=True)["masks"]
    assert generate.cached(tmp_path, scale, seed=2)["seed"] == 2


def test_sizes_are_those_of_coco() -> None:
    area = scenes.draw_areas(np.random.default_rng(0), 50_000)
    shares = np.histogram(area, [0, 32**2, 96**2, np.inf])[0] / len(area)
    assert shares == pytest.approx([0.41, 0.34, 0.25], abs=0.01)


@given(images=st.integers(1, 300), mean=st.floats(0, 12), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_label_counts_sum_to_the_total(images: int, mean: float, seed: int) -> None:
    total = round(images * mean)
    counts = scenes.draw_counts(np.random.default_rng(seed), images, total)
    assert counts.sum() == total
    assert len(counts) == images
    assert (counts >= 0).all()


def test_planted_errors_are_what_they_are_called() -> None:
    rng, n = np.random.default_rng(5), 2000
    width, height = np.full(n, 640), np.full(n, 480)
    counts = scenes.draw_counts(rng, n, 15_000)
    labels = scenes.draw_labels(rng, width, height, counts)
    found = scenes.draw_detections(rng, labels, width, height, 72_000)
    wrong = labels.error == scenes.WRONG_CLASS
    assert ((labels.category != labels.true_category) == wrong).all()
    assert (labels.written == (labels.error != scenes.MISSING)).all()
    second = np.flatnonzero(labels.copy)
    assert len(second) == (labels.error == scenes.DUPLICATE).sum() / 2
    assert (labels.image[second] == labels.image[second - 1]).all()
    single = np.bincount(labels.polygons.part_label)[second] == 1
    single &= np.bincount(labels.polygons.part_label)[second - 1] == 1
    a, b = labels.box[second][single] * 1.0, labels.box[second - 1][single] * 1.0
    overlap = coco_mask.iou(a, b, np.zeros(len(b))).diagonal()
    assert (overlap > 0.8).all()
    planted = (~labels.copy) & (labels.error != scenes.CLEAN)
    assert 0.01 < planted.mean() < 0.02
    # An unlabelled object is found: a sure detection borrows its outline.
    missed = np.flatnonzero(labels.error == scenes.MISSING)
    assert np.isin(missed, found.shape[found.score > 60_000]).mean() > 0.9


def _quiet(call: Any, *args: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*args)
