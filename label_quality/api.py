"""The public Python API: what was published under a root, as pandas DataFrames. Reads only, computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from label_quality import registry
from label_quality.schema import ERROR_TYPES, TABLES
from label_quality.settings import load_settings
from label_quality.store import Store
from label_quality.store.reader import Reader, published_database

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from label_quality.inference.neighbours import Index

_NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


class Audit:
    """What was published under `root`. Each call sees the database as it is then.

    Columns are those of ``docs/tables.md``. Integer and boolean columns that may hold NULL come as pandas' ``Int64``
    and ``boolean``, so that ids stay exact.
    """

    def __init__(self, root: str | Path) -> None:
        """Raises FileNotFoundError when nothing has been published under `root`."""
        self.root = Path(root).expanduser().absolute()
        self._reader = Reader(published_database(self.root))
        self._indexes: dict[tuple[str, str | None], tuple[NDArray[np.int64], Index]] = {}

    def findings(
        self, batch: str | None = None, error_type: str | None = None, minimum: float = 0.0
    ) -> pd.DataFrame:
        """Suspected label errors with ``p_error`` of at least `minimum` (0 to 1), the surest first."""
        if error_type is not None and error_type not in ERROR_TYPES:
            raise ValueError(f"{error_type!r} is not an error type: {', '.join(ERROR_TYPES)}")
        return self._select(
            "findings",
            {"batch = ?": batch, "error_type = ?": error_type, "p_error >= ?": minimum},
            "p_error DESC, batch, finding_id",
        )

    def error_rates(self, batch: str | None = None) -> pd.DataFrame:
        """Estimated label-error rates by batch, error type and category; NULL category stands for all together."""
        return self._select(
            "error_rates", {"batch = ?": batch}, "batch, error_type, category_id NULLS FIRST"
        )

    def batches(self) -> pd.DataFrame:
        """One row per batch: what was delivered and how much of it was taken."""
        return self._select("batches", {}, "batch")

    def images(self, batch: str | None = None) -> pd.DataFrame:
        """One row per image."""
        return self._select("images", {"batch = ?": batch}, "batch, image_id")

    def annotations(self, batch: str | None = None) -> pd.DataFrame:
        """One row per label; boxes are x, y, width, height in pixels."""
        return self._select("annotations", {"batch = ?": batch}, "batch, annotation_id")

    def predictions(self, batch: str | None = None, model: str | None = None) -> pd.DataFrame:
        """One row per prediction; boxes are x, y, width, height in pixels."""
        return self._select(
            "predictions", {"batch = ?": batch, "model = ?": model}, "batch, model, prediction_id"
        )

    def prediction_overlaps(self, batch: str | None = None) -> pd.DataFrame:
        """One row per label and prediction whose boxes overlap."""
        return self._select(
            "prediction_overlaps",
            {"batch = ?": batch},
            "batch, annotation_id, model, prediction_id",
        )

    def quarantine(self, batch: str | None = None) -> pd.DataFrame:
        """One row per record that was not taken, with the reason and the original."""
        return self._select(
            "quarantine", {"batch = ?": batch}, "batch, file, record_type, record_id"
        )

    def warnings(self, batch: str | None = None) -> pd.DataFrame:
        """One row per thing that looks wrong in a record that was taken all the same."""
        return self._select(
            "ingest_warnings", {"batch = ?": batch}, "batch, record_type, record_id, issue"
        )

    def reviews(self, batch: str | None = None) -> pd.DataFrame:
        """One row per verdict of the review log as of the last publish; ``standing`` says which ones count."""
        return self._select("reviews", {"batch = ?": batch}, "seq")

    def tags(self, batch: str | None = None) -> pd.DataFrame:
        """One row per tag of an image, label or prediction, as of the last publish."""
        return self._select(
            "tags", {"batch = ?": batch}, "batch, kind, image_id, annotation_id, tag"
        )

    def similar_labels(
        self, batch: str, annotation_id: int, count: int = 20, model: str | None = None
    ) -> pd.DataFrame:
        """The labels of a batch that look most like one of them to `model` (else the first by name), nearest first.

        Columns annotation_id, image_id, category_id, similarity (cosine, -1 to 1). Needs the extra `inference`. Raises
        ValueError where no model was asked about that label.
        """
        from label_quality.inference.neighbours import Index, read_features

        store = Store(self.root, load_settings(self.root))
        manifest = store.manifest(batch)
        file = manifest.tables.get("label_features") if manifest else None
        if file is None:
            raise ValueError(f"no model was asked about labels of batch {batch!r}")
        key = (file, model)
        if key not in self._indexes:
            ids, features = read_features(str(store.shared.local(file)), model)
            self._indexes = {key: (ids, Index(features))}  # one: features are large
        ids, index = self._indexes[key]
        row = np.flatnonzero(ids == annotation_id)
        if not len(row):
            raise ValueError(f"no model was asked about label {annotation_id} of batch {batch!r}")
        found, similarity = (part[0] for part in index.nearest(row, count))
        return self.sql(
            """select annotation_id, image_id, category_id, similarity
               from (select unnest($ids) as annotation_id, unnest($similarity) as similarity)
               join annotations using (annotation_id) where batch = $batch order by similarity desc, annotation_id""",
            {"ids": ids[found].tolist(), "similarity": similarity.tolist(), "batch": batch},
        )

    def image_metrics(self, batch: str | None = None) -> pd.DataFrame:
        """One row per image: its quality metrics, and which other image looks like it."""
        return self._select("image_metrics", {"batch = ?": batch}, "batch, image_id")

    def annotation_metrics(self, batch: str | None = None) -> pd.DataFrame:
        """One row per label, crowds included: its quality metrics."""
        return self._select("annotation_metrics", {"batch = ?": batch}, "batch, annotation_id")

    def prediction_metrics(
        self, batch: str | None = None, model: str | None = None
    ) -> pd.DataFrame:
        """One row per prediction: its quality metrics."""
        conditions = {"batch = ?": batch, "model = ?": model}
        return self._select("prediction_metrics", conditions, "batch, model, prediction_id")

    def outliers(self, kind: str | None = None, metric: str | None = None) -> pd.DataFrame:
        """One row per object and metric by which it is unusual (robust rule), the farthest out first; over all batches.

        `kind` is image or annotation.
        """
        return self._select(
            "outliers",
            {"kind = ?": kind, "metric = ?": metric},
            "score DESC, batch, image_id, annotation_id, metric",
        )

    def encord_outliers(self, kind: str, metric: str) -> pd.DataFrame:
        """The objects that Encord Active's rule calls unusual by one metric, largest value first; over all batches.

        batch, image_id, for labels annotation_id and category_id, value, low, high and severity. ValueError for a kind or a metric
        that is not judged.
        """
        keys = {"image": "m.image_id", "annotation": "m.image_id, m.annotation_id, m.category_id"}
        found = registry.metrics(cast("registry.Kind", kind)).get(metric) if kind in keys else None
        if found is None or found.control:
            raise ValueError(f"{kind!r} has no metric {metric!r} that is judged")
        crowds = "AND NOT m.iscrowd" if kind == "annotation" else ""
        return self.sql(
            f"""SELECT m.batch, {keys[kind]}, m."{metric}" AS value, b.low, b.high,
                       CASE WHEN value < b.severe_low OR value > b.severe_high THEN 'severe' ELSE 'moderate' END AS severity
                FROM {kind}_metrics m JOIN outlier_bounds b ON b.kind = ? AND b.metric = ? AND b.rule = 'encord'
                WHERE (m."{metric}" < b.low OR m."{metric}" > b.high) {crowds} ORDER BY value DESC, {keys[kind]}, m.batch""",
            [kind, metric],
        )

    def performance(self, model: str | None = None, iou_type: str | None = None) -> pd.DataFrame:
        """COCO's average precision and recall over all batches; NULL category stands for all together.

        `iou_type` is bbox or segm.
        """
        return self._select(
            "performance",
            {"model = ?": model, "iou_type = ?": iou_type},
            "model, iou_type, category_name NULLS FIRST, metric, area, max_dets",
        )

    def confusion(self, model: str | None = None, iou_type: str | None = None) -> pd.DataFrame:
        """How often a label of one category meets a prediction of another; NULL stands for background."""
        return self._select(
            "confusion",
            {"model = ?": model, "iou_type = ?": iou_type},
            "model, iou_type, category_name NULLS LAST, predicted_category_name NULLS LAST",
        )

    def metric_importance(self, model: str | None = None) -> pd.DataFrame:
        """How much each metric tells about whether a model is right, the most telling first."""
        return self._select(
            "metric_importance",
            {"model = ?": model},
            "importance DESC NULLS LAST, model, target, kind, metric",
        )

    def performance_by_metric(
        self, model: str | None = None, metric: str | None = None
    ) -> pd.DataFrame:
        """Precision or rate of labels that are not found, in quantile bins of each metric."""
        return self._select(
            "performance_by_metric",
            {"model = ?": model, "metric = ?": metric},
            "model, target, kind, metric, bin",
        )

    def table(self, name: str) -> pd.DataFrame:
        """A whole published table, in no particular order."""
        return self._select(name, {}, "")

    def sql(
        self, query: str, params: Sequence[object] | Mapping[str, object] | None = None
    ) -> pd.DataFrame:
        """The result of any query over the published tables and views; the database cannot be changed by it."""
        found = self._arrow(query, params)
        return _to_pandas(found, [f.name for f in found.schema if found[f.name].null_count])

    def _select(self, name: str, conditions: Mapping[str, object], order: str) -> pd.DataFrame:
        table = TABLES.get(name)
        if table is None or not table.published:
            published = ", ".join(t.name for t in TABLES.values() if t.published)
            raise ValueError(f"{name!r} is not a published table; these are: {published}")
        given = {c: v for c, v in conditions.items() if v is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        sorting = f" ORDER BY {order}" if order else ""
        query = f'SELECT * FROM "{name}"{where}{sorting}'
        return _to_pandas(
            self._arrow(query, list(given.values())), [c.name for c in table.columns if c.nullable]
        )

    def _arrow(
        self, query: str, params: Sequence[object] | Mapping[str, object] | None
    ) -> pa.Table:
        found = self._reader.connection().sql(query, params=params or None)
        if found is None:
            raise ValueError("the statement gives no rows; Audit.sql is for queries")
        return found.to_arrow_table()


def _to_pandas(found: pa.Table, nullable: Sequence[str]) -> pd.DataFrame:
    frame = found.to_pandas()
    for name in (n for n in nullable if n in found.column_names):
        dtype = _NULLABLE.get(found.schema.field(name).type)
        if dtype is not None:
            frame[name] = found[name].to_pandas(types_mapper=_NULLABLE.get)
    return frame
