"""How well a score finds what was planted: average precision, AUROC, precision and recall of the first of a ranking.

Belongs here: figures of merit over arrays. Does not belong here: which finding hits which error (`rescoring`).
All of them take `score` (n,), greater first; `hit` (n,) whether the row is an error; and where errors may be out of reach `total`, the
number of errors, those without a row included. Rows of equal score count as if in random order (the expectation over all orders), so that
a constant score has an average precision of about the share of hits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def average_precision(score: Floats, hit: Bools, total: int | None = None) -> float:
    """Area under precision over recall, 0 to 1; NaN where there are no errors.

    Within a group of equal scores that starts after `a` rows with `b` hits, the j-th of n rows is a hit with probability h / n, and then the
    expected precision there is (b + 1 + (j − 1) (h − 1) / (n − 1)) / (a + j).
    """
    total = int(hit.sum()) if total is None else total
    if not total:
        return float("nan")
    if not len(score):
        return 0.0
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], hit[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    n = np.diff(np.r_[starts, len(ranked)])
    h = np.add.reduceat(hits, starts)
    group = np.repeat(np.arange(len(starts)), n)
    before_hits = (np.cumsum(h) - h)[group]
    place = np.arange(len(ranked)) - starts[group]  # j − 1
    others = (h - 1)[group] / np.maximum(n - 1, 1)[group]
    precision = (before_hits + 1 + place * others) / (np.arange(len(ranked)) + 1)
    return float(((h / n)[group] * precision).sum() / total)


def auroc(score: Floats, hit: Bools) -> float:
    """The probability that a hit has the greater score than another row, ties counting one half; NaN without either."""
    positives = int(hit.sum())
    negatives = len(hit) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    below = np.cumsum(count) - count
    rank = (below + (count + 1) / 2)[place]
    return float((rank[hit].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def hits_within(score: Floats, hit: Bools, first: int) -> float:
    """Hits among the first so many rows; of the group of equal scores that is cut, its share."""
    if first <= 0 or not len(score):
        return 0.0
    if first >= len(score):
        return float(hit.sum())
    edge = np.partition(score, len(score) - first)[len(score) - first]
    above, at = score > edge, score == edge
    room = first - int(above.sum())
    return float(hit[above].sum() + room * hit[at].sum() / at.sum())


def precision_at(score: Floats, hit: Bools, first: int) -> float:
    """Share of hits among the first so many rows; rows that are not there are no hits."""
    return hits_within(score, hit, first) / first


def recall_at(score: Floats, hit: Bools, first: int, total: int) -> float:
    """Share of all errors that are among the first so many rows; NaN where there are none."""
    return hits_within(score, hit, first) / total if total else float("nan")
