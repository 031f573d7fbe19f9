"""Size and shape of a label's box."""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="area",
        kind="annotation",
        description="Area of the mask, or of the box of a label without one",
        unit="px²",
        low=0,
        scale="log",
        per_category=True,
        sql="object_area",
    ),
    Metric(
        name="area_relative",
        kind="annotation",
        description="Area of the mask (or box) / area of the image",
        low=0,
        scale="log",
        per_category=True,
        sql="object_area / (image_width::double * image_height)",
    ),
    Metric(
        name="aspect_ratio",
        kind="annotation",
        description="Width / height of the box as it stands in the file, not rounded",
        low=0,
        scale="log",
        per_category=True,
        sql="width / height",
    ),
)
