"""Drift between batches: the statistics against SciPy's own, and each measure against batches that differ in it alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.batch import database
from scipy import stats

from label_quality.drift import (
    build_drift,
    chi_squared_p,
    cramers_v,
    kolmogorov_smirnov,
    two_proportions,
)
from label_quality.settings import Drift

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("counts", [(30, 100, 20, 120), (5, 400, 50, 4000), (90, 100, 10, 100)])
def test_two_proportions_is_the_one_sided_z_test(counts: tuple[int, int, int, int]) -> None:
    a, n, b, m = counts
    # Its square is Pearson's chi-squared of the 2 x 2 table, without Yates' correction.
    table = np.array([[a, n - a], [b, m - b]])
    two_sided = stats.chi2_contingency(table, correction=False).pvalue
    wanted = two_sided / 2 if a / n > b / m else 1 - two_sided / 2
    assert two_proportions(*counts) == pytest.approx(wanted, rel=1e-9)
    assert two_proportions(b, m, a, n) == pytest.approx(1 - wanted, rel=1e-6)


@pytest.mark.parametrize("counts", [(0, 10, 0, 10), (10, 10, 5, 5)])
def test_two_proportions_that_are_both_none_or_all(counts: tuple[int, int, int, int]) -> None:
    assert two_proportions(*counts) == 1


def test_cramers_v_and_its_p_value() -> None:
    for _ in range(20):
        table = RNG.integers(1, 200, (2, RNG.integers(2, 9))).astype(float)
        assert cramers_v(table) == pytest.approx(stats.contingency.association(table.astype(int)))
        wanted = stats.chi2_contingency(table, correction=False).pvalue
        assert chi_squared_p(table) == pytest.approx(wanted, rel=1e-9)
    assert (cramers_v(np.array([[3.0], [9.0]])), chi_squared_p(np.array([[3.0], [9.0]]))) == (0, 1)


def test_kolmogorov_smirnov() -> None:
    for n, m in [(500, 900), (2000, 300), (50, 50)]:
        a, b = np.sort(RNG.normal(0, 1, n)), np.sort(RNG.normal(0.1, 1, m))
        wanted = stats.ks_2samp(a, b, method="asymp")
        distance, p_value = kolmogorov_smirnov(a, b)
        assert distance == pytest.approx(wanted.statistic)
        # SciPy's takes the distribution for so many values, ours its limit.
        assert p_value == pytest.approx(wanted.pvalue, abs=0.05)
    tied = np.array([1.0, 1.0, 2.0])
    assert kolmogorov_smirnov(tied, tied) == (0, 1)


def grid(*, dogs: int = 50, size: float = 10, found: int = 100, rate: float = 0.1) -> Any:
    """A batch of a hundred labels: `dogs` of the second class, `found` of them by the model, all with sides of `size`."""
    boxes = [[20 * (i % 10), 20 * (i // 10), size, size] for i in range(100)]
    labels = [
        {"id": i + 1, "image_id": 1, "category_id": 1 + (i < dogs), "bbox": box}
        for i, box in enumerate(boxes)
    ]
    results = [
        {"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in boxes[:found]
    ]
    con = database([{"id": 1, "width": 200, "height": 200}], labels, {"m": results})
    con.execute(
        """insert into prediction_overlaps by name
           select a.batch, a.image_id, annotation_id, model, prediction_id, false as iscrowd, true as same_category,
                  1.0 as box_iou, true as assigned
           from annotations a join predictions p on a.x = p.x and a.y = p.y"""
    )
    con.execute(
        """insert into error_rates by name
           select 'batch-1' as batch, unnest(['missing', 'any']) as error_type, 100 as labels, 0.0 as expected_missing,
                  ? * 100 as expected_errors, ? as rate, true as judged, false as calibrated, 0 as n_reviewed""",
        [rate, rate],
    )
    return con


def drifted(now: Any, before: Any, predecessors: int = 3, **limits: float) -> set[str]:
    """The measures that drifted, and the types of error whose rate did."""
    settings = Drift(**{**dataclasses.asdict(_Loose()), **limits})
    rows = build_drift(now, before, predecessors, settings).to_pylist()
    assert len(rows) == 9
    assert all(r["judged"] == (r["drifted"] is not None) for r in rows)
    return {r["error_type"] or r["measure"] for r in rows if r["drifted"]}


@dataclasses.dataclass
class _Loose:
    error_rate: float = 0.02
    unmatched: float = 0.05
    class_mix: float = 0.2
    box_size: float = 0.15


CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "the same": ({}, set()),
    "more errors": ({"rate": 0.4}, {"missing", "any"}),
    "a rise under the limit": ({"rate": 0.115}, set()),
    "a rise that may be chance": ({"rate": 0.15}, set()),
    "fewer errors": ({"rate": 0.01}, set()),
    "other classes": ({"dogs": 90}, {"class_mix"}),
    "other sizes": ({"size": 14}, {"box_size"}),
    "labels that no model finds": ({"found": 70}, {"unmatched"}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_differs_is_found_and_nothing_else(name: str) -> None:
    change, wanted = CASES[name]
    with grid(**change) as now, grid() as before:
        assert drifted(now, before) == wanted


def test_the_first_batch_is_not_judged() -> None:
    with grid(rate=0.9) as now, database([], []) as before:
        rows = build_drift(now, before, 0, Drift()).to_pylist()
        assert not any(r["judged"] for r in rows)
        assert {r["drifted"] for r in rows} == {None}


def test_a_batch_without_images_is_told_by_its_name() -> None:
    with database([], []) as now, grid() as before:
        rows = build_drift(now, before, 1, Drift()).to_pylist()
        assert {(r["batch"], r["judged"]) for r in rows} == {("batch-1", False)}


def test_limits_are_those_of_the_settings() -> None:
    with grid(dogs=90) as now, grid() as before:
        assert drifted(now, before, class_mix=0.9) == set()


@pytest.mark.parametrize("wrong", [{"predecessors": -1}, {"significance": 2.0}, {"box_size": -0.1}])
def test_wrong_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="drift needs"):
        Drift(**wrong)
