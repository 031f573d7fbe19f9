"""The public Python API: what was published under a root, as pandas DataFrames. Reads only, computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from label_quality.schema import ERROR_TYPES, TABLES
from label_quality.store.reader import Reader, published_database

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
