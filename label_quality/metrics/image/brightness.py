"""How light a picture is, and how far light and dark are apart. The example for a metric of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.registry import Metric

if TYPE_CHECKING:
    from label_quality.metrics.picture import Picture


def brightness(picture: Picture) -> float:
    """Mean grey value / 255, 0 (black) to 1 (white)."""
    return float(picture.grey_mean / 255)


def contrast(picture: Picture) -> float:
    """Standard deviation of the grey values / 255 (RMS contrast), 0 (uniform) to 0.5 (half black, half white).

    Of grey, not of the three colours together: a uniformly red picture has no contrast.
    """
    return float(picture.grey_deviation / 255)


METRICS = (
    Metric(
        name="brightness",
        kind="image",
        description="Mean grey value (luma, ITU-R 601) / 255",
        low=0,
        high=1,
        needs=frozenset({"pixels"}),
        function=brightness,
    ),
    Metric(
        name="contrast",
        kind="image",
        description="Standard deviation of the grey values / 255",
        low=0,
        high=0.5,
        bad="low",
        needs=frozenset({"pixels"}),
        function=contrast,
    ),
)
