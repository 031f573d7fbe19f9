"""Isotonic regression against SciPy's, and the lines between its steps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from label_quality.findings.confidence import BINS, increasing, monotone

_PAIRS = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 1000)), min_size=1, max_size=200)


@given(_PAIRS)
def test_equal_to_scipy(pairs: list[tuple[float, float]]) -> None:
    values, weights = np.array(pairs).T
    fitted = monotone(values, weights)
    np.testing.assert_allclose(fitted, isotonic_regression(values, weights=weights).x, atol=1e-12)
    assert (np.diff(fitted) >= 0).all()


def test_of_nothing() -> None:
    assert len(monotone(np.empty(0), np.empty(0))) == 0


_COUNTED = st.lists(
    st.tuples(st.integers(0, BINS - 1), st.floats(0.01, 0.99), st.floats(1, 1000)),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[0],
)


@given(_COUNTED)
def test_a_surer_prediction_never_ties_with_a_less_sure_one(
    counted: list[tuple[int, float, float]],
) -> None:
    bins, share, weight = (np.array(c) for c in zip(*sorted(counted), strict=True))
    lines = increasing(bins, share, weight)
    assert (np.diff(lines) > 0).all()
    assert ((lines > 0) & (lines < 1)).all()


def test_lines_meet_the_steps_at_their_middle() -> None:
    bins = np.array([20, 40, 60, 80, 180])
    share = np.array([0.2, 0.6, 0.4, 0.5, 0.9])  # 40 to 80 are one step of 0.5
    lines = increasing(bins, share, np.ones(5))
    np.testing.assert_allclose(lines[[0, 2, 4]], [0.2, 0.5, 0.9], atol=1e-12)
    np.testing.assert_allclose(lines[1], 0.2 + 0.3 / 2, atol=1e-12)
