"""What the model says of its prediction, and what the labels say."""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="confidence",
        kind="prediction",
        description="Score as the model gives it",
        low=0,
        high=1,
        bad="low",
        per_category=True,
        needs=frozenset({"predictions"}),
        sql="score",
    ),
    Metric(
        name="iou",
        kind="prediction",
        description=(
            "IoU with the label that it is assigned to, whatever that label's category: of the masks where both have one, "
            "else of the boxes; 0 without one"
        ),
        low=0,
        high=1,
        bad="low",
        per_category=True,
        needs=frozenset({"predictions"}),
        sql="coalesce(assigned_mask_iou, assigned_box_iou, 0)",
    ),
)
