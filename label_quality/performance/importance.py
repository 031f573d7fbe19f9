"""Metric importance: how much a metric tells about whether a model is right. The statistics; ``relations`` feeds them.

Importance is Theil's U: (H(Y) - H(Y | X)) / H(Y), with Y right or wrong and X the decile of the metric. It is the share of
the uncertainty about right or wrong that knowing the decile removes: 0 to 1, the same under any monotone change of the
metric, and blind neither to a relation that goes up and down again nor to ties. (Theil, On the estimation of
relationships involving qualitative variables, American Journal of Sociology 76, 1970.)

Correlation is the rank-biserial one, 2 AUC - 1: the chance that the metric is higher for a right one than for a wrong one,
minus the opposite. (Cureton, Rank-biserial correlation, Psychometrika 21, 1956; here with Wendt's formula of 1972.)

Objects of one image are alike, so images are what the bootstrap draws. From the same draws comes the bias that is taken
off: chance alone makes U positive. (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]

BINS = 10
DRAWS = 200
_SEED = 20_240_229
_Z = 1.959963984540054


@dataclass(frozen=True)
class Importance:
    """Importance with its 95 % interval, all 0 to 1; None where all are right, all are wrong, or there is one image."""

    importance: float | None
    low: float | None
    high: float | None


def draw_images(images: int) -> _Floats:
    """How often each of `images` images is drawn in each bootstrap sample: float64 (`DRAWS`, images). Always the same."""
    rng = np.random.default_rng(_SEED)
    if not images:
        return np.zeros((DRAWS, 0))
    return cast(_Floats, rng.multinomial(images, np.full(images, 1 / images), DRAWS).astype(float))


def quantile_bins(values: _Floats) -> _Ints:
    """The bin of each value, int64 (n,): at most `BINS`, equally full but that equal values share one."""
    steps = np.arange(1, BINS) / BINS
    edges = np.unique(np.quantile(values, steps, method="inverted_cdf"))
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def importance(values: _Floats, right: _Bools, image: _Ints, draws: _Floats) -> Importance:
    """Theil's U of `right` given the decile of `values`, bias taken off, with an interval.

    Args:
        values: float64 (n,), finite.
        right: bool (n,), whether each is a TP.
        image: int64 (n,), the column of `draws` that each belongs to.
        draws: float64 (draws, images) of `draw_images`.
    """
    if len(np.unique(right)) < 2 or len(np.unique(image)) < 2:
        return Importance(None, None, None)
    cells = 2 * BINS
    cell = image * cells + 2 * quantile_bins(values) + right
    counts = np.bincount(cell, minlength=draws.shape[1] * cells).reshape(-1, cells).astype(float)
    observed = _theils_u(counts.sum(0)[None])[0]
    drawn = _theils_u(draws @ counts)
    best = 2 * observed - drawn.mean()
    half = _Z * drawn.std(ddof=1)
    low, middle, high = np.clip([best - half, best, best + half], 0, 1)
    return Importance(float(middle), float(low), float(high))


def rank_biserial(values: _Floats, right: _Bools) -> float | None:
    """2 AUC - 1 of `values` (float64 (n,)) for `right` (bool (n,)), ties counting half; None without both of them."""
    hits = int(right.sum())
    misses = len(right) - hits
    if not hits or not misses:
        return None
    ranks = rankdata(values)
    return float(2 * (ranks[right].mean() - ranks[~right].mean()) / len(right))


def _theils_u(counts: _Floats) -> _Floats:
    """U of each row of `counts`: float64 (samples, bins * 2), the last axis bin by bin wrong and right."""
    table = counts.reshape(len(counts), -1, 2)
    outcome = _entropy(table.sum(1))
    in_bin = table.sum(2)
    given = (in_bin * _entropy(table)).sum(1) / np.maximum(in_bin.sum(1), 1)
    share = np.zeros_like(outcome)
    np.divide(outcome - given, outcome, out=share, where=outcome > 0)
    return share


def _entropy(counts: _Floats) -> _Floats:
    """Entropy in nats over the last axis."""
    share = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
    return cast(_Floats, -(share * np.log(np.where(share > 0, share, 1))).sum(-1))
