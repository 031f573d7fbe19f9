"""Areas of the convex hulls of many groups of points at once, in array code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 40
_EXACT = 2.0**38  # below it, a float64 still holds a ten-thousandth of a pixel


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
    sizes = np.diff(np.append(starts, len(x)))
    group = np.repeat(np.arange(len(starts)), sizes)
    order = _sorted(group, x)
    by_x, by_y = x[order], y[order]  # the order of the groups stays
    # Above and below the line from the first to the last point of each group.
    last = starts + sizes - 1
    slope = np.zeros(len(starts))
    np.divide(
        by_y[last] - by_y[starts],
        by_x[last] - by_x[starts],
        out=slope,
        where=by_x[last] > by_x[starts],
    )
    height = by_y - by_y[starts][group] - slope[group] * (by_x - by_x[starts][group])
    ends = np.zeros(len(x), bool)
    ends[starts] = ends[last] = True
    out, unfinished = np.zeros(len(starts)), np.zeros(len(starts), bool)
    for side in (height, -height):
        some = np.flatnonzero(ends | (side > 0))
        of, at = group[some], by_x[some]
        new = np.flatnonzero(np.r_[True, (of[1:] != of[:-1]) | (at[1:] != at[:-1])])
        highest = np.maximum.reduceat(side[some], new)
        under, left = _area_under(of[new], at[new], highest, len(starts))
        out += under
        unfinished |= left
    for one in np.flatnonzero(unfinished):
        of_one = slice(starts[one], starts[one] + sizes[one])
        out[one] = _by_qhull(x[of_one], y[of_one])
    return out


def _sorted(group: NDArray[np.int64], x: NDArray[np.float64]) -> NDArray[np.int64]:
    """The order by group and x; by one number that holds both where it can, which is several times as fast."""
    low, high = float(x.min()), float(x.max())
    span = 2 * (high - low) + 1
    if span * len(group) < _EXACT:
        return np.argsort(group * span + (x - low))
    return np.lexsort((x, group))


def _area_under(
    group: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Area under the upper chain of each group, (groups,), and which chains were not finished. No x stands twice in a group."""
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
    return np.asarray(np.bincount(group[1:], strips, groups), dtype=np.float64)


def _by_qhull(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    from scipy.spatial import ConvexHull, QhullError  # noqa: PLC0415  0.2 s to import, hardly ever needed

    try:
        return float(ConvexHull(np.stack([x, y], axis=1)).volume)
    except QhullError:  # all points lie on a line
        return 0.0
