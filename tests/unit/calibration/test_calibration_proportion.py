"""How many findings are errors: the bound, on simulated scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_quality.calibration.proportion import at_most


def simulated(seed: int, alarms: int, errors: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of findings, `errors` of which are errors, and of planted errors. False alarms score low, errors do not."""
    rng = np.random.default_rng(seed)
    own = np.concatenate([rng.beta(1, 9, alarms), rng.beta(6, 3, errors)])
    return own, rng.beta(6, 3, 400)


@pytest.mark.parametrize("errors", [0, 20, 100, 400])
def test_what_scores_apart_is_counted_about_right(errors: int) -> None:
    found = [at_most(*simulated(seed, 2000, errors)) for seed in range(20)]
    assert abs(np.mean(found) - errors) < 0.3 * errors + 4


@pytest.mark.parametrize("errors", [0, 100])
def test_false_alarms_that_score_as_errors_do_make_the_upper_bound_an_upper_bound(
    errors: int,
) -> None:
    rng = np.random.default_rng(0)
    planted = rng.beta(4, 2, 400)
    own = np.concatenate([rng.beta(1, 9, 1500), rng.beta(4, 2, 150), rng.beta(4, 2, errors)])
    assert at_most(own, planted) > errors + 50


@given(
    st.lists(st.floats(0.05, 1), max_size=60),
    st.lists(st.floats(0.05, 1), max_size=60),
)
def test_the_bound_is_a_number_of_findings(own: list[float], planted: list[float]) -> None:
    found = at_most(np.array(own), np.array(planted))
    assert 0 <= found <= len(own)
    assert len(planted) >= 10 or found == 0
