"""What reviewing finds and costs: expected recall at review budgets, and the cut that the queue begins with.

All of it follows from p_error of the data's own findings and from which planted errors findings named. Errors that no finding
names, at any score, count as not found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_quality.schema import ERROR_TYPES
from label_quality.store.calibrations import Budget

BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Findings that are looked at, as a share of the labels."""


@dataclass(frozen=True)
class Expected:
    """What recall is computed from.

    Attributes:
        own: (N,) p_error of the data's own findings.
        kinds: (E,) type of each planted error, its place in `ERROR_TYPES`.
        best: (E,) greatest p_error of a finding that names it, NaN for none.
        errors: for each type how many errors the data are expected to hold, found or not.
        labels: how many labels there are.
    """

    own: NDArray[np.float64]
    kinds: NDArray[np.int64]
    best: NDArray[np.float64]
    errors: NDArray[np.float64]
    labels: int

    def recall(self, cut: float) -> NDArray[np.float64]:
        """For each type the share of planted errors that a finding of at least `cut` names; NaN where none was planted."""
        found = np.nan_to_num(self.best, nan=-1.0) >= cut
        planted = np.bincount(self.kinds, minlength=len(ERROR_TYPES))
        hit = np.bincount(self.kinds[found], minlength=len(ERROR_TYPES))
        nothing = np.full(len(ERROR_TYPES), np.nan)
        return np.asarray(np.divide(hit, planted, out=nothing, where=planted > 0), np.float64)


def recall_at_budgets(expected: Expected) -> list[Budget]:
    """For each of `BUDGETS` the recall by type, and of all errors ("any"), weighed by how many of a type are expected."""
    ranked = np.sort(expected.own)[::-1]
    out: list[Budget] = []
    for budget in BUDGETS:
        n = min(round(budget * expected.labels), len(ranked))
        if not n:
            continue
        recall = expected.recall(float(ranked[n - 1]))
        precision = float(ranked[:n].mean())
        known = np.isfinite(recall)
        weight = expected.errors[known]
        every = float(recall[known] @ weight / weight.sum()) if weight.sum() > 0 else 0.0
        out.append(Budget("any", budget, n, every, precision))
        out += [
            Budget(kind, budget, n, float(r), precision)
            for kind, r in zip(ERROR_TYPES, recall, strict=True)
            if np.isfinite(r)
        ]
    return out


def default_cut(own: NDArray[np.float64]) -> float:
    """The p_error from which on findings are shown first: the lowest one above which at least half are expected to be errors.

    At most 0.5, as where there are no such findings, and at least 0.25. `own`: (N,) p_error of the data's own findings.
    """
    ranked = np.sort(own)[::-1]
    half = np.flatnonzero(np.cumsum(ranked) >= 0.5 * np.arange(1, len(ranked) + 1))
    return float(np.clip(math.floor(100 * ranked[half[-1]]) / 100, 0.25, 0.5)) if len(half) else 0.5
