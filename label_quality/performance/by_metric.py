"""Precision, or the rate of labels that are not found, in quantile bins of a metric. The statistics; ``relations`` feeds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from label_quality.performance.importance import BINS, Z

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Binned:
    """The bins of one metric, B of them, from the lowest values on; none is empty.

    Attributes:
        low: (B,) lowest value in each bin.
        high: (B,) highest value.
        count: (B,) objects.
        value: (B,) share of them that is counted, 0 to 1.
        value_low: (B,) lower end of its 95 % interval (Wilson, JASA 22, 1927).
        value_high: (B,) upper end.
    """

    low: _Floats
    high: _Floats
    count: _Ints
    value: _Floats
    value_low: _Floats
    value_high: _Floats


def bins_of_objects(values: _Floats, counted: _Bools) -> Binned:
    """Bins that end at the deciles of `values`, float64 (n,), finite; equal values share one. `counted`: bool (n,)."""
    ordered = np.sort(values)
    n = len(ordered)
    # The value of which a tenth, two tenths ... are no larger.
    edges = ordered[[max(n - int(np.floor(n - n * (k / BINS))), 1) - 1 for k in range(1, BINS)]]
    ends = np.append(np.searchsorted(ordered, edges, side="right"), n)
    found = np.bincount(np.searchsorted(edges, values[counted]), minlength=BINS)
    starts = np.append(0, ends[:-1])
    some = np.flatnonzero(ends > starts)
    return _binned(
        ordered[starts[some]], ordered[ends[some] - 1], (ends - starts)[some], found[some]
    )


def bins_of_images(values: _Floats, objects: _Ints, counted: _Ints) -> Binned:
    """The same deciles of objects, from the value of each image, how many objects it has and how many are counted; (n,)."""
    values, place = np.unique(values, return_inverse=True)
    n, k = (np.bincount(place, v).astype(np.int64) for v in (objects, counted))
    before = np.cumsum(n) - n
    bins = np.floor(BINS * before / max(int(n.sum()), 1))
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    ends = np.append(starts[1:], len(values))
    n, k = (np.add.reduceat(v, starts) if len(v) else v for v in (n, k))
    return _binned(values[starts], values[ends - 1] if len(values) else values, n, k)


def _binned(low: _Floats, high: _Floats, n: _Ints, k: _Ints) -> Binned:
    middle = (k + Z**2 / 2) / (n + Z**2)
    half = Z / (n + Z**2) * np.sqrt(k * (n - k) / n + Z**2 / 4)
    return Binned(
        low, high, n, k / n, np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
    )
