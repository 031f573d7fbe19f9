"""Jeffreys' interval against the literature and against what it has to be at its ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from label_quality.reviews.intervals import jeffreys


@pytest.mark.parametrize(("errors", "sampled"), [(0, 10), (1, 10), (5, 10), (15, 300), (300, 300)])
def test_of_endless_many_it_is_the_beta_posterior(errors: int, sampled: int) -> None:
    share, low, high = jeffreys(errors, sampled, 10**12)
    assert share == errors / sampled
    ends = stats.beta.ppf([0.025, 0.975], errors + 0.5, sampled - errors + 0.5)
    assert low == pytest.approx(0 if errors == 0 else ends[0], abs=1e-9)
    assert high == pytest.approx(1 if errors == sampled else ends[1], abs=1e-9)


def test_the_more_of_all_was_drawn_the_narrower_and_all_of_it_is_known() -> None:
    share, low, high = jeffreys([3] * 4, [30] * 4, [10**9, 100, 40, 30])
    assert (np.diff(high - low) < 0).all()
    assert (low[-1], high[-1]) == (share[-1], share[-1])


def test_nothing_drawn_may_be_anything() -> None:
    share, low, high = jeffreys([0, 0], [0, 0], [5, 0])
    assert np.isnan(share).all()
    assert (low == 0).all()
    assert (high == 1).all()
