"""Confidence: how often the model is right at a score."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from helpers import batch
from helpers.scenes import CAT, CATEGORIES, DOG, Box, image

from label_quality.findings.confidence import FLOOR, build_confidence
from label_quality.matching import build_overlaps

SIDES = {"small": 20.0, "medium": 60.0, "large": 120.0}


def confidences(labels: list[Any], seen: dict[str, list[Any]], images: int) -> list[dict[str, Any]]:
    con = batch.database([image(k) for k in range(images)], labels, seen, CATEGORIES)
    build_overlaps(con)
    con.execute("insert into prediction_overlaps by name select * from new_prediction_overlaps")
    build_confidence(con)
    return batch.rows(
        con,
        """select p.*, c.confidence, c.by_score from predictions p
           left join _predictions c using (model, prediction_id) order by model, score, prediction_id""",
    )


def spread(right: Any, count: int = 1500, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """One prediction an image, of any category, size and score; it stands on a label where `right` says so."""
    rng = np.random.default_rng(seed)
    labels, seen = [], []
    for k in range(count):
        category, side = int(rng.integers(1, 4)), float(rng.choice(list(SIDES.values())))
        box: Box = (50.0, 50.0, side, side)
        score = float(rng.random())
        if rng.random() < right(score, category, side):
            labels.append({"id": k, "image_id": k, "category_id": category, "bbox": box})
        seen.append({"image_id": k, "category_id": category, "score": score, "bbox": box})
    return labels, seen


@pytest.mark.parametrize("kind", ["confidence", "by_score"])
def test_rises_with_the_score_within_model_category_and_size(kind: str) -> None:
    labels, seen = spread(lambda score, category, side: score**2 * (0.6 + 0.1 * category))
    _, other = spread(lambda *_: 1.0, seed=1)
    found = confidences(labels, {"a": seen, "b": other}, 1500)

    def cell(r: dict[str, Any]) -> tuple[Any, ...]:
        return (r["model"], r["category_id"], r["width"])

    for _, group in itertools.groupby(sorted(found, key=lambda r: (*cell(r), r["score"])), cell):
        values = [r[kind] or 0.0 for r in group]
        assert values == sorted(values)
    known = [r[kind] for r in found if r[kind] is not None]
    assert min(known) >= 0
    assert max(known) < 1


def test_says_how_often_the_model_is_right() -> None:
    """A model that is right half as often as it claims, but better at cats, and best at large things."""

    def right(score: float, category: int, side: float) -> float:
        return score * 0.5 * (1.4 if category == CAT else 1) * (1.3 if side > 100 else 1)

    labels, seen = spread(right, 3000)
    found = confidences(labels, {"m": seen}, 3000)
    groups: dict[tuple[bool, bool], list[tuple[float, float]]] = {}
    for r in found:
        if r["score"] > 0.5:
            true = right(r["score"], r["category_id"], r["width"])
            groups.setdefault((r["category_id"] == CAT, r["width"] > 100), []).append(
                (r["confidence"], true)
            )
    assert len(groups) == 4
    for pairs in groups.values():
        said, true = np.mean(pairs, axis=0)
        assert said == pytest.approx(true, abs=0.06)


def test_few_predictions_say_little() -> None:
    """One right and one wrong prediction leave the raw score nearly as it is."""
    label = {"id": 1, "image_id": 0, "category_id": CAT, "bbox": (0, 0, 50, 50)}
    seen = [
        {"image_id": 0, "category_id": CAT, "score": 0.85, "bbox": (0, 0, 50, 50)},
        {"image_id": 1, "category_id": DOG, "score": 0.3, "bbox": (0, 0, 50, 50)},
    ]
    low, high = confidences([label], {"m": seen}, 2)
    assert low["confidence"] == pytest.approx(0.3, abs=0.15)
    assert high["confidence"] == pytest.approx(0.85, abs=0.1)
    assert low["confidence"] < 0.3
    assert high["confidence"] > 0.85


@pytest.mark.parametrize(("crowd", "counted"), [(CAT, False), (DOG, True)])
def test_what_lies_in_a_crowd_of_its_category_is_left_out(crowd: int, counted: bool) -> None:
    labels, seen = spread(lambda *_: 1.0, 400)
    labels.append(
        {"id": 9000, "image_id": 400, "category_id": crowd, "bbox": (0, 0, 600, 400), "iscrowd": 1}
    )
    inside = [
        {"image_id": 400, "category_id": CAT, "score": 0.9, "bbox": (20.0 * k, 20.0, 15.0, 15.0)}
        for k in range(25)
    ]
    by_model = confidences(labels, {"alone": seen, "with": seen + inside}, 401)
    like = [
        r for r in by_model if r["image_id"] < 400 and r["category_id"] == CAT and r["width"] == 20
    ]
    alone, extra = (
        np.mean([r["confidence"] for r in like if r["model"] == m]) for m in ("alone", "with")
    )
    assert (extra < alone - 0.02) == counted


def test_hopeless_predictions_are_dropped() -> None:
    labels, seen = spread(lambda *_: 0.0, 1000)
    found = confidences(labels, {"m": seen}, 1000)
    dropped = [r for r in found if r["confidence"] is None]
    assert dropped
    assert all(
        max(r["confidence"], r["by_score"]) >= FLOOR for r in found if r["confidence"] is not None
    )
