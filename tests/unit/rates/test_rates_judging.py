"""When a rate is an error, when it warns: the interval decides, the reviewed one where there is one."""

from __future__ import annotations

from typing import Any

import pytest

from label_quality.rates import basis, judge
from label_quality.settings import Limit

LIMIT = Limit(0.05, 0.10)


def row(model: tuple[float, ...] | None, reviewed: tuple[float, ...] | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    names = ("rate", "rate_low", "rate_high")
    found: dict[str, Any] = dict(zip(names, model or (None,) * 3, strict=True))
    found |= {f"reviewed_{n}": v for n, v in zip(("rate", "low", "high"), reviewed or (None,) * 3, strict=True)}  # fmt: skip
    return {**found, "judged": model is not None, "calibrated": False, "n_sampled": 120 if reviewed else None, **more}  # fmt: skip


@pytest.mark.parametrize(
    ("interval", "level", "why"),
    [
        ((0.02, 0.01, 0.04), "ok", "not above 5.0%"),
        ((0.05, 0.02, 0.10), "ok", "not above 5.0%"),
        ((0.03, 0.01, 0.11), "warn", "could be above 10.0%"),
        ((0.06, 0.04, 0.09), "warn", "above 5.0%"),
        ((0.08, 0.04, 0.13), "warn", "above 5.0% and could be above 10.0%"),
        ((0.12, 0.09, 0.15), "warn", "above 5.0% and could be above 10.0%"),
        ((0.12, 0.10, 0.15), "warn", "above 5.0% and could be above 10.0%"),
        ((0.14, 0.11, 0.18), "error", "above 10.0% with 95 % confidence"),
    ],
)
def test_the_interval_judges(interval: tuple[float, ...], level: str, why: str) -> None:
    for found, by in ((row(interval), "model"), (row((0.9, 0.8, 1.0), interval), "reviewed")):
        judged = judge(found, LIMIT)
        assert (judged.level, judged.why, judged.by) == (level, why, by)
        assert (judged.rate, judged.low, judged.high) == interval


def test_what_nobody_can_judge() -> None:
    assert judge(row(None), LIMIT).why == "there are no predictions to judge by"
    assert judge(row(None, judged=True), LIMIT).why == "there are no labels"
    assert judge(row(None, (0.01, 0.0, 0.02)), LIMIT).level == "ok"  # people need no predictions


def test_it_is_said_what_the_interval_rests_on() -> None:
    assert "not calibrated" in basis(row((0.1, 0.1, 0.1)))
    assert "by the model, calibrated" in basis(row((0.1, 0.1, 0.1), calibrated=True))
    assert basis(row(None, (0.1, 0.1, 0.1))) == "by 120 answers of the random sample"
