"""A number that has to do with nothing: what another metric seems to explain must be more than what this one does."""

from __future__ import annotations

from label_quality.metrics.control import random_control

METRICS = (random_control("prediction", "prediction_id", needs=frozenset({"predictions"})),)
