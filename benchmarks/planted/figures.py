"""Figures of merit of a ranking, and their spread over images.

An error that several candidates hit counts once, by its best; its other candidates are passed over. Errors that no candidate hits are in the
denominator. Ties are broken at random, by a seed that all methods share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from label_quality.planting import measures

FIRST = (20, 50, 100)
BUDGETS = (0.01, 0.05, 0.10, 0.20)
REPLICATES = 400


@dataclass(frozen=True)
class Candidates:
    """What is ranked: score, image (number) and error (−1: none) of each; and the images of all errors."""

    score: np.ndarray
    image: np.ndarray
    error: np.ndarray
    error_image: np.ndarray


def within(c: Candidates, images: np.ndarray) -> Candidates:
    """Those of the images marked in `images` (M,)."""
    keep = images[c.image]
    return Candidates(
        c.score[keep], c.image[keep], c.error[keep], c.error_image[images[c.error_image]]
    )


def ranked(c: Candidates, seed: int) -> Candidates:
    """From the most suspicious on, every error at its best place only."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(c.score)), -c.score))
    error = c.error[order]
    first = np.zeros(len(order), bool)
    first[np.unique(error, return_index=True)[1]] = True
    order = order[first | (error < 0)]
    return Candidates(c.score[order], c.image[order], c.error[order], c.error_image)


def image_weights(images: np.ndarray, seed: int, replicates: int = REPLICATES) -> np.ndarray:
    """How often each image is drawn (1 + replicates, M): first each once, then with replacement among those marked."""
    mine = np.flatnonzero(images)
    draws = np.random.default_rng(seed).integers(0, len(mine), (replicates, len(mine)))
    weights = np.zeros((replicates + 1, len(images)), np.float32)
    weights[0, mine] = 1
    for k, draw in enumerate(draws, start=1):
        weights[k] = np.bincount(mine[draw], minlength=len(images))
    return weights


def average_precisions(r: Candidates, weights: np.ndarray) -> np.ndarray:
    """Average precision of a ranking for each draw of images; NaN where a draw has no errors.

    The rows up to each hit are counted by image once; a draw then weighs the images.
    """
    total = weights[:, r.error_image].sum(1)
    hits = np.flatnonzero(r.error >= 0)
    if not len(hits):
        return np.where(total > 0, 0.0, np.nan)
    rows = np.arange(hits[-1] + 1)
    step = np.searchsorted(hits, rows)
    cells = r.image[rows] * len(hits) + step
    counts = np.bincount(cells, minlength=weights.shape[1] * len(hits))
    above = np.cumsum(counts.reshape(weights.shape[1], len(hits)), 1, dtype=np.float32)
    own = weights[:, r.image[hits]]
    found, looked = np.cumsum(own, 1), weights @ above
    precision = np.divide(found, looked, out=np.zeros_like(found), where=looked > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (own * precision).sum(1) / total, np.nan)


def points(r: Candidates, labels: int) -> dict[str, float]:
    """AUROC, precision of the first 20, 50, 100, and recall of all errors at 1, 5, 10 and 20 % of the labels reviewed."""
    hit = r.error >= 0
    place = -np.arange(len(hit), dtype=np.float64)
    out = {"AUROC": measures.auroc(r.score, hit)}
    out |= {f"P@{n}": measures.precision_at(place, hit, n) for n in FIRST}
    total = len(r.error_image)
    for share in BUDGETS:
        out[f"R@{share:.0%}"] = measures.recall_at(place, hit, round(share * labels), total)
    return out


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The first value, and the central 95 % of the others."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return float(values[0]), float(low), float(high)


def over_seeds(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Means over seeds (S, 1 + B) -> (1 + B,): of all, and in each replicate of seeds drawn with replacement."""
    seeds, replicates = values.shape
    draw = np.random.default_rng(seed).integers(0, seeds, (seeds, replicates - 1))
    resampled = np.take_along_axis(values[:, 1:], draw, 0)
    return np.concatenate([[np.nanmean(values[:, 0])], np.nanmean(resampled, 0)])
