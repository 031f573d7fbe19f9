"""The monotone map from score to p_error of one error type.

p(s) = K f(s) / n(s): K errors are expected among the findings (`proportion`), f is how planted errors score, n how many findings
there are. Both are counted between quantiles of the planted scores, the ratio is made monotone by isotonic regression, and
the middles of its steps are joined by lines, so that two findings of unlike scores keep their order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from label_quality.findings.confidence import monotone
from label_quality.store.calibrations import Curve

_BINS = 40
_A_BIN = 8  # planted scores at least
_HALF = 0.5  # Jeffreys' prior: no bin of findings is certain to be all errors, or none
_HIGHEST = 0.999


def fit_curve(
    own: NDArray[np.float64], planted: NDArray[np.float64], errors: float
) -> Curve:
    """p_error over the score.

    Args:
        own: (N,) scores of the findings about the data as it is, 0 to 1.
        planted: (M,) scores of findings that name planted errors, 0 to 1, M at least 1.
        errors: how many of `own` are expected to be errors, 0 to N.
    """
    bins = int(np.clip(len(planted) // _A_BIN, 1, _BINS))
    edges = np.unique(np.quantile(planted, np.arange(1, bins) / bins))
    in_bin = len(edges) + 1
    place = np.searchsorted(edges, own, side="right")
    found = np.bincount(np.searchsorted(edges, planted, side="right"), minlength=in_bin)
    n = np.bincount(place, minlength=in_bin) + 2 * _HALF
    # More errors than findings in a bin are chance, which the neighbours make up for.
    p = monotone((errors * found / len(planted) + _HALF) / n, n)
    every = np.concatenate([own, planted])
    weight = np.concatenate([np.ones(len(own)), np.full(len(planted), 1e-3)])
    of_every = np.concatenate([place, np.searchsorted(edges, planted, side="right")])
    mass = np.bincount(of_every, weight, minlength=in_bin)
    scores = np.bincount(of_every, weight * every, minlength=in_bin)
    first = np.flatnonzero(np.diff(p, prepend=-1.0) > 0)  # bin of each step of the stairs
    return _joined(
        np.add.reduceat(scores, first) / np.add.reduceat(mass, first), np.minimum(p[first], _HIGHEST)
    )


def evaluate(curve: Curve, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """p_error of each of the `scores`, (N,) each."""
    return np.interp(scores, curve.scores, curve.p_errors)


def _joined(scores: NDArray[np.float64], p: NDArray[np.float64]) -> Curve:
    """Lines between the middles of steps, and on beyond them by half a step: at the ends too p rises with the score."""
    p = np.maximum.accumulate(np.clip(p, 1e-6, _HIGHEST))
    low = p[0] / 2
    high = p[-1] + min((p[-1] - (p[-2] if len(p) > 1 else low)) / 2, (_HIGHEST - p[-1]) / 2)
    inside = (scores > 0) & (scores < 1)
    s = [0.0, *scores[inside].tolist(), 1.0]
    return Curve(tuple(s), (float(low), *p[inside].tolist(), float(high)))
