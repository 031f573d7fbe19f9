"""How near a label comes to the border of its image: objects that are cut off there are often labelled badly."""

from __future__ import annotations

from label_quality.registry import Metric

TOLERANCE = 2.0  # px: annotators and resizing leave a pixel or two
# Rounded: a box that ends at the border is not 5e-14 px from it.
DISTANCE = "round(least(x, y, image_width - x - width, image_height - y - height), 6)"

METRICS = (
    Metric(
        name="border_distance",
        kind="annotation",
        description="Distance of the box from the nearest border of the image; negative where it leaves the image",
        unit="px",
        bad="low",
        sql=DISTANCE,
    ),
    Metric(
        name="touches_border",
        kind="annotation",
        description=f"1 if the box comes within {TOLERANCE:g} px of the border of the image or crosses it, else 0",
        low=0,
        high=1,
        bad="none",
        sql=f"case when {DISTANCE} <= {TOLERANCE} then 1 else 0 end",
    ),
)
