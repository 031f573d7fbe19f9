"""A number that has to do with nothing: what another metric seems to explain must be more than what this one does."""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="random",
        kind="annotation",
        description="Control: a number from the MD5 of batch and id, evenly spread over 0 to 1, the same in every run",
        low=0,
        high=1,
        bad="none",
        control=True,
        sql="md5_number_lower(concat_ws('/', 'annotation', batch, annotation_id)) / 18446744073709551616.0",
    ),
)
