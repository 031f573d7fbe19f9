"""The scale on which a metric's values are compared, as SQL: t(value) and the way back from t.

Sizes are compared by their logarithm, shares (0 to 1) by their log odds, all else as it is: on these scales the values of
one kind of object are near enough to a bell for one threshold to mean the same for every metric. Log odds for shares:
Warton and Hui, The arcsine is asinine, Ecology 92 (2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from label_quality.registry import Metric

MODERATE = 3.5
"""Robust standard deviations from the median: Iglewicz and Hoaglin, How to detect and handle outliers, 1993."""
SEVERE = 5.0
_END = 0.01  # a share nearer to 0 or 1 counts as this far from it: no measurement tells 0.001 from 0.002 of a mask
_SMALLEST = 1e-12  # what has a size has a logarithm; 0 is then very far out, as it should be


@dataclass(frozen=True)
class Scale:
    """A monotone map of a metric's values; all three are SQL, with ``{}`` for the argument.

    `low` and `high` are the ends of what `there` can give (NULL: none): no value is unusual by lying beyond one.
    """

    there: str
    back: str
    low: str = "NULL"
    high: str = "NULL"


_LINEAR = Scale("{}", "{}")
_LOG = Scale(f"ln(greatest({{}}, {_SMALLEST}))", "exp(least({}, 700))")
_LOG_ODDS = Scale(
    f"ln(least(greatest({{0}}, {_END}), {1 - _END}) / (1 - least(greatest({{0}}, {_END}), {1 - _END})))",
    "1 / (1 + exp(-greatest({}, -700)))",
    f"ln({_END} / {1 - _END})",
    f"ln({1 - _END} / {_END})",
)


def scale_of(metric: Metric) -> Scale:
    """The scale of a metric: log where it says so, log odds where its range is 0 to 1, else linear."""
    if metric.scale == "log":
        return _LOG
    return _LOG_ODDS if (metric.low, metric.high) == (0, 1) else _LINEAR
