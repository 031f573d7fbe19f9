"""A database of made-up metric values, for what is computed over all batches from the metric tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from label_quality.registry import Kind, Metric
from label_quality.schema import TABLES

_KEYS = {"image": [], "annotation": ["annotation_id"], "prediction": ["prediction_id"]}


def metric(name: str = "value", kind: Kind = "annotation", **fields: Any) -> Metric:
    """A metric that nothing computes."""
    return Metric(name=name, kind=kind, description="made up", sql="1", **fields)


def table(
    kind: Kind, columns: Mapping[str, Any], *, batch: str | Sequence[str] = "b", **keys: Any
) -> pa.Table:
    """A metric table with the given metric columns; an object per image and one category unless `keys` say otherwise."""
    count = len(next(iter(columns.values())))
    ids = np.arange(count)
    fields: dict[str, Any] = {"image_id": ids, **{k: ids for k in _KEYS[kind]}}
    if kind == "annotation":
        fields["iscrowd"] = np.zeros(count, bool)
    if kind == "prediction":
        fields["model"] = ["m"] * count
    if kind != "image":
        fields["category_id"] = np.ones(count, int)
    batches = [batch] * count if isinstance(batch, str) else batch
    values = {k: pa.array(v, from_pandas=True) for k, v in columns.items()}
    return pa.table({"batch": batches, **fields, **keys, **values})


def database(
    *tables: tuple[str, pa.Table], names: Mapping[int, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """The tables under their names, beside ``categories`` of every batch that stands in them."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(TABLES["categories"].ddl())
    for name, rows in tables:
        add(con, name, rows)
        for category, text in (names or {1: "cat"}).items():
            con.execute(
                f"insert into categories select distinct batch, {category}, null, ?, null from {name} n "
                f"where not exists (from categories c where c.batch = n.batch and c.category_id = {category})",
                [text],
            )
    return con


def add(con: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """The table `rows` under a name."""
    con.register("_rows", rows)
    con.execute(f"create table {name} as from _rows")
    con.unregister("_rows")


def schema_rows(con: duckdb.DuckDBPyConnection, name: str, sql: str) -> list[dict[str, Any]]:
    """The rows of `sql`, once they were taken by a table of the schema's own DDL under that name."""
    con.execute(f"drop table if exists {name}")
    con.execute(TABLES[name].ddl())
    con.execute(f"insert into {name} by name {sql}")
    return con.sql(f"from {name}").to_arrow_table().to_pylist()
