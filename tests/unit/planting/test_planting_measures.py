"""Figures of merit against brute force: ties against the mean over random orders, AUROC against all pairs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_quality.planting import measures

cases = st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6)


def plain(hit: np.ndarray, total: int) -> float:
    """Average precision of a ranking without ties."""
    return float((hit * np.cumsum(hit) / (np.arange(len(hit)) + 1)).sum() / total)


@given(cases)
def test_ties_count_as_the_mean_over_all_orders(case: list[tuple[float, bool]]) -> None:
    score, hit = (np.array(column) for column in zip(*case, strict=True))
    total = int(hit.sum()) + 1  # one is out of reach
    orders = [p for p in permutations(range(len(score))) if (np.diff(score[list(p)]) <= 0).all()]
    mean = np.mean([plain(hit[list(p)], total) for p in orders])
    assert measures.average_precision(score, hit, total) == pytest.approx(mean)
    for first in range(1, len(score) + 1):
        found = np.mean([hit[list(p)[:first]].sum() for p in orders])
        assert measures.hits_within(score, hit, first) == pytest.approx(found)
        assert measures.precision_at(score, hit, first) == pytest.approx(found / first)
        assert measures.recall_at(score, hit, first, total) == pytest.approx(found / total)


@given(cases)
def test_auroc_is_the_share_of_pairs_in_order(case: list[tuple[float, bool]]) -> None:
    score, hit = (np.array(column) for column in zip(*case, strict=True))
    pairs = [(a > b) + (a == b) / 2 for a in score[hit] for b in score[~hit]]
    found = measures.auroc(score, hit)
    assert np.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs))


def test_a_constant_score_has_the_prevalence() -> None:
    hit = np.arange(5000) % 20 == 0
    constant = np.ones(5000)
    assert measures.average_precision(constant, hit) == pytest.approx(0.05, abs=0.002)
    assert measures.auroc(constant, hit) == 0.5
    assert measures.precision_at(constant, hit, 100) == pytest.approx(0.05)


def test_without_errors_there_is_no_figure() -> None:
    none = np.zeros(3, bool)
    score = np.arange(3.0)
    assert np.isnan(measures.average_precision(score, none))
    assert np.isnan(measures.recall_at(score, none, 1, 0))
    empty = np.empty(0)
    assert measures.average_precision(empty, np.empty(0, bool), 4) == 0
    assert measures.precision_at(empty, np.empty(0, bool), 10) == 0
