"""How far probabilities are right: expected calibration error, the bins of the reliability diagram, calibration slope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from label_quality.store.calibrations import Bin, Reliability

BINS = 15
JUDGED_FROM = 0.1
"""Findings below this p_error are not judged: they are many, and nobody looks at them."""

_LEAST = 30  # findings that are judged at all
_EDGE = 1e-4  # probabilities are kept this far from 0 and 1 before their logits are taken


def reliability(p: NDArray[np.float64], errors: NDArray[np.float64]) -> Reliability:
    """Judge probabilities by what was an error.

    Args:
        p: (N,) probabilities, 0 to 1.
        errors: (N,) 1 for an error and 0 for none; what lies between is a share.

    The expected calibration error is the mean of |observed − predicted| over 15 bins of equally many findings, weighted by
    findings (Naeini, Cooper & Hauskrecht, AAAI 2015, with bins of equal mass); the slope is b of logit(observed) = a + b
    logit(predicted), fitted by maximum likelihood (Cox 1958): 1 is right, less is too sure. Only `p` of at least 0.1 counts.
    """
    judged = p >= JUDGED_FROM
    p, errors = p[judged], errors[judged].astype(np.float64)
    if len(p) < _LEAST:
        return Reliability()
    order = np.argsort(p, kind="stable")
    bins = tuple(
        Bin(len(part), float(p[part].mean()), float(errors[part].mean()))
        for part in np.array_split(order, min(BINS, len(p)))
    )
    off = sum(b.findings * abs(b.observed - b.predicted) for b in bins) / len(p)
    return Reliability(bins, float(off), _slope(p, errors))


def _slope(p: NDArray[np.float64], errors: NDArray[np.float64]) -> float | None:
    """The slope, None where it has no finite value or cannot be told."""
    logit = logits(p)
    if np.ptp(logit) < 1e-6 or not 0 < errors.mean() < 1:
        return None
    fitted = fit_logistic(logit, errors)
    return None if fitted is None else fitted[1]


def logits(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p / (1 − p)), with p kept away from 0 and 1."""
    p = np.clip(p, _EDGE, 1 - _EDGE)
    return np.log(p / (1 - p))


def fit_logistic(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    centre: tuple[float, float] = (0.0, 1.0),
    precision: tuple[float, float] = (0.0, 0.0),
) -> tuple[float, float] | None:
    """A and b of P(y) = 1 / (1 + exp(−a − b x)), by Newton's method; None where it does not converge.

    `precision` (1 / variance) draws a and b towards `centre`; 0 leaves them to the data alone.
    """
    beta, prior, weight = np.array(centre), np.array(centre), np.array(precision)
    design = np.column_stack([np.ones_like(x), x])
    for _ in range(100):
        mean = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (y - mean) - weight * (beta - prior)
        hessian = (design * (mean * (1 - mean))[:, None]).T @ design + np.diag(weight)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return None
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            return float(beta[0]), float(beta[1])
    return None
