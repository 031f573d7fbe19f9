"""A number that has to do with nothing: what another metric seems to explain must be more than what this one does."""

from __future__ import annotations

from label_quality.registry import Metric

METRICS = (
    Metric(
        name="random",
        kind="prediction",
        description="Control: a number from the MD5 of batch, model and id, evenly spread over 0 to 1, the same in every run",
        low=0,
        high=1,
        bad="none",
        needs=frozenset({"predictions"}),
        control=True,
        sql="md5_number_lower(concat_ws('/', 'prediction', batch, model, prediction_id)) / 18446744073709551616.0",
    ),
)
