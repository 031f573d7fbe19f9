"""Intervals of shares: of one stratum, after drawing some of it at random. Nothing is read here."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95


def jeffreys(
    errors: ArrayLike, sampled: ArrayLike, units: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share of errors with its 95 % interval for each stratum: `errors` of `sampled` that were drawn from `units`.

    Jeffreys' interval (Brown, Cai & DasGupta 2001), which is Clopper and Pearson's with half a count less at either end, of
    a sample that counts as (units - 1) / (units - sampled) times as large as it is, since it was drawn without putting
    back. Where nothing was drawn the share is NaN and the interval 0 to 1; where all was drawn it is the share itself.
    """
    from scipy.special import betaincinv  # noqa: PLC0415  # takes longer to import than all the rest

    y, n, whole = (np.asarray(a, dtype=np.float64) for a in (errors, sampled, units))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = y / n
        larger = (whole - 1) / (whole - n)
        right, left = (n - y) * larger, y * larger
        low = np.where(y == 0, 0.0, betaincinv(left + 0.5, right + 0.5, (1 - LEVEL) / 2))
        high = np.where(y == n, 1.0, betaincinv(left + 0.5, right + 0.5, (1 + LEVEL) / 2))
    everything, nothing = n >= whole, n == 0
    low = np.where(nothing, 0.0, np.where(everything, share, low))
    high = np.where(nothing, 1.0, np.where(everything, share, high))
    return share, low, high
