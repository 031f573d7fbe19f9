"""FiftyOne's rules and CLOD against cases that were computed by hand, and the figures of merit against plain loops."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pytest
from planted import figures
from planted.peers import clod, fiftyone, greedy
from planted.runs import MIXED, Plan, Run, plans

from label_quality.planting import SHAPES, measures
from label_quality.schema import ERROR_TYPES

A, B = 1, 2


def table(rows: list[tuple[int, int, float, float, float, float]]) -> dict[str, np.ndarray]:
    """image, category, x, y, width, height"""
    names = ("image", "category_id", "x", "y", "width", "height")
    columns = zip(*rows, strict=True)
    return {
        n: np.array(c, float if n in names[2:] else int)
        for n, c in zip(names, columns, strict=True)
    }


def case(name: str) -> tuple[Any, Any]:
    """Two images. Labels 0 to 4, predictions 0 to 4:

    label 0 (A) is predicted as A with IoU 0.8, confidence 0.9; label 1 (B) as A with IoU 1, confidence 0.6; labels 2 and 3 (both A,
    IoU 1 with one another) are not predicted; nor is label 4 (B). Prediction 2 (B, 0.97) and prediction 3 (A, 0.5) overlap no label, nor
    each other. Prediction 4 lies on label 0 too, exactly, but with confidence 0.4.
    """
    labels = table(
        [
            (0, A, 0, 0, 100, 100),
            (0, B, 200, 0, 50, 50),
            (1, A, 0, 0, 40, 40),
            (1, A, 0, 0, 40, 40),
            (1, B, 300, 300, 20, 20),
        ]
    )
    predictions = table(
        [
            (0, A, 0, 0, 100, 80),
            (0, A, 200, 0, 50, 50),
            (0, B, 400, 400, 30, 30),
            (1, A, 100, 100, 30, 30),
            (0, A, 0, 0, 100, 100),
        ]
    )
    order = np.argsort(predictions["image"], kind="stable")  # as the datasets have them
    predictions = {k: v[order] for k, v in predictions.items()}
    predictions["score"] = np.array([0.9, 0.6, 0.97, 0.5, 0.4])[order]
    predictions["model"] = np.zeros(5, int)
    predictions["in_crowd"] = np.zeros(5, bool)
    con = duckdb.connect()
    con.execute("create table categories as select unnest([1, 2, 3]) as category_id")
    data = SimpleNamespace(name=name, predictions=predictions, image_ids=np.array([7, 8]), con=con)
    place = {old: new for new, old in enumerate(order.tolist())}
    overlaps = {
        "label": np.array([0, 1, 0]),
        "prediction": np.array([place[0], place[1], place[4]]),
        "box_iou": np.array([0.8, 1.0, 1.0]),
        "same_category": np.array([True, False, True]),
    }
    pairs = {"label": np.array([2]), "other": np.array([3]), "box_iou": np.array([1.0])}
    run = Run(Plan("mixed", 0.1), 0, labels, overlaps, pairs, {}, {}, {})
    return data, run


def test_fiftyone_by_hand() -> None:
    data, run = case("by hand, FiftyOne")
    scores = fiftyone(data, run)
    # Label 0 goes to prediction 0, the surest, though prediction 4 lies nearer.
    assert scores["wrong_class"].tolist() == pytest.approx([(1 - 0.9) / 2, (1 + 0.6) / 2, 0, 0, 0])
    i = 0.2 / 0.5
    assert scores["inaccurate"][0] == pytest.approx((0.9 * (2 * i - 1) + 1) / 2)
    assert scores["inaccurate"][1] == pytest.approx((0.6 * -1 + 1) / 2)
    assert scores["spurious"].tolist() == [0, 0, 1, 1, 1]
    # Sorted by image the predictions are 0, 1, 2, 4, 3; only number 2 is unmatched and above 0.95.
    assert scores["missing"].tolist() == [0, 0, 0.97, 0, 0]
    assert scores["duplicate"].tolist() == [0, 0, 1, 1, 0]
    assert scores["image"].tolist() == [1, 1]


def test_clod_by_hand() -> None:
    data, run = case("by hand, CLOD")
    scores = clod(data, run)
    # Three classes, so every cluster starts at quality 1. Label 0 with predictions 0 and 4: p(A) = 0.9, one category.
    assert scores["inaccurate"][0] == pytest.approx(1 - (0.8 * 0.9 + 0.2))
    # Label 1 (B) with prediction 1 (A, 0.6): self-confidence 0.4 for A, then 0 for B.
    assert scores["wrong_class"][1] == pytest.approx(1 - 0.2 * (0.8 * 0.4 + 0.2))
    # Labels alone: p = 0.
    assert scores["spurious"].tolist() == pytest.approx([0, 0, 0.8, 0.8, 0.8])
    # Predictions alone: self-confidence 1 - p.
    assert scores["missing"].tolist() == pytest.approx(
        [0, 0, 1 - (0.8 * 0.03 + 0.2), 0, 1 - (0.8 * 0.5 + 0.2)]
    )
    assert scores["image"].tolist() == pytest.approx([1 - 0.2 * 0.52, 0.8])
    assert "duplicate" not in scores


def test_clod_with_all_classes_in_a_cluster_starts_at_the_first() -> None:
    data, run = case("by hand, CLOD of two classes")
    data.con.execute("delete from categories where category_id = 3")
    assert clod(data, run)["wrong_class"][1] == pytest.approx(1 - 0.2 * 0.4)


def test_greedy_matching_takes_the_next_free_label() -> None:
    # Prediction 0 (0.9) overlaps labels 0 and 1, prediction 1 (0.8) label 0 alone, prediction 2 (0.7) both.
    label, prediction = np.array([0, 1, 0, 0, 1]), np.array([0, 0, 1, 2, 2])
    iou = np.array([0.9, 0.6, 0.95, 0.9, 0.55])
    taken = greedy(label, prediction, iou, np.array([0.9, 0.8, 0.7]))
    assert {(label[k], prediction[k]) for k in taken} == {(0, 0), (1, 2)}


def candidates() -> figures.Candidates:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 6, 80)
    error = np.where(rng.random(80) < 0.2, rng.integers(0, 12, 80), -1)
    where = rng.integers(0, 6, 12)
    image = np.where(error >= 0, where[error], image)
    return figures.Candidates(rng.random(80).round(1), image, error, where)


def test_average_precision_of_the_images_themselves() -> None:
    r = figures.ranked(candidates(), 0)
    weights = figures.image_weights(np.ones(6, bool), 0, 3)
    hit = r.error >= 0
    place = -np.arange(len(hit), dtype=float)
    expected = measures.average_precision(place, hit, 12)
    assert figures.average_precisions(r, weights)[0] == pytest.approx(expected, abs=1e-6)


def test_average_precision_of_a_draw_is_that_of_repeated_images() -> None:
    r = figures.ranked(candidates(), 0)
    weights = figures.image_weights(np.ones(6, bool), 1, 1)
    found = total = looked = 0.0
    for image, error in zip(r.image, r.error, strict=True):
        n = weights[1, image]
        looked += n
        found += n * (error >= 0)
        total += n * (error >= 0) * (found / looked if looked else 0)
    expected = total / weights[1, r.error_image].sum()
    assert figures.average_precisions(r, weights)[1] == pytest.approx(expected, abs=1e-6)


def test_an_error_counts_once_at_its_best_place() -> None:
    c = figures.Candidates(
        np.array([0.9, 0.8, 0.7]), np.zeros(3, int), np.array([4, -1, 4]), np.zeros(2, int)
    )
    r = figures.ranked(c, 0)
    assert r.error.tolist() == [4, -1]
    assert figures.points(r, 100)["R@5%"] == 0.5


def test_only_images_of_the_half_count() -> None:
    c = figures.within(candidates(), np.array([True, False] * 3))
    assert set(c.image) <= {0, 2, 4}
    assert set(c.error_image) <= {0, 2, 4}
    assert len(c.error_image) < 12


def test_a_constant_score_has_the_prevalence() -> None:
    error = np.where(np.arange(2000) % 10 == 0, np.arange(2000), -1)
    c = figures.Candidates(np.ones(2000), np.arange(2000) // 10, error, np.arange(200))
    weights = figures.image_weights(np.ones(200, bool), 0, 50)
    found = [figures.average_precisions(figures.ranked(c, s), weights)[0] for s in range(10)]
    assert np.mean(found) == pytest.approx(0.1, abs=0.01)


def test_seeds_are_drawn_anew_in_each_replicate() -> None:
    """Where images make no difference, the spread left is that of a mean over 20 seeds."""
    seeds = np.random.default_rng(0).normal(0.3, 0.05, (20, 1))
    point, low, high = figures.interval(figures.over_seeds(np.repeat(seeds, 2001, 1)))
    assert point == pytest.approx(seeds.mean())
    assert low < point < high
    assert high - low == pytest.approx(2 * 1.96 * seeds.std() / np.sqrt(20), rel=0.1)


def test_plans_hold_every_shape_and_the_mixes() -> None:
    made = list(plans(quick=False))
    assert {p.shape for p in made} == {*SHAPES, "mixed"}
    assert {p.rate for p in made if p.shape == "mixed"} == set(MIXED)
    for p in made:
        assert sum(p.shares().values()) == pytest.approx(p.rate)
    of_type = {t: 0.0 for t in ERROR_TYPES}
    for shape, share in Plan("mixed", 0.2).shares().items():
        of_type[SHAPES[shape].error_type] += share
    assert of_type == pytest.approx(dict.fromkeys(ERROR_TYPES, 0.04))
