"""Loads the two sides of a comparison onto one DuckDB connection, as views ``old_…`` and ``new_…`` of the schema's tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from label_quality.coco import read_labels
from label_quality.schema import TABLES
from label_quality.store.instances import instance
from label_quality.store.scan import quoted, select_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.settings import Settings
    from label_quality.store import Version
    from label_quality.store.shared import Shared

LABEL_TABLES = ("images", "categories", "annotations", "annotation_masks")
_OF_A_VERSION = (*LABEL_TABLES, "quarantined_labels", "findings", "error_rates")


@dataclass(frozen=True)
class Side:
    """One side: what it is called, records that could not be read (and are not compared), whether it was audited."""

    name: str
    not_taken: int
    audited: bool


@contextmanager
def scratch_connection(settings: Settings) -> Iterator[tuple[DuckDBPyConnection, Path]]:
    """A connection in memory with the limits of the settings, and a folder for what does not fit into it."""
    with (
        TemporaryDirectory(prefix="label_quality_diff_") as folder,
        instance(settings.duckdb, Path(folder) / "spill") as con,
    ):
        yield con, Path(folder)


def load_file(con: DuckDBPyConnection, side: str, path: Path, scratch: Path) -> Side:
    """Read a COCO annotation file as `side` ("old" or "new"). Raises `UnreadableFile`."""
    masks = scratch / f"{side}_masks.parquet"
    schema = TABLES["annotation_masks"].arrow_schema()
    # A dictionary of polygons, which hardly repeat, and the least and greatest of them cost more time than all the rest.
    options = {"use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(masks, schema, **options) as writer:
        labels = read_labels(path, side, write_masks=writer.write_table)
    for table in LABEL_TABLES[:-1]:
        file = scratch / f"{side}_{table}.parquet"
        pq.write_table(getattr(labels, table), file)
        _show(con, side, table, f"select * from read_parquet({quoted(file)})")
    _show(con, side, "annotation_masks", f"select * from read_parquet({quoted(masks)})")
    return Side(str(path), labels.quarantined_labels.num_rows, audited=False)


def load_version(
    con: DuckDBPyConnection, side: str, shared: Shared, version: Version, name: str
) -> Side:
    """Show a committed version of a batch as `side`. Raises StoreError when a file of it is gone or damaged."""
    for table in _OF_A_VERSION:
        files = [shared.local(version.tables[table])] if table in version.tables else []
        if files:
            _show(con, side, table, select_sql(TABLES[table], files))
        else:
            _show(con, side, table, f"select * from ({_empty(table)}) where false")
    count = con.execute(f"select count(*) from {side}_quarantined_labels").fetchall()[0][0]
    return Side(name, int(count), audited="error_rates" in version.tables)


def _show(con: DuckDBPyConnection, side: str, table: str, sql: str) -> None:
    con.execute(f"create or replace temp view {side}_{table} as {sql}")


def _empty(table: str) -> str:
    return "select " + ", ".join(f'null::{c.type} as "{c.name}"' for c in TABLES[table].columns)
