"""How much of a picture is red, green or blue to the eye."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from label_quality.registry import Metric

if TYPE_CHECKING:
    from label_quality.metrics.picture import Picture


def share(picture: Picture, hue: int) -> float:
    """Share of the picture, 0 to 1, whose hue lies within 30° of `hue` (0 red, 1 green, 2 blue, times 120°).

    Only what shows a colour counts: saturation of at least 0.2 and value of at least 0.15. Some 4,096 pixels are looked at,
    every k-th of every k-th row: that is within a percent or two of all of them, and costs next to nothing.
    """
    return float(picture.hue_shares[hue])


METRICS = tuple(
    Metric(
        name=f"{name}_share",
        kind="image",
        description=(
            f"Share of the picture whose hue is within 30° of {name} ({120 * hue}°), with saturation >= 0.2 and "
            "value >= 0.15; of some 4,096 pixels on a grid"
        ),
        low=0,
        high=1,
        bad="high",
        needs=frozenset({"pixels"}),
        function=partial(share, hue=hue),
    )
    for hue, name in enumerate(("red", "green", "blue"))
)
