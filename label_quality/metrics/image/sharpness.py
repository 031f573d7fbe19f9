"""How sharp a picture is: blurred ones have weak second derivatives everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.registry import Metric

if TYPE_CHECKING:
    from label_quality.metrics.picture import Picture


def sharpness(picture: Picture) -> float:
    """Variance of the 4-neighbour Laplacian of the grey picture (values 0 to 255) at its full size.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000. NaN for pictures under 3 pixels.
    """
    return picture.laplacian_variance


METRICS = (
    Metric(
        name="sharpness",
        kind="image",
        description="Variance of the 4-neighbour Laplacian of the grey picture (0 to 255)",
        low=0,
        high=1040400,
        bad="low",
        scale="log",
        needs=frozenset({"pixels"}),
        function=sharpness,
    ),
)
