"""How many labels an image has, and how much of it they cover."""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="object_count",
        kind="image",
        description="Labels of the image; a crowd counts as one",
        low=0,
        sql="object_count",
    ),
    Metric(
        name="object_density",
        kind="image",
        description="Share of the image that lies in the box of at least one label (their union, overlaps counted once)",
        low=0,
        high=1,
        sql="least(boxes_union / (width::double * height), 1)",
    ),
)
