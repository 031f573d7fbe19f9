"""Rows of the schema's tables from arrays: what a room computes with NumPy becomes a table that DuckDB can read.

Nothing is computed here, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray


def nan_as_null(values: NDArray[Any], where: NDArray[Any] | None = None) -> pa.Array:
    """Numbers, with NULL where they are NaN, or where `where`, of the same length, is."""
    return pa.array(values, mask=np.isnan(values if where is None else where))


def rows_of(table: str, shared: Mapping[str, str], columns: Mapping[str, Any]) -> pa.Table:
    """Rows of a table of the schema, by its columns' names; `shared` are values that stand in all of them."""
    count = len(next(iter(columns.values())))
    every = {**columns, **{name: pa.repeat(value, count) for name, value in shared.items()}}
    schema = TABLES[table].arrow_schema()
    return pa.table([_array(every[field.name], field.type) for field in schema], schema)


def offer(con: DuckDBPyConnection, parts: Mapping[str, Sequence[pa.Table]]) -> dict[str, str]:
    """Show `con` the rows of each table, which come in parts or not at all; returns table -> SELECT of them."""
    for table, some in parts.items():
        empty = TABLES[table].arrow_schema().empty_table()
        con.register(f"_{table}_rows", pa.concat_tables([empty, *some]))
    return {table: f"from _{table}_rows" for table in parts}


def _array(values: Any, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(kind)
    return pa.array(values, kind)
