"""Verdicts bend curves towards what people found, by as much as there are of them."""

from __future__ import annotations

import numpy as np
import pytest

from label_quality.calibration.verdicts import NEEDED, Judged, bend, rests_on
from label_quality.schema import ERROR_TYPES
from label_quality.store.calibrations import Curve

STRAIGHT = Curve((0.0, 1.0), (0.0, 1.0))
MISSING, SPURIOUS = ERROR_TYPES.index("missing"), ERROR_TYPES.index("spurious")


def judged(n: int, seed: int = 0, kind: int = MISSING, factor: float = 0.25) -> Judged:
    """n findings of which factor × score are errors, looked at from the top: high scores far more often."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(3, 1.5, n)
    return Judged(np.full(n, kind), scores, rng.random(n) < factor * scores)


def at(curve: Curve, score: float) -> float:
    return float(np.interp(score, curve.scores, curve.p_errors))


def curves() -> dict[str, Curve]:
    grid = tuple(np.linspace(0, 1, 21).tolist())
    return {"missing": Curve(grid, grid), "spurious": Curve(grid, grid)}


def test_few_verdicts_change_nothing() -> None:
    assert bend(curves(), judged(NEEDED - 1)) == curves()


def test_many_verdicts_replace_what_was_planted() -> None:
    # Only the top of the queue was looked at, mostly; what is fitted is right at every score all the same.
    bent = bend(curves(), judged(4000))["missing"]
    for score in (0.3, 0.5, 0.8):
        assert at(bent, score) == pytest.approx(0.25 * score, abs=0.06)


def test_a_type_nobody_looked_at_follows_the_others_in_part() -> None:
    bent = bend(curves(), judged(1000))
    assert at(bent["missing"], 0.7) < at(bent["spurious"], 0.7) + 0.02 < 0.7


def test_types_differ_where_verdicts_say_so() -> None:
    both = [judged(600, 1, MISSING, 0.2), judged(600, 2, SPURIOUS, 0.9)]
    joined = Judged(
        *(np.concatenate([getattr(j, f) for j in both]) for f in Judged.__struct_fields__)
    )
    bent = bend(curves(), joined)
    assert at(bent["missing"], 0.8) < 0.3
    assert at(bent["spurious"], 0.8) > 0.55


def test_verdicts_of_types_that_have_no_curve_do_not_count() -> None:
    only = {"spurious": STRAIGHT}
    assert bend(only, judged(NEEDED + 50)) == only


def test_curves_never_fall_whatever_people_say() -> None:
    scores = np.linspace(0.1, 0.9, 200)
    against = Judged(np.full(200, MISSING), scores, scores < 0.5)
    assert np.all(np.diff(bend(curves(), against)["missing"].p_errors) >= 0)


def test_it_is_said_what_probabilities_rest_on() -> None:
    assert rests_on("planted errors", 7).startswith(
        f"calibrated on planted errors until {NEEDED} verdicts exist (7 so far)"
    )
    assert (
        rests_on("planted errors and verdicts", 80)
        == "calibrated on planted errors and 80 verdicts"
    )
