"""How many of the findings are errors, when all that is known is how errors score: mixture proportion estimation.

The scores of the data's own findings are a mixture of errors, which score as planted ones do, and of false alarms, of which
nothing is known. That says no more than bounds:

- *at most*: at any cut there are at most as many errors as findings, and the cut that leaves the least room says the most. This is
  best bin estimation (Garg, Wu, Balakrishnan & Lipton, "Mixture Proportion Estimation and PU Learning: A Modern Approach", 2021), with
  Poisson and binomial limits, since its own (Hoeffding's) are far too wide for rare errors. It takes the best findings for errors.
- *at least*: what exceeds false alarms whose density is smooth (the two-groups model of Efron, 2004, with the planted errors as the
  group that is known, the other one log-quadratic, by maximum likelihood).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_Z = 1.0  # standard deviations of doubt, in both counts, that a cut has to stand
# Cuts, by the share of the planted errors above them. Few: among many one leaves little room by chance.
_CUTS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
_LEAST = 10  # planted errors, for anything to be said
_BINS, _DEGREE, _ROUNDS = 40, 2, 200


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


def at_least(own: Floats, planted: Floats) -> float:
    """The number of errors among findings that smooth false alarms do not explain; arguments as of `at_most`."""
    if len(own) == 0 or len(planted) < _LEAST:
        return 0.0
    edges = np.linspace(min(own.min(), planted.min()), 1, _BINS + 1)
    n = np.histogram(own, edges)[0].astype(np.float64)
    known = np.histogram(planted, edges)[0] + 0.25
    known = known / known.sum()
    design = np.vander(np.linspace(-1, 1, _BINS), _DEGREE + 1, increasing=True)
    tried = [_two_groups(n, known, design, start) for start in (0.05, 0.5)]
    return float(min(max(tried)[1], len(own)))


def _two_groups(n: Floats, known: Floats, design: Floats, start: float) -> tuple[float, float]:
    """Log-likelihood and number of errors, by expectation maximisation from a share `start` on."""
    errors = start * n.sum()
    beta = np.zeros(design.shape[1])
    beta[0] = np.log((1 - start) * n.sum() / len(n) + 1e-3)
    for _ in range(_ROUNDS):
        alarms = _density(design, beta)
        share = errors * known / (errors * known + alarms)
        before, errors = errors, float((n * share).sum())
        for _ in range(2):  # Newton's steps of a Poisson regression, with a slight ridge
            alarms = _density(design, beta)
            ridge = 1e-3 * np.eye(len(beta))
            step = np.linalg.solve(
                (design * alarms[:, None]).T @ design + ridge,
                design.T @ (n * (1 - share) - alarms) - 1e-3 * beta,
            )
            beta = beta + np.clip(step, -2, 2)
        if abs(errors - before) < 1e-3:
            break
    mean = errors * known + _density(design, beta)
    return float((n * np.log(mean) - mean).sum()), errors


def _density(design: Floats, beta: Floats) -> Floats:
    return np.exp(np.clip(design @ beta, -30, 30))


def _share_above(scores: Floats, cuts: Floats) -> Floats:
    """The share of `scores` at or above each of the `cuts`."""
    return 1.0 - np.searchsorted(np.sort(scores), cuts, side="left") / len(scores)
