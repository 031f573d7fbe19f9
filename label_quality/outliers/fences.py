"""Between which bounds a metric's values are usual: the robust rule and Encord Active's. Arrays only, no tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from label_quality.outliers.scales import MODERATE, SEVERE, scale_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from label_quality.registry import Metric

    Floats = NDArray[np.float64]

LEAST = 20
"""Values that a group needs for bounds of its own."""
_SPIKE_AT_END, _SPIKE = 0.25, 0.5
_RARE = 0.01
_QUARTILE, _EIGHTH = 0.6744897501960817, 1.1503493803760079  # of the standard normal distribution
_LETTERS = (0.125, 0.25, 0.5, 0.75, 0.875)
# Encord Active, lib/dataset/outliers.py: 1.5 and 2.5 interquartile ranges from the quartiles (linear interpolation),
# both sides, all objects together, whatever the metric.
ENCORD_MODERATE, ENCORD_SEVERE = 1.5, 2.5


@dataclass(frozen=True)
class Fences:
    """What is usual in one group; NaN where there is none.

    Attributes:
        own: whether these are the bounds of the group itself; else of all objects together.
        spike: the value that is never unusual.
        rare: whether being off the spike is unusual by itself.
        m: median, on the metric's scale.
        s_low: spread below the median, on that scale; NaN where that side is not judged.
        s_high: spread above it.
        low: values from here are usual, in the metric's unit; NaN where low ones are not judged.
        high: values up to here.
        severe_low: values below are severe; NaN where none is.
        severe_high: values above are.
    """

    own: bool
    spike: float
    rare: bool
    m: float
    s_low: float
    s_high: float
    low: float
    high: float
    severe_low: float
    severe_high: float


@dataclass(frozen=True)
class _Group:
    """The values of a group apart from its spike: how many of `n` they are, their median and spreads on the scale."""

    n: int
    judged: int
    spike: float
    m: float
    s_low: float
    s_high: float


def robust_fences(metric: Metric, groups: Sequence[Floats], everything: Floats) -> list[Fences]:
    """The bounds of the robust rule: of each group, and last of all objects together.

    With t the metric's scale (`scale_of`), m the median of t in the group, and a spread s of its own on each side, a value
    lies (t - m) / s robust standard deviations out; low and high are m -+ 3.5 s taken back from the scale, NaN on a side
    that is not bad or that no value can cross.

    s is the larger of |quartile - median| / 0.674 and |eighth - median| / 1.150, which are one for a bell. The quartile's
    alone is the median deviation of that side ("double MAD"), with the fences of Kimber, Applied Statistics 39 (1990); the
    eighth, the next of Tukey's letter values, widens them for heavy tails and for values in clumps, as sizes of photographs
    are. What an eighth of the objects on one side have in common is therefore never unusual.

    Categories: s is (n s + 20 s_all) / (n + 20), for few values say little about their spread; one with fewer than 20
    values has the bounds of all objects together, and these need 20 too.

    Zero inflation: a value that more than half of the group share, or one end of the metric's range that a quarter
    shares, is the spike. It is never unusual, nor is what lies between it and the others, which are compared with each
    other alone. Where they are at most
    1 % of all objects (`rare`), being off the spike is unusual by itself: low and high are the spike.

    Where the eighth and the median are one value, that side is not judged.

    Args:
        metric: says the scale and which end is bad.
        groups: the values of each category, ascending; none where categories are not told apart.
        everything: all values, ascending.
    """
    every = _group(metric, everything)
    rare = not np.isnan(every.spike) and every.judged <= _RARE * every.n
    found = [_group(metric, values) for values in groups]
    return [_fences(metric, one, every, rare, one.judged >= LEAST) for one in found] + [
        _fences(metric, every, every, rare, own=False)
    ]


def quartiles(everything: Floats) -> tuple[float, float]:
    """Lower and upper quartile of all values (ascending), which Encord Active's rule starts from; NaN without a value."""
    if not len(everything):
        return np.nan, np.nan
    lower, upper = _quantiles(everything, (0.25, 0.75))
    return float(lower), float(upper)


def _group(metric: Metric, values: Floats) -> _Group:
    n, spike = len(values), _spike(metric, values)
    if not np.isnan(spike):
        first, last = np.searchsorted(values, spike), np.searchsorted(values, spike, side="right")
        values = np.concatenate([values[:first], values[last:]])
    if not len(values):
        return _Group(n, 0, spike, np.nan, np.nan, np.nan)
    q = _quantiles(values, _LETTERS, metric)
    return _Group(
        n,
        len(values),
        spike,
        float(q[2]),
        float(max((q[2] - q[1]) / _QUARTILE, (q[2] - q[0]) / _EIGHTH)),
        float(max((q[3] - q[2]) / _QUARTILE, (q[4] - q[2]) / _EIGHTH)),
    )


def _spike(metric: Metric, values: Floats) -> float:
    n = len(values)
    if not n:
        return np.nan

    def share(value: float | None) -> int:
        if value is None:
            return 0
        return int(np.searchsorted(values, value, side="right") - np.searchsorted(values, value))

    at_low, at_high = share(metric.low), share(metric.high)
    if metric.low is not None and at_low >= _SPIKE_AT_END * n and at_low >= at_high:
        return float(metric.low)
    if metric.high is not None and at_high >= _SPIKE_AT_END * n:
        return float(metric.high)
    middle = float(values[(n - 1) // 2])
    return middle if share(middle) > _SPIKE * n else np.nan


def _quantiles(values: Floats, shares: Sequence[float], metric: Metric | None = None) -> Floats:
    """Quantiles of ascending values, linear between neighbours on the metric's scale."""
    place = np.array(shares) * (len(values) - 1)
    below = np.floor(place).astype(np.int64)
    low, high = values[below], values[np.minimum(below + 1, len(values) - 1)]
    if metric is not None:
        low, high = (scale_of(metric).there(side) for side in (low, high))
    return np.asarray(low + (high - low) * (place - below))


def _fences(metric: Metric, one: _Group, every: _Group, rare: bool, own: bool) -> Fences:
    m, s_low, s_high = np.nan, np.nan, np.nan
    if own:
        m = one.m
        s_low, s_high = (
            (one.judged * s + LEAST * (s if np.isnan(s_all) else s_all)) / (one.judged + LEAST)
            for s, s_all in ((one.s_low, every.s_low), (one.s_high, every.s_high))
        )
    elif every.judged >= LEAST:
        m, s_low, s_high = every.m, every.s_low, every.s_high
    s_low, s_high = (s if s else np.nan for s in (s_low, s_high))
    rare = rare and not own
    sides = {
        "low": _bounds(metric, one.spike, m, -s_low) if metric.bad in ("low", "both") else _NONE,
        "high": _bounds(metric, one.spike, m, s_high) if metric.bad in ("high", "both") else _NONE,
    }
    if rare:
        sides = {n: _NONE if b is _NONE else (every.spike, np.nan) for n, b in sides.items()}
    (low, severe_low), (high, severe_high) = sides["low"], sides["high"]
    return Fences(own, one.spike, rare, m, s_low, s_high, low, high, severe_low, severe_high)


_NONE = (np.nan, np.nan)


def _bounds(metric: Metric, spike: float, m: float, s: float) -> tuple[float, float]:
    """The moderate and the severe bound in the metric's unit; `s` is negative for the lower side."""
    scale, wider = scale_of(metric), min if s < 0 else max
    moderate, severe = (
        scale.back(t) if scale.low < (t := m + reach * s) < scale.high else np.nan
        for reach in (MODERATE, SEVERE)
    )
    if np.isnan(moderate) or np.isnan(spike):
        return moderate, severe
    return wider(moderate, spike), wider(severe, spike)
