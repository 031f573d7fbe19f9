"""Schema-conform rows for the store's tests."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from label_quality.schema import TABLES

_DEFAULTS: dict[str, Any] = {
    "BIGINT": 1,
    "DOUBLE": 0.5,
    "VARCHAR": "text",
    "BOOLEAN": False,
    "TIMESTAMP": None,
    "BIGINT[]": [1],
    "VARCHAR[]": ["a"],
}


def rows(table: str, batch: str = "b1", n: int = 1, **columns: list[Any]) -> pa.Table:
    """`n` rows of `table`; columns not given hold NULL where that is allowed, else a constant (ids count from 1)."""
    schema = TABLES[table]
    n = len(next(iter(columns.values()))) if columns else n
    data: dict[str, list[Any]] = {}
    for column in schema.columns:
        if column.name in columns:
            data[column.name] = columns[column.name]
        elif column.name == "batch":
            data[column.name] = [batch] * n
        elif column.nullable:
            data[column.name] = [None] * n
        else:
            data[column.name] = [_DEFAULTS[column.type]] * n
    return pa.table(data, schema=schema.arrow_schema())
