"""The interval of a share between Jeffreys' and Clopper and Pearson's, and what it has to be at its ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from label_quality.reviews.intervals import share_interval


@pytest.mark.parametrize(("errors", "sampled"), [(0, 10), (1, 10), (5, 10), (15, 300), (300, 300)])
def test_of_endless_many_it_lies_between_the_two_known_ones(errors: int, sampled: int) -> None:
    share, low, high = share_interval(errors, sampled, 10**12)
    assert share == errors / sampled
    jeffreys = stats.beta.ppf([0.025, 0.975], errors + 0.5, sampled - errors + 0.5)
    exact = stats.binomtest(errors, sampled).proportion_ci(0.95)
    if errors:
        assert exact.low < low < jeffreys[0]
    else:
        assert low == 0
    if errors < sampled:
        assert jeffreys[1] < high < exact.high
    else:
        assert high == 1


def test_the_more_of_all_was_drawn_the_narrower_and_all_of_it_is_known() -> None:
    share, low, high = share_interval([3] * 4, [30] * 4, [10**9, 100, 40, 30])
    assert (np.diff(high - low) < 0).all()
    assert (low[-1], high[-1]) == (share[-1], share[-1])


def test_nothing_drawn_may_be_anything() -> None:
    share, low, high = share_interval([0, 0], [0, 0], [5, 0])
    assert np.isnan(share).all()
    assert (low == 0).all()
    assert (high == 1).all()
