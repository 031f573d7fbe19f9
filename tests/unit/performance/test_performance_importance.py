"""Importance and correlation of made-up metrics: known answers, what chance gives, intervals, ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from label_quality.performance.importance import (
    DRAWS,
    Importance,
    draw_images,
    importance,
    quantile_bins,
    rank_biserial,
)

N, IMAGES = 4000, 250
IMAGE = np.random.default_rng(0).integers(0, IMAGES, N)


def of(values: Any, right: Any, image: Any = IMAGE) -> Importance:
    return importance(
        np.asarray(values, float), np.asarray(right, bool), image, draw_images(IMAGES)
    )


def normal(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=N)


def drawn(p: Any, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).random(N) < p


def test_what_decides_has_importance_one() -> None:
    values = np.arange(N)
    found = of(values, values >= N // 2)
    assert found.importance == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_chance_has_none(seed: int) -> None:
    found = of(normal(seed), drawn(0.5, seed + 100))
    assert found.low == 0
    assert found.importance == pytest.approx(0, abs=0.005)
    assert found.high < 0.01


def test_chance_on_images_has_none() -> None:
    """Right and wrong hang together within an image, and so does the metric: the bias is larger, and is taken off all the same."""
    rng = np.random.default_rng(3)
    found = [
        of(rng.normal(size=IMAGES)[IMAGE], rng.random(N) < rng.random(IMAGES)[IMAGE]).importance
        for _ in range(20)
    ]
    assert np.mean(found) < 0.01


def test_known_value() -> None:
    """Right with probability 0.9 below the median and 0.1 above: U = 1 - H(0.9) / ln 2."""
    values = normal()
    p = np.where(values < np.median(values), 0.9, 0.1)
    exact = 1 + (0.9 * np.log(0.9) + 0.1 * np.log(0.1)) / np.log(2)
    found = of(values, drawn(p))
    assert found.importance == pytest.approx(exact, abs=0.03)
    assert found.low < exact < found.high


def test_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    exact = 1 + (0.7 * np.log(0.7) + 0.3 * np.log(0.3)) / np.log(2)
    held = 0
    for seed in range(100):
        values = normal(seed)
        p = np.where(values < np.median(values), 0.7, 0.3)
        found = of(values, drawn(p, seed + 1000))
        held += found.low <= exact <= found.high
    assert held >= 88


def test_up_and_down_again_is_seen_though_the_correlation_is_nothing() -> None:
    values = normal()
    right = drawn(np.where(np.abs(values) < 0.7, 0.95, 0.05))
    assert of(values, right).importance > 0.5
    assert abs(rank_biserial(values, right)) < 0.1


def test_only_the_order_of_values_counts() -> None:
    values = normal()
    right = drawn(1 / (1 + np.exp(-values)))
    assert of(values, right) == of(np.exp(3 * values), right)
    assert rank_biserial(values, right) == pytest.approx(rank_biserial(np.exp(3 * values), right))


def test_the_same_answer_every_time() -> None:
    assert (draw_images(IMAGES) == draw_images(IMAGES)).all()
    assert draw_images(IMAGES).shape == (DRAWS, IMAGES)
    assert (draw_images(IMAGES).sum(1) == IMAGES).all()
    assert draw_images(0).shape == (DRAWS, 0)


@pytest.mark.parametrize("right", [np.ones(N), np.zeros(N)])
def test_nothing_to_explain(right: Any) -> None:
    assert of(normal(), right) == Importance(None, None, None)
    assert rank_biserial(normal(), right.astype(bool)) is None


def test_one_image_has_no_interval() -> None:
    assert of(normal(), drawn(0.5), np.zeros(N, int)) == Importance(None, None, None)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40).filter(
        lambda pairs: len({r for _, r in pairs}) == 2
    )
)
def test_correlation_is_that_of_mann_and_whitney(pairs: list[tuple[int, bool]]) -> None:
    values, right = np.array([v for v, _ in pairs], float), np.array([r for _, r in pairs])
    u = mannwhitneyu(values[right], values[~right]).statistic
    expected = 2 * u / (right.sum() * (~right).sum()) - 1
    assert rank_biserial(values, right) == pytest.approx(expected)


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=200))
def test_bins_keep_the_order_and_equal_values_together(values: list[int]) -> None:
    bins = quantile_bins(np.array(values, float))
    assert ((bins >= 0) & (bins < 10)).all()
    for v, b in zip(values, bins, strict=True):
        assert {int(x) for x, other in zip(bins, values, strict=True) if other == v} == {int(b)}
        assert all(bins[k] <= b for k, other in enumerate(values) if other < v)
