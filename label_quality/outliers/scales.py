"""The scale on which a metric's values are compared: t(value) and the way back from t.

Sizes are compared by their logarithm, shares (0 to 1) by their log odds, all else as it is: on these scales the values of
one kind of object are near enough to a bell for one threshold to mean the same for every metric. Log odds for shares:
Warton and Hui, The arcsine is asinine, Ecology 92 (2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from label_quality.registry import Metric

MODERATE = 3.5
"""Robust standard deviations from the median: Iglewicz and Hoaglin, How to detect and handle outliers, 1993."""
SEVERE = 5.0
_END = 0.01  # a share nearer to 0 or 1 counts as this far from it: no measurement tells 0.001 from 0.002 of a mask
_SMALLEST = 1e-12  # what has a size has a logarithm; 0 is then very far out, as it should be


@dataclass(frozen=True)
class Scale:
    """A monotone map of a metric's values and its inverse.

    `low` and `high` are the ends of what `there` can give: no value is unusual by lying beyond one.
    """

    there: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    back: Callable[[float], float]
    low: float = -math.inf
    high: float = math.inf


def _log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(values, _SMALLEST)))


def _log_odds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    share = np.clip(values, _END, 1 - _END)
    return np.asarray(np.log(share / (1 - share)))


_LINEAR = Scale(lambda values: values, lambda t: t)
_LOG = Scale(_log, lambda t: math.exp(min(t, 700.0)))
_LOG_ODDS = Scale(
    _log_odds,
    lambda t: 1 / (1 + math.exp(-max(t, -700.0))),
    math.log(_END / (1 - _END)),
    math.log((1 - _END) / _END),
)


def scale_of(metric: Metric) -> Scale:
    """The scale of a metric: log where it says so, log odds where its range is 0 to 1, else linear."""
    if metric.scale == "log":
        return _LOG
    return _LOG_ODDS if (metric.low, metric.high) == (0, 1) else _LINEAR
