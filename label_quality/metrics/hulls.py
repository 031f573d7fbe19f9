"""Areas of the convex hulls of many groups of points at once, in array code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 40


def hull_areas(
    x: NDArray[np.float64], y: NDArray[np.float64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Area of the convex hull of each group of points, float64 (n,) in px²; 0 where all points lie on a line.

    `starts` are the places in `x` and `y` where the groups begin; none is empty.

    A hull is an upper and a lower chain over x. From all points in order of x, every point that lies on or below the line
    between its two neighbours is taken out of the upper chain, all such points at once, until there is none: a point below
    a line between two points is no corner of the hull, whichever of the others go. A dozen rounds do for nearly all; the few
    chains that need more are left to Qhull.
    """
    groups = len(starts)
    sizes = np.diff(np.append(starts, len(x)))
    group = np.repeat(np.arange(groups), sizes)
    order = np.lexsort((x, group))
    by_x, by_y = x[order], y[order]  # the order of the groups stays
    new = np.flatnonzero(np.r_[True, (group[1:] != group[:-1]) | (by_x[1:] != by_x[:-1])])
    group, chain = group[new], by_x[new]
    upper, open_above = _area_under(group, chain, np.maximum.reduceat(by_y, new), groups)
    lower, open_below = _area_under(group, chain, -np.minimum.reduceat(by_y, new), groups)
    out = np.maximum(upper + lower, 0.0)
    for one in np.flatnonzero(open_above | open_below):
        some = slice(starts[one], starts[one] + sizes[one])
        out[one] = _by_qhull(x[some], y[some])
    return out


def _area_under(
    group: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Area under the upper chain of each group, (groups,), and which chains were not finished."""
    area, unfinished = np.zeros(groups), np.zeros(groups, bool)
    for _ in range(_ROUNDS):
        sunk = np.zeros(len(x), bool)
        if len(x) > 2:
            cross = (x[1:-1] - x[:-2]) * (y[2:] - y[:-2]) - (y[1:-1] - y[:-2]) * (x[2:] - x[:-2])
            sunk[1:-1] = (cross >= 0) & (group[2:] == group[:-2])
        unfinished[:] = False
        unfinished[group[sunk]] = True
        going = unfinished[group]
        area += _trapezoids(group[~going], x[~going], y[~going], groups)
        if not going.any():
            break
        going &= ~sunk
        group, x, y = group[going], x[going], y[going]
    return area, unfinished


def _trapezoids(
    group: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64], groups: int
) -> NDArray[np.float64]:
    strips = np.where(group[1:] == group[:-1], (x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2, 0.0)
    return np.bincount(group[1:], strips, groups)


def _by_qhull(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    from scipy.spatial import ConvexHull, QhullError  # noqa: PLC0415  0.2 s to import, hardly ever needed

    try:
        return float(ConvexHull(np.stack([x, y], axis=1)).volume)
    except QhullError:  # all points lie on a line
        return 0.0
