"""What can be looked at one by one: images, labels, predictions; their keys, and the metrics that the database has of them."""

from __future__ import annotations

from dataclasses import dataclass

from label_quality.registry import KINDS, Kind, metrics
from label_quality.review.answers import Refused
from label_quality.review.database import View

__all__ = ["KEYS", "KINDS", "SORTED_BY", "Kind", "MetricName", "known_metric", "metrics_of"]

KEYS: dict[Kind, tuple[str, ...]] = {
    "image": ("batch", "image_id"),
    "annotation": ("batch", "annotation_id"),
    "prediction": ("batch", "model", "prediction_id"),
}
"""What identifies a row of ``<kind>_metrics``."""

SORTED_BY: dict[Kind, str] = {
    "image": "object_count",
    "annotation": "area",
    "prediction": "confidence",
}
"""The metric that things are sorted by where none is named."""


@dataclass(frozen=True)
class MetricName:
    """A metric as a page offers it. `log`: whether its values are best seen on a logarithmic axis."""

    name: str
    description: str
    unit: str
    log: bool
    control: bool


def metrics_of(view: View, kind: Kind) -> list[MetricName]:
    """The metrics of a kind as the published database has them, those of plugins too, in the order of their columns."""
    rows = view.rows(
        """select column_name as name, coalesce(comment, '') as description from duckdb_columns()
           where database_name = current_database() and table_name = ? and data_type = 'DOUBLE' order by column_index""",
        [f"{kind}_metrics"],
    )
    known = metrics(kind)
    found = []
    for row in rows:
        metric = known.get(row["name"])
        found.append(
            MetricName(
                row["name"],
                metric.description if metric else row["description"],
                metric.unit if metric else "",
                metric is not None and metric.scale == "log",
                metric is not None and metric.control,
            )
        )
    return found


def known_metric(view: View, kind: Kind, name: str) -> MetricName:
    """The metric of that name; Refused where the database has none."""
    for metric in metrics_of(view, kind):
        if metric.name == name:
            return metric
    raise Refused(f"there is no metric {name!r} of kind {kind}")
