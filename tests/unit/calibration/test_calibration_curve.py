"""Curves from score to p_error: monotone, between 0 and 1, and right on simulated scores."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from label_quality.calibration.curve import evaluate, fit_curve
from label_quality.calibration.reliability import reliability

SCORES = st.floats(0.05, 1)


@given(st.lists(SCORES, max_size=50), st.lists(SCORES, min_size=1, max_size=80), st.floats(0, 1))
def test_curves_rise_and_stay_between_0_and_1(
    own: list[float], planted: list[float], share: float
) -> None:
    curve = fit_curve(np.array(own), np.array(planted), share * len(own))
    assert np.all(np.diff(curve.scores) > 0)
    assert np.all(np.diff(curve.p_errors) >= 0)
    assert 0 <= min(curve.p_errors) <= max(curve.p_errors) <= 1


def test_unlike_scores_keep_their_order() -> None:
    rng = np.random.default_rng(1)
    curve = fit_curve(rng.beta(1, 6, 500), rng.beta(5, 3, 300), 40)
    p = evaluate(curve, np.linspace(0.01, 0.99, 200))
    assert np.all(np.diff(p) > 0)


def test_with_the_true_number_of_errors_the_curve_is_calibrated() -> None:
    p, y = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        own = np.concatenate([rng.beta(1, 6, 1000), rng.beta(5, 3, 100)])
        errors = np.arange(1100) >= 1000
        p.append(evaluate(fit_curve(own, rng.beta(5, 3, 300), 100), own))
        y.append(errors)
    found = reliability(np.concatenate(p), np.concatenate(y))
    assert found.error is not None and found.error < 0.05
    assert found.slope is not None and 0.8 < found.slope < 1.25


def test_without_findings_of_the_data_there_still_is_a_curve() -> None:
    curve = fit_curve(np.zeros(0), np.full(30, 1.0), 0.0)
    assert 0 < evaluate(curve, np.array([1.0]))[0] < 1
