"""Isotonic regression against SciPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from label_quality.findings.confidence import monotone

_PAIRS = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 1000)), min_size=1, max_size=200)


@given(_PAIRS)
def test_equal_to_scipy(pairs: list[tuple[float, float]]) -> None:
    values, weights = np.array(pairs).T
    fitted = monotone(values, weights)
    np.testing.assert_allclose(fitted, isotonic_regression(values, weights=weights).x, atol=1e-12)
    assert (np.diff(fitted) >= 0).all()


def test_of_nothing() -> None:
    assert len(monotone(np.empty(0), np.empty(0))) == 0
