"""Whether another image of the batch looks the same. How neighbours are found: ``label_quality/metrics/neighbours.py``."""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="uniqueness",
        kind="image",
        description=(
            "Bits in which the perceptual hash differs from that of the nearest other image, at most 8, / 8: 0 looks the "
            "same, 1 has no neighbour within 7 of the 64 bits"
        ),
        low=0,
        high=1,
        bad="low",
        needs=frozenset({"pixels"}),
        sql="case when perceptual_hash is not null then coalesce(nearest_distance, 8) / 8 end",
    ),
)
