"""What can be seen inside a label's box. NULL where the file has another size than the annotation file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.registry import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from label_quality.metrics.picture import Picture


def brightness(picture: Picture, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean grey value inside each box / 255, 0 to 1."""
    return picture.grey_means(boxes) / 255


def sharpness(picture: Picture, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean square of the Laplacian of the grey picture inside each box; NaN where the picture has none there."""
    return picture.laplacian_energies(boxes)


METRICS = (
    Metric(
        name="brightness",
        kind="annotation",
        description="Mean grey value inside the box / 255",
        low=0,
        high=1,
        needs=frozenset({"pixels"}),
        function=brightness,
    ),
    Metric(
        name="sharpness",
        kind="annotation",
        description="Mean square of the 4-neighbour Laplacian of the grey picture (0 to 255) inside the box",
        low=0,
        high=1040400,
        bad="low",
        scale="log",
        needs=frozenset({"pixels"}),
        function=sharpness,
    ),
)
