"""How many of the findings are errors, when all that is known is how errors score: mixture proportion estimation.

The scores of the data's own findings are a mixture of errors, which score as planted ones do, and of false alarms, of which
nothing is known. So at any cut there are at most as many errors as findings, and the cut that leaves the least room says the
most. This is best bin estimation (Garg, Wu, Balakrishnan & Lipton, "Mixture Proportion Estimation and PU Learning: A Modern Approach",
2021), with Poisson and binomial limits, since its own (Hoeffding's) are far too wide for rare errors. It takes the best findings for
errors, all of them, so it is an upper estimate: right where false alarms score lower than errors, too high where they do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_Z = 1.0  # standard deviations of doubt, in both counts, that a cut has to stand
# Cuts, by the share of the planted errors above them. Few: among many one leaves little room by chance.
_CUTS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
_LEAST = 10  # planted errors, for anything to be said


def at_most(own: Floats, planted: Floats) -> float:
    """The greatest number of errors among findings that the scores leave room for.

    Args:
        own: (N,) scores of the findings about the data as it is, 0 to 1.
        planted: (M,) scores of findings that name planted errors.

    Returns:
        Between 0 and N; 0 where there are fewer than 10 planted scores.
    """
    if len(own) == 0 or len(planted) < _LEAST:
        return 0.0
    cuts = np.unique(np.quantile(planted, 1 - _CUTS))
    share = _share_above(planted, cuts)
    n = len(own) * _share_above(own, cuts)
    doubt = share - _Z * np.sqrt(share * (1 - share) / len(planted))
    most = (n + _Z**2 / 2 + _Z * np.sqrt(n + _Z**2 / 4)) / np.maximum(doubt, 1e-9)
    best = int(np.argmin(most))
    return float(min(n[best] / share[best], len(own)))


def _share_above(scores: Floats, cuts: Floats) -> Floats:
    """The share of `scores` at or above each of the `cuts`."""
    return 1.0 - np.searchsorted(np.sort(scores), cuts, side="left") / len(scores)
