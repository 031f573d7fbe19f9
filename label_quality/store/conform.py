"""Whether data has the columns and types of the schema, and the lossless casts that bring it there."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from label_quality.schema import Table
from label_quality.store.errors import StoreError

# DuckDB types that fit into the schema's without loss, so that a literal 1 or 0.5 in a query needs no cast.
_WIDENS = {
    "BIGINT": {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"},
    "DOUBLE": {"FLOAT", "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"},
    "BIGINT[]": {"INTEGER[]"},
}
_UNTYPED = {'"NULL"', "NULL", '"NULL"[]'}


def conform_arrow(data: pa.Table, table: Table, batch: str | None) -> pa.Table:
    """`data` in the schema's column order and types. Raises StoreError where it does not fit or names another batch."""
    _check_names(list(data.column_names), table)
    for column in table.columns:
        if not column.nullable and data[column.name].null_count:
            raise StoreError(
                f"{table.name}.{column.name} holds NULL, which its schema does not allow"
            )
    try:
        out = data.select(list(table.column_names)).cast(table.arrow_schema())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise StoreError(f"{table.name} does not fit its schema: {error}") from error
    if (
        batch is not None
        and table.per_batch
        and not pc.all(pc.equal(out["batch"], batch), min_count=0).as_py()
    ):
        raise StoreError(f"{table.name} holds rows of another batch than {batch}")
    return out


def conform_sql(con: duckdb.DuckDBPyConnection, table: Table, sql: str) -> str:
    """`sql` wrapped so that it gives the schema's columns and types. Raises StoreError where it cannot."""
    names = [row[0] for row in con.execute(f"DESCRIBE ({sql})").fetchall()]
    _check_names(names, table)
    # DESCRIBE of DuckDB 1 calls an untyped NULL an INTEGER; typeof knows. LIMIT 0: nothing is computed.
    asked = ", ".join(f'typeof("{name}")' for name in names)
    found = con.execute(
        f"SELECT {asked} FROM (SELECT 1) LEFT JOIN (FROM ({sql}) LIMIT 0) ON true"
    ).fetchone()
    types = dict(zip(names, found or (), strict=True))
    wrong = [
        f"{c.name} is {types[c.name]} and should be {c.type}"
        for c in table.columns
        if not _fits(types[c.name], c.type)
    ]
    if wrong:
        raise StoreError(f"the query for {table.name} does not fit its schema: {'; '.join(wrong)}")
    columns = ", ".join(f'"{c.name}"::{c.type} AS "{c.name}"' for c in table.columns)
    return f"SELECT {columns} FROM ({sql})"


def check_written(path: Path, table: Table, batch: str | None) -> int:
    """The row count of a written file, once its statistics show no NULL and no other batch where none may be.

    Reads the footer only. Raises StoreError.
    """
    metadata = pq.read_metadata(path)
    leaves = {
        metadata.schema.column(i).path: i for i in range(len(metadata.schema))
    }  # a list column has another path than its name and is left out
    wanted = [c.name for c in table.columns if not c.nullable and c.name in leaves]
    for group in range(metadata.num_row_groups):
        for name in wanted:
            found = metadata.row_group(group).column(leaves[name]).statistics
            if found is None:
                continue
            if found.null_count:
                raise StoreError(f"{table.name}.{name} holds NULL, which its schema does not allow")
            other = found.has_min_max and (found.min, found.max) != (batch, batch)
            if name == "batch" and batch is not None and other:
                raise StoreError(f"{table.name} holds rows of another batch than {batch}")
    return int(metadata.num_rows)


def _fits(found: str, wanted: str) -> bool:
    return (
        found == wanted
        or found in _UNTYPED
        or found in _WIDENS.get(wanted, ())
        or (wanted == "DOUBLE" and found.startswith("DECIMAL"))
    )


def _check_names(found: list[str], table: Table) -> None:
    missing = [n for n in table.column_names if n not in found]
    unknown = [n for n in found if n not in table.column_names]
    if missing or unknown or len(found) != len(set(found)):
        told = [f"without {', '.join(missing)}"] if missing else []
        told += [f"with {', '.join(unknown)}, which the schema does not know"] if unknown else []
        raise StoreError(f"{table.name} comes {' and '.join(told) or 'with a column twice'}")
