"""How many of the findings are errors, when all that is known is how errors score: mixture proportion estimation.

The scores of the data's own findings are a mixture of errors, which score as planted ones do, and of false alarms, of which
nothing is known. So at any cut there are at most as many errors as findings, and the cut that leaves the least room says the
most. That is best bin estimation (Garg, Wu, Balakrishnan & Lipton, "Mixture Proportion Estimation and PU Learning: A Modern
Approach", 2021), here with Poisson and binomial limits, since its own (Hoeffding's) are far too wide for rare errors. It takes the
findings at the chosen cut for errors, all of them: an upper estimate, which only people's verdicts can lower.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Z = 1.0  # standard deviations of doubt, in both counts, that a cut has to stand
_LEAST_SHARE = 0.05  # of the planted errors that are found must lie above a cut, for that to say anything
_LEAST = 10  # and so many of them


def errors_among(own: NDArray[np.float64], planted: NDArray[np.float64]) -> float:
    """The expected number of errors among findings.

    Args:
        own: (N,) scores of the findings about the data as it is, 0 to 1.
        planted: (M,) scores of findings that name planted errors.

    Returns:
        Between 0 and N; 0 where there are fewer than 10 planted scores.
    """
    if len(own) == 0 or len(planted) < _LEAST:
        return 0.0
    cuts = np.unique(planted)
    share = _share_above(planted, cuts)
    n = len(own) * _share_above(own, cuts)
    counts = (share >= _LEAST_SHARE) & (share * len(planted) >= _LEAST)
    cuts, share, n = cuts[counts], share[counts], n[counts]
    doubt = share - _Z * np.sqrt(share * (1 - share) / len(planted))
    most = (n + _Z**2 / 2 + _Z * np.sqrt(n + _Z**2 / 4)) / np.maximum(doubt, 1e-9)
    best = int(np.argmin(most))
    return float(min(n[best] / share[best], len(own)))


def _share_above(scores: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of `scores` at or above each of the `cuts`."""
    return 1.0 - np.searchsorted(np.sort(scores), cuts, side="left") / len(scores)
