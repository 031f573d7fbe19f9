"""Whether a label's box and mask fit each other."""

from __future__ import annotations

from label_quality.registry import Metric

_WIDTH = "greatest(least(x + width, mask_x + mask_width) - greatest(x, mask_x), 0)"
_HEIGHT = "greatest(least(y + height, mask_y + mask_height) - greatest(y, mask_y), 0)"

_BOTH = f"({_WIDTH} * {_HEIGHT})"

METRICS = (
    Metric(
        name="mask_fill",
        kind="annotation",
        description="Area of the mask / area of the box, at most 1; NULL without a mask",
        low=0,
        high=1,
        per_category=True,
        needs=frozenset({"masks"}),
        sql="case when mask_width is not null then least(object_area / (width * height), 1) end",
    ),
    Metric(
        name="box_mask_iou",
        kind="annotation",
        description="IoU of the box and the tightest box around the mask: 1 where they agree; NULL without a mask",
        low=0,
        high=1,
        bad="low",
        needs=frozenset({"masks"}),
        # least and greatest pass over NULL. Rounded: what subtracting coordinates leaves of equal boxes (1 - 1e-14) would else
        # be told apart, and goes with their size.
        sql=f"""case when mask_width is not null
            then round(least({_BOTH} / (width * height + mask_width * mask_height - {_BOTH}), 1), 9) end""",
    ),
)
