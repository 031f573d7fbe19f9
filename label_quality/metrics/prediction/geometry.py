"""Size, shape and place of the predicted box."""

from __future__ import annotations

from label_quality.metrics.annotation.border import DISTANCE
from label_quality.registry import Metric

_NEEDS = frozenset({"predictions"})

METRICS = (
    Metric(
        name="area_relative",
        kind="prediction",
        description="Area of the box / area of the image",
        low=0,
        scale="log",
        per_category=True,
        needs=_NEEDS,
        sql="width * height / (image_width::double * image_height)",
    ),
    Metric(
        name="aspect_ratio",
        kind="prediction",
        description="Width / height of the box",
        low=0,
        scale="log",
        per_category=True,
        needs=_NEEDS,
        sql="width / nullif(height, 0)",
    ),
    Metric(
        name="border_distance",
        kind="prediction",
        description="Distance of the box from the nearest border of the image; negative where it leaves the image",
        unit="px",
        bad="low",
        needs=_NEEDS,
        sql=DISTANCE,
    ),
)
