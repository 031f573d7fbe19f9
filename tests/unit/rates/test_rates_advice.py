"""When to stop: the bound of the next findings' errors holds as often as it says, and follows what was found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from label_quality.rates import NEXT, errors_left, may_stop, most_errors


@pytest.mark.parametrize(("errors", "looked"), [(0, 0), (0, 20), (2, 20), (20, 20), (3, 50)])
def test_the_bound_is_the_beta_binomial_quantile(errors: int, looked: int) -> None:
    expected = stats.betabinom.ppf(0.95, NEXT, errors + 0.5, looked - errors + 0.5)
    assert most_errors(errors, looked) == expected


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.2, 0.5])
def test_the_next_findings_exceed_the_bound_at_most_one_time_in_twenty(share: float) -> None:
    """Whatever the yield is, as long as it stays; 4,000 reviews of 50 and then 20 findings."""
    rng = np.random.default_rng(0)
    seen, coming = rng.binomial(50, share, 4000), rng.binomial(NEXT, share, 4000)
    bound = np.array([most_errors(e, 50) for e in range(51)])[seen]
    assert (coming > bound).mean() < 0.06


def test_more_errors_and_fewer_looks_raise_the_bound() -> None:
    by_errors = [most_errors(e, 20) for e in range(21)]
    assert by_errors == sorted(by_errors)
    assert most_errors(0, 5) > most_errors(0, 20) >= most_errors(0, 50)
    assert (most_errors(0, 0), most_errors(3, 10, ahead=0)) == (NEXT, 0)


def test_stopping_needs_enough_looks_and_few_errors() -> None:
    assert not may_stop(0, 5)
    assert may_stop(0, 20)
    assert not may_stop(2, 20)  # the next twenty may hold six
    assert may_stop(2, 50)


def test_errors_left_follow_how_right_p_error_was() -> None:
    assert errors_left(12.0, 0.0, 0) == 12.0
    assert errors_left(12.0, 10.0, 10) == 12.0
    assert errors_left(12.0, 19.0, 4) == pytest.approx(12.0 / 4)
    assert errors_left(0.0, 5.0, 5) == 0.0
