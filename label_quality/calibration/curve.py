"""The monotone map from score to p_error of one error type.

p(s) = K f(s) / n(s): K errors are expected among the findings (`proportion`), f is how planted errors score, n how many findings
there are. Both are counted between quantiles of the planted scores, and the ratio is made monotone by isotonic regression. Its steps
are a little inclined, so that two findings of unlike scores keep their order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from label_quality.findings.confidence import monotone
from label_quality.store.calibrations import Curve

_BINS = 40
_A_BIN = 8  # planted scores at least
_PRIOR = 0.2  # findings more in each bin, half of them errors: none is certain to be all errors
_LOWEST, _HIGHEST = 1e-6, 0.995  # of a step; the last one rises a little from there
_INCLINED = 0.5  # of the way to the middle between two steps
_EDGE = 1e-3  # share of a step's width at either end, over which the curve goes to the next one


def fit_curve(own: NDArray[np.float64], planted: NDArray[np.float64], errors: float) -> Curve:
    """p_error over the score.

    Args:
        own: (N,) scores of the findings about the data as it is, 0 to 1.
        planted: (M,) scores of findings that name planted errors, 0 to 1, M at least 1.
        errors: how many of `own` are expected to be errors, 0 to N.
    """
    bins = int(np.clip(len(planted) // _A_BIN, 1, _BINS))
    edges = np.unique(np.quantile(planted, np.arange(1, bins) / bins))
    edges = edges[(edges > 0) & (edges < 1)]
    in_bin = len(edges) + 1
    place = np.searchsorted(edges, own, side="right")
    found = np.bincount(np.searchsorted(edges, planted, side="right"), minlength=in_bin)
    n = np.bincount(place, minlength=in_bin).astype(np.float64) + _PRIOR
    # More errors than findings in a bin are chance, which the neighbours make up for.
    p = monotone((errors * found / len(planted) + _PRIOR / 2) / n, n)
    p = np.clip(p, _LOWEST, _HIGHEST)
    first = np.flatnonzero(
        np.diff(p, prepend=-1.0) > 0
    )  # the bin that each step of the stairs begins with
    bounds = np.concatenate([[0.0], edges[first[1:] - 1], [1.0]])
    return _stairs(bounds, p[first])


def evaluate(curve: Curve, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """p_error of each of the `scores`, (N,) each."""
    return np.interp(scores, curve.scores, curve.p_errors)


def _stairs(bounds: NDArray[np.float64], p: NDArray[np.float64]) -> Curve:
    """Steps between `bounds` (K + 1) at `p` (K), each a little inclined: findings of unlike scores keep their order."""
    middles = np.concatenate([[p[0] / 2], (p[1:] + p[:-1]) / 2])
    ends = np.append(middles, p[-1] + min(p[-1] - middles[-1], (1 - p[-1]) / 2))
    low = p - _INCLINED * (p - ends[:-1])
    high = p + _INCLINED * (ends[1:] - p)
    width = np.diff(bounds) * _EDGE
    scores = np.column_stack([bounds[:-1] + width, bounds[1:] - width]).ravel()
    return Curve(tuple(scores.tolist()), tuple(np.column_stack([low, high]).ravel().tolist()))
