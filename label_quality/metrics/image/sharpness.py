"""How sharp a picture is: blurred ones have weak second derivatives everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.registry import Metric

if TYPE_CHECKING:
    from label_quality.metrics.picture import Picture


def sharpness(picture: Picture) -> float:
    """Mean square of the 4-neighbour Laplacian of the grey picture (values 0 to 255) at its full size.

    The energy of the Laplacian of Subbarao et al., "Focusing techniques", 1993; as the mean of the Laplacian of a picture is
    next to 0, it is the well-known variance of the Laplacian but for a per mille. NaN for pictures under 3 pixels.
    """
    return picture.laplacian_energy


METRICS = (
    Metric(
        name="sharpness",
        kind="image",
        description="Mean square of the 4-neighbour Laplacian of the grey picture (0 to 255)",
        low=0,
        high=1040400,
        bad="low",
        scale="log",
        needs=frozenset({"pixels"}),
        function=sharpness,
    ),
)
