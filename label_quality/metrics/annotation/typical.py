"""How far a label lies from what is typical of its category, in place and in shape, by medians: few errors do not move them.

A robust standard deviation is 1.4826 × the median distance from the median (MAD), and no less than a floor, so that a
category whose labels are all alike does not make an error of a pixel. Categories with fewer than ten labels have no typical
label: NULL. Crowds are not compared. The medians themselves stand in ``label_quality/metrics/rows.py``.
"""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="position_deviation",
        kind="annotation",
        description=(
            "Distance of the box's centre (in widths and heights of the image) from the median centre of its category, "
            "each direction in robust standard deviations; NULL for crowds and categories with fewer than 10 labels"
        ),
        low=0,
        bad="high",
        sql="sqrt(center_x_deviation ** 2 + center_y_deviation ** 2)",
    ),
    Metric(
        name="shape_deviation",
        kind="annotation",
        description=(
            "Root mean square of what log aspect ratio, and with a mask log(area / box area), differ from the median of its category, in "
            "robust standard deviations; NULL for crowds and categories with fewer than 10 labels"
        ),
        low=0,
        bad="high",
        sql="""sqrt(case when log_fill_deviation is null then log_aspect_deviation ** 2
                    else (log_aspect_deviation ** 2 + log_fill_deviation ** 2) / 2 end)""",
    ),
)
