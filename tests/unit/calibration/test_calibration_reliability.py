"""Expected calibration error and slope, against cases made by hand and known truth."""

from __future__ import annotations

import numpy as np
import pytest

from label_quality.calibration.reliability import fit_logistic, logits, reliability


def drawn(seed: int, n: int, a: float = 0.0, b: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and errors drawn with logit a + b logit p."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.1, 0.95, n)
    return p, rng.random(n) < 1 / (1 + np.exp(-a - b * logits(p)))


def test_the_error_of_a_case_made_by_hand() -> None:
    p = np.repeat(np.linspace(0.2, 0.9, 15), 4)
    y = np.tile([1, 0, 1, 0], 15)  # half of each bin
    found = reliability(p, y)
    assert found.error == pytest.approx(np.abs(np.linspace(0.2, 0.9, 15) - 0.5).mean())
    assert [(b.findings, b.observed) for b in found.bins] == [(4, 0.5)] * 15


def test_what_is_right_has_no_error_and_slope_one() -> None:
    found = reliability(*drawn(0, 30_000))
    assert found.error is not None and found.error < 0.015
    assert found.slope == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("b", [0.5, 2.0])
def test_the_slope_tells_what_is_too_sure_from_what_is_too_unsure(b: float) -> None:
    assert reliability(*drawn(1, 30_000, b=b)).slope == pytest.approx(b, rel=0.08)


def test_findings_of_little_probability_are_not_judged() -> None:
    p = np.concatenate([np.full(500, 0.05), np.full(20, 0.5)])
    assert reliability(p, np.ones(520)).bins == ()
    assert reliability(p, np.ones(520)).error is None


def test_the_slope_is_left_out_where_it_cannot_be_told() -> None:
    p, _ = drawn(2, 100)
    assert reliability(p, np.ones(100)).slope is None
    assert reliability(np.full(100, 0.5), np.arange(100) % 2).slope is None


def test_a_strong_prior_holds_the_fit_where_it_is() -> None:
    p, y = drawn(3, 200, a=1.0, b=2.0)
    a, b = fit_logistic(logits(p), y.astype(float), (0.0, 1.0), (1e9, 1e9)) or (9, 9)
    assert (a, b) == pytest.approx((0, 1), abs=1e-4)
