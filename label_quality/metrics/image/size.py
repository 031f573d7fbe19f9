"""Size and shape of an image, by the annotation file: no pixel is needed."""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="width",
        kind="image",
        description="Width by the annotation file",
        unit="px",
        low=1,
        scale="log",
        sql="width",
    ),
    Metric(
        name="height",
        kind="image",
        description="Height by the annotation file",
        unit="px",
        low=1,
        scale="log",
        sql="height",
    ),
    Metric(
        name="area",
        kind="image",
        description="Width × height",
        unit="px²",
        low=1,
        scale="log",
        sql="width::double * height",
    ),
    Metric(
        name="aspect_ratio",
        kind="image",
        description="Width / height",
        low=0,
        scale="log",
        sql="width / height",
    ),
)
