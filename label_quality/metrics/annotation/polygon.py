"""The outline of a label. NULL for masks that are run lengths: they have pixels, no outline that somebody drew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from label_quality.registry import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from label_quality.metrics.outlines import Outlines

_MASKS = frozenset({"masks"})


def vertices(outlines: Outlines) -> NDArray[np.float64]:
    """Points of all polygons of a label."""
    return outlines.points.astype(np.float64)


def compactness(outlines: Outlines) -> NDArray[np.float64]:
    """4π × area / perimeter² (Polsby-Popper): 1 for a circle, near 0 for a thread or for many parts."""
    square = outlines.perimeter**2
    out = np.full(len(square), np.nan)
    np.divide(4 * np.pi * outlines.area, square, out=out, where=square > 0)
    return np.asarray(np.minimum(out, 1.0))


def convexity(outlines: Outlines) -> NDArray[np.float64]:
    """Area / area of the convex hull of all points of all parts (solidity): 1 for a convex outline."""
    hull = outlines.hull_area
    out = np.full(len(hull), np.nan)
    np.divide(outlines.area, hull, out=out, where=hull > 0)
    return np.asarray(np.minimum(out, 1.0))


METRICS = (
    Metric(
        name="polygon_vertices",
        kind="annotation",
        description="Points of the label's polygons, all parts together; NULL for run lengths",
        low=3,
        bad="low",
        scale="log",
        per_category=True,
        needs=_MASKS,
        function=vertices,
    ),
    Metric(
        name="polygon_parts",
        kind="annotation",
        description="Number of polygons that the label consists of; NULL for run lengths",
        low=1,
        bad="high",
        scale="log",
        per_category=True,
        needs=_MASKS,
        sql="parts",
    ),
    Metric(
        name="compactness",
        kind="annotation",
        description="4π × area / perimeter² of the polygons: 1 for a circle; NULL for run lengths",
        low=0,
        high=1,
        bad="low",
        per_category=True,
        needs=_MASKS,
        function=compactness,
    ),
    Metric(
        name="convexity",
        kind="annotation",
        description="Area of the polygons / area of the convex hull of all of them; NULL for run lengths",
        low=0,
        high=1,
        bad="low",
        per_category=True,
        needs=_MASKS,
        function=convexity,
    ),
)
