"""Intervals of shares: of one stratum, after drawing some of it at random. Nothing is read here."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
_COUNT = 2 / 3
"""Half a count is Jeffreys' interval, which held the truth too seldom where errors are rare; a whole one Clopper and
Pearson's, which is wider than it need be. Chosen by benchmarks/rates.py on simulations of its own."""


def share_interval(
    errors: ArrayLike, sampled: ArrayLike, units: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share of errors with its 95 % interval for each stratum: `errors` of `sampled` that were drawn from `units`.

    The beta quantiles of Clopper and Pearson's interval with `_COUNT` of a count added at either end (Brown, Cai & DasGupta
    2001), of a sample that counts as (units - 1) / (units - sampled) times as large as it is, since it was drawn without
    putting back. Where nothing was drawn the share is NaN and the interval 0 to 1; where all was drawn it is the share itself.
    """
    from scipy.special import betaincinv  # noqa: PLC0415  # takes longer to import than all the rest

    y, n, whole = (np.asarray(a, dtype=np.float64) for a in (errors, sampled, units))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = y / n
        larger = (whole - 1) / (whole - n)
        right, left = (n - y) * larger, y * larger
        less, more = left + 1 - _COUNT, right + 1 - _COUNT
        low = np.where(y == 0, 0.0, betaincinv(less, right + _COUNT, (1 - LEVEL) / 2))
        high = np.where(y == n, 1.0, betaincinv(left + _COUNT, more, (1 + LEVEL) / 2))
    everything, nothing = n >= whole, n == 0
    low = np.where(nothing, 0.0, np.where(everything, share, low))
    high = np.where(nothing, 1.0, np.where(everything, share, high))
    return share, low, high
