"""The two rules on made-up values: Encord Active's counter-examples, planted outliers, spikes, ties and few values."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from helpers.metric_values import database, metric, schema_rows, table

from label_quality.outliers import MODERATE, SEVERE, build_outliers
from label_quality.outliers.build import Rule
from label_quality.registry import Metric

N = 10_000
SHARE = {"low": 0, "high": 1}


def outliers(
    values: Any, judged: Metric, categories: Any = None, *, robust_only: bool = False
) -> list[dict[str, Any]]:
    """The rows of table outliers for labels with these values."""
    keys = {} if categories is None else {"category_id": categories}
    names = {int(c): f"category {c}" for c in np.unique(categories)} if keys else None
    con = database(
        ("annotation_metrics", table("annotation", {"value": values}, **keys)), names=names
    )
    rules: list[Rule] = ["robust"] if robust_only else ["robust", "encord"]
    queries = build_outliers(con, ["annotation"], [judged], rules)
    return schema_rows(con, "outliers", queries["outliers"])


def flagged(rows: list[dict[str, Any]], rule: str = "robust") -> set[int]:
    return {r["annotation_id"] for r in rows if r["rule"] == rule}


# Encord Active's counter-examples -------------------------------------------------------------------------------


def test_zero_inflated_metric() -> None:
    """2,000 of 10,000 labels overlap another, none by 0.6: Encord Active calls all of them severe."""
    values = np.zeros(N)
    values[:2000] = np.random.default_rng(0).uniform(0.01, 0.6, 2000)
    rows = outliers(values, metric(bad="high", **SHARE))
    encord = [r for r in rows if r["rule"] == "encord"]
    assert Counter(r["severity"] for r in encord) == {"severe": 2000}
    assert {(r["low"], r["high"], r["score"]) for r in encord} == {(0.0, 0.0, None)}
    assert flagged(rows) == set()


def test_zero_inflated_metric_with_duplicates() -> None:
    values = np.zeros(N)
    values[:2000] = np.random.default_rng(0).uniform(0.01, 0.6, 2000)
    values[-30:] = 0.97
    assert flagged(outliers(values, metric(bad="high", **SHARE))) == set(range(N - 30, N))


def test_wrong_labels_at_zero() -> None:
    """Share of nine neighbours that agree; 10 % wrong labels at 0: Encord Active finds none of them."""
    values = np.random.default_rng(0).binomial(9, 0.65, N) / 9
    values[:1000] = 0
    rows = outliers(values, metric(bad="low", **SHARE))
    assert np.quantile(values, [0.25, 0.75]) == pytest.approx([4 / 9, 7 / 9])
    assert flagged(rows, "encord") == set()
    found = flagged(rows)
    assert set(range(1000)) <= found
    assert len(found) < 1010


def test_lognormal_areas_without_an_error() -> None:
    """Encord Active flags about 10 % of them."""
    values = np.random.default_rng(0).lognormal(8, 1.5, N)
    rows = outliers(values, metric(scale="log", low=0))
    assert len(flagged(rows, "encord")) > 1000
    assert len(flagged(rows)) <= 15


# Planted outliers -----------------------------------------------------------------------------------------------


def test_planted_areas_are_found_in_their_category() -> None:
    """Cars among apples are no outliers among all labels, but they are among apples."""
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.lognormal(5, 0.5, 3000), rng.lognormal(11, 0.5, 3000)])
    categories = np.repeat([1, 2], 3000)
    values[:10], values[3000:3010] = np.exp(11), np.exp(5)
    planted = {*range(10), *range(3000, 3010)}
    rows = outliers(values, metric(scale="log", low=0, per_category=True), categories)
    severe = {
        r["annotation_id"] for r in rows if r["rule"] == "robust" and r["severity"] == "severe"
    }
    assert severe == planted
    assert {r["group_name"] for r in rows if r["rule"] == "robust"} == {"category 1", "category 2"}
    assert not planted & flagged(outliers(values, metric(scale="log", low=0), categories))


@pytest.mark.parametrize(
    ("bad", "found"),
    [("low", {0}), ("high", {1}), ("both", {0, 1}), ("none", set())],
)
def test_only_the_bad_end_is_judged(bad: Any, found: set[int]) -> None:
    values = np.random.default_rng(2).uniform(-1, 1, N)
    values[:2] = -50, 50
    rows = [r for r in outliers(values, metric(bad=bad)) if r["rule"] == "robust"]
    assert {r["annotation_id"] for r in rows} == found
    for r in rows:
        assert (r["low"] is None, r["high"] is None) == (bad == "high", bad == "low")


def test_score_severity_and_bounds_agree() -> None:
    values = np.random.default_rng(3).normal(0, 1, N)
    values[:4] = 3.9, 6, -4, -9
    rows = {r["annotation_id"]: r for r in outliers(values, metric()) if r["rule"] == "robust"}
    assert {k: rows[k]["severity"] for k in range(4)} == {
        0: "moderate", 1: "severe", 2: "moderate", 3: "severe",
    }  # fmt: skip
    for r in rows.values():
        assert not r["low"] <= r["value"] <= r["high"]
        assert r["score"] == pytest.approx(abs(r["value"]), rel=0.05)
        assert r["score"] >= MODERATE
        assert (r["severity"] == "severe") == (r["score"] >= SEVERE)


def test_skewed_values_have_unequal_bounds() -> None:
    values = np.random.default_rng(4).exponential(1, N)
    values[0] = -3
    low, high = next(
        (r["low"], r["high"]) for r in outliers(values, metric()) if r["rule"] == "robust"
    )
    assert high - np.median(values) > 1.5 * (np.median(values) - low)


@pytest.mark.parametrize("draw", ["normal", "uniform", "logistic", "gumbel"])
def test_few_of_ordinary_values_are_unusual(draw: str) -> None:
    values = getattr(np.random.default_rng(5), draw)(size=N)
    assert len(flagged(outliers(values, metric()))) <= 0.01 * N


# Spikes, ties, few values ---------------------------------------------------------------------------------------


def test_what_hardly_ever_happens_is_unusual() -> None:
    """Ten labels of 10,000 overlap another: nothing says how much is usual, but overlapping is not."""
    values = np.zeros(N)
    values[:10] = 0.9
    rows = [r for r in outliers(values, metric(bad="high", **SHARE)) if r["rule"] == "robust"]
    assert {(r["annotation_id"], r["severity"], r["high"]) for r in rows} == {
        (k, "moderate", 0.0) for k in range(10)
    }
    assert flagged(outliers(values, metric(bad="low", **SHARE))) == set()


def test_counts_with_many_ties() -> None:
    """Nearly every object has one part; a few have two or three, one has 400."""
    values = np.ones(N)
    values[:1500], values[1500:2000], values[-1] = 2, 3, 400
    assert flagged(outliers(values, metric(scale="log", low=1, bad="high"))) == {N - 1}


def test_a_spike_is_never_unusual() -> None:
    """Nine of ten pictures are 640 wide, the rest around 300: neither is an outlier, a width of 3 is, one of 600 is not."""
    values = np.full(N, 640.0)
    values[:1000] = np.random.default_rng(6).normal(300, 20, 1000).round()
    values[:3] = 3, 600, 5000
    rows = outliers(values, metric(scale="log", low=0))
    assert flagged(rows) == {0, 2}
    assert {r["high"] for r in rows if r["rule"] == "robust"} == {640}


def test_sizes_of_photographs_are_clumped_and_not_unusual() -> None:
    """As in COCO: most are 640 wide and near 4:3 or 3:2, one in five is smaller. None of them is an outlier, a stamp is."""
    areas = np.repeat(
        [640 * 427, 640 * 426, 640 * 425, 640 * 480, 500 * 375, 480 * 320],
        [2800, 900, 600, 3700, 1500, 500],
    )
    areas[0] = 64 * 48
    assert flagged(outliers(areas, metric(scale="log", low=0))) == {0}


@pytest.mark.parametrize("values", [np.full(N, 7.0), np.r_[np.zeros(N // 2), np.ones(N // 2)]])
def test_values_without_a_spread(values: Any) -> None:
    assert flagged(outliers(values, metric())) == set()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_side_without_a_spread_is_not_judged(sign: int) -> None:
    """45 % of the sizes are the median, a tenth lies on one side of it: nothing says how far that side may reach."""
    logarithms = np.zeros(N)
    logarithms[: N // 10] = np.random.default_rng(6).uniform(-9, -1, N // 10)
    logarithms[-(45 * N // 100) :] = np.random.default_rng(7).uniform(0.1, 0.5, 45 * N // 100)
    assert outliers(np.exp(sign * logarithms), metric(scale="log", low=0), robust_only=True) == []


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("scale", ["log", "linear"])
def test_an_outlier_always_has_a_score_beyond_a_bound(seed: int, scale: Any) -> None:
    """Values in clumps and with ties, by category: where there is a row, its score says how far out it lies."""
    rng = np.random.default_rng(seed)
    values = rng.choice(rng.lognormal(3, 1, 6).round(1), 3000)
    values[rng.integers(0, 3000, 200)] = rng.lognormal(3, 3, 200)
    judged = metric(scale=scale, low=0, per_category=True)
    for r in outliers(values, judged, rng.integers(0, 4, 3000), robust_only=True):
        assert r["score"] >= MODERATE - 1e-9
        low, high = (r["low"], r["high"])
        assert (low is not None and r["value"] < low) or (high is not None and r["value"] > high)


@pytest.mark.parametrize("count", [0, 1, 5, 19])
def test_too_few_values_to_tell(count: int) -> None:
    values = np.arange(count, dtype=float)
    values[:1] = 1e9
    assert flagged(outliers(values, metric())) == set()


def test_a_small_category_has_the_bounds_of_all() -> None:
    values = np.random.default_rng(7).normal(0, 1, 1000)
    categories = np.where(np.arange(1000) < 5, 2, 1)
    values[0] = 12
    rows = [
        r
        for r in outliers(values, metric(per_category=True), categories)
        if r["annotation_id"] == 0
    ]
    assert [r["group_name"] for r in rows if r["rule"] == "robust"] == [None]


def test_small_categories_give_few_false_alarms() -> None:
    """Spreads of 20 values are uncertain; drawn towards that of all, they flag no more than the whole does."""
    values = np.random.default_rng(8).normal(0, 1, 4000)
    rows = outliers(values, metric(per_category=True), np.repeat(np.arange(200), 20))
    assert len(flagged(rows)) <= 20


def test_without_a_value_nothing_is_judged() -> None:
    values = np.random.default_rng(9).normal(0, 1, N)
    values[:4] = np.nan, np.inf, -np.inf, 40
    assert flagged(outliers(values, metric())) & set(range(4)) == {3}


# Encord Active's rule -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_encord_rule_equals_its_formula(seed: int) -> None:
    """Linear quantiles; moderate from 1.5 to 2.5 interquartile ranges, severe beyond; the edges belong to the inner side."""
    rng = np.random.default_rng(seed)
    values = rng.standard_t(2, 501).round(1)
    q1, q3 = np.quantile(values, [0.25, 0.75])
    iqr = q3 - q1
    severe = (values < q1 - 2.5 * iqr) | (values > q3 + 2.5 * iqr)
    moderate = ~severe & ((values < q1 - 1.5 * iqr) | (values > q3 + 1.5 * iqr))
    rows = outliers(values, metric(bad="none"), rng.integers(0, 3, 501))
    found = {r["annotation_id"]: r for r in rows}
    assert {k for k, r in found.items() if r["severity"] == "severe"} == set(np.flatnonzero(severe))
    assert {k for k, r in found.items() if r["severity"] == "moderate"} == set(
        np.flatnonzero(moderate)
    )
    for k, r in found.items():
        assert (r["low"], r["high"]) == pytest.approx((q1 - 1.5 * iqr, q3 + 1.5 * iqr))
        assert r["score"] == pytest.approx(max(q1 - values[k], values[k] - q3) / iqr)
