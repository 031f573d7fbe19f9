"""SQL over version files of any age: what reads Parquet goes through here. Writes nothing.

A file that was written before a column was added to the schema gives NULL in it. Where NULL may not stand in that
column the file is outdated: the batch has to be audited again before it can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from label_quality.schema import TABLES, Table
from label_quality.store.errors import StoreError
from label_quality.store.manifests import Manifest
from label_quality.store.shared import Shared


def quoted(text: object) -> str:
    """`text` as a string literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(text: str) -> str:
    """`text` as a name of SQL."""
    return '"' + text.replace('"', '""') + '"'


def select_sql(table: Table, files: Sequence[Path]) -> str:
    """A SELECT of the schema's columns over `files`, of no row where there are none.

    Raises StoreError when a file is not there or outdated.
    """
    if not files:
        columns = ", ".join(f'NULL::{c.type} AS "{c.name}"' for c in table.columns)
        return f"SELECT {columns} WHERE false"
    alike: dict[frozenset[str], list[Path]] = {}
    for file in files:
        alike.setdefault(_lacking(table, file), []).append(file)
    return " UNION ALL ".join(_select(table, lacking, group) for lacking, group in alike.items())


def show(con: duckdb.DuckDBPyConnection, table: Table, files: Sequence[Path]) -> None:
    """Make the temporary view named as the table, over `files`. Raises StoreError as `select_sql` does."""
    con.execute(f'CREATE OR REPLACE TEMP VIEW "{table.name}" AS {select_sql(table, files)}')


def read_arrow(table: Table, file: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of a version file in the schema's types. Raises StoreError as `select_sql` does."""
    lacking = _lacking(table, file)
    schema = pa.schema([table.arrow_schema().field(name) for name in columns])
    # Without the option a folder named like batch=x above the root would become a column.
    found = pq.read_table(file, columns=[n for n in columns if n not in lacking], partitioning=None)
    for name in columns:
        if name in lacking:
            nulls = pa.nulls(found.num_rows, schema.field(name).type)
            found = found.append_column(schema.field(name), nulls)
    return found.select(list(columns)).cast(schema)


def is_outdated(shared: Shared, manifest: Manifest) -> bool:
    """Whether a published table of the batch was written without a column that must not be NULL now."""
    return any(
        not _unlike(TABLES[name], shared.local(file))
        <= {c.name for c in TABLES[name].columns if c.nullable}
        for name, file in manifest.tables.items()
        if name in TABLES
    )


def _select(table: Table, lacking: frozenset[str], files: Iterable[Path]) -> str:
    columns = ", ".join(
        f'NULL::{c.type} AS "{c.name}"' if c.name in lacking else f'"{c.name}"'
        for c in table.columns
    )
    listed = ", ".join(quoted(f) for f in files)
    # hive_partitioning: see read_arrow
    return f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false)"


def _lacking(table: Table, file: Path) -> frozenset[str]:
    """The columns that stand for NULL in this file; StoreError when one of them must not be NULL."""
    lacking = _unlike(table, file)
    if not lacking <= {c.name for c in table.columns if c.nullable}:
        raise StoreError(
            f"{file} was written by an older version of the program and lacks columns of "
            f"{table.name} that are needed now; audit the batch again"
        )
    return lacking


def _unlike(table: Table, file: Path) -> frozenset[str]:
    """The columns of the schema that the file lacks or holds in another type."""
    try:
        found = pq.read_schema(file)
    except FileNotFoundError:
        raise StoreError(
            f"{file}, which a manifest names, is not there; audit the batch again"
        ) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{file} is damaged; audit the batch again ({error})") from error
    types = {f.name: _plain(f.type) for f in found}
    return frozenset(f.name for f in table.arrow_schema() if types.get(f.name) != _plain(f.type))


def _plain(type_: pa.DataType) -> pa.DataType:
    """The type without the name that the writer gave to a list's items."""
    return pa.list_(type_.value_type) if pa.types.is_list(type_) else type_
