"""One run of one batch: writes versions of tables, and reads what this run wrote, else what the manifest names.

Every version carries in its file what it was computed from (see ``lineage``): all that was read through the same
BatchRun before it was written. So take one BatchRun for each step. A step that is executed again in the same run
writes a new version (``<run>.2.parquet``) instead of replacing the first, because other steps may have read that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from label_quality.schema import TABLES, Table
from label_quality.store.conform import check_written, conform_arrow, conform_sql
from label_quality.store.deliveries import Delivery
from label_quality.store.errors import StoreError
from label_quality.store.lineage import ABSENT, KEY, Lineage
from label_quality.store.manifests import Manifest
from label_quality.store.names import check_batch, check_run
from label_quality.store.scan import quoted, read_arrow, show
from label_quality.store.shared import Shared

_ROW_GROUP = 122_880  # rows: DuckDB's own, and what one of its threads reads at a time
_DICTIONARY = 1000  # values of a column from which on DuckDB no longer looks for repeated ones: names have fewer


class BatchRun:
    """One run of one batch, as one step sees it. Made by `Store.run`."""

    def __init__(
        self,
        shared: Shared,
        batch: str,
        run_id: str,
        manifest: Manifest | None,
        delivery: Delivery | None,
    ) -> None:
        self._shared = shared
        self.batch = check_batch(batch)
        self.run_id = check_run(run_id)
        self._manifest = manifest
        self._delivery = delivery
        self._reads: dict[str, list[str]] = {}

    @property
    def delivery(self) -> Delivery:
        """The delivery that this run works on, the same in all its steps. StoreError when there is none."""
        if self._delivery is None:
            raise StoreError(f"no batch {self.batch} has been delivered")
        return self._delivery

    def write(self, table: str, data: pa.Table) -> int:
        """Write a version of `table`; returns its rows. Raises StoreError when `data` does not fit the schema."""
        with self.writer(table) as write:
            write(data)
        return int(data.num_rows)

    @contextmanager
    def writer(self, table: str) -> Iterator[Callable[[pa.Table], None]]:
        """Write a version of `table` chunk by chunk. It appears only when the block ends without an error."""
        schema = _table(table)
        file = self._next(table)
        with (
            self._shared.replacing(file) as temporary,
            _parquet(temporary, schema) as parquet,
            ThreadPoolExecutor(1) as background,
        ):
            # One chunk is written while the next is being made: encoding does not hold Python's lock.
            pending: Future[None] | None = None

            def write(chunk: pa.Table) -> None:
                nonlocal pending
                with _told(table):
                    conformed = conform_arrow(chunk, schema, self.batch)
                    if pending:
                        pending.result()
                    pending = background.submit(parquet.write_table, conformed, _ROW_GROUP)

            yield write
            with _told(table):
                if pending:
                    pending.result()
            parquet.add_key_value_metadata({KEY: self._lineage(table, file)})

    def write_sql(self, con: duckdb.DuckDBPyConnection, table: str, sql: str) -> int:
        """Write the result of a SELECT as a version of `table`; returns its rows.

        Columns may come in any order. Raises StoreError when names or types do not fit the schema, or NULL stands
        where it must not.
        """
        schema = _table(table)
        file = self._next(table)
        with _told(table), self._shared.replacing(file) as temporary:
            metadata = quoted(self._lineage(table, file))
            con.execute(
                f"COPY ({conform_sql(con, schema, sql)}) TO {quoted(temporary)} "
                f"(FORMAT parquet, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT {_DICTIONARY}, "
                f"KV_METADATA {{{KEY}: {metadata}}})"
            )
            return check_written(temporary, schema, self.batch)

    def link(self, table: str, source: str) -> int:
        """Make the version of `source` that this run sees the version of `table` too; returns its rows.

        For a union that has one source. The file is shared by a hard link, or copied where that fails.
        """
        if _table(table).columns != _table(source).columns:
            raise StoreError(f"{table} cannot be linked to {source}: their columns differ")
        found = self._version(source)
        if found is None:
            raise StoreError(f"{table} cannot be linked to {source}: batch {self.batch} has none")
        with _told(table):
            self._shared.link(found, self._next(table))
        return int(pq.read_metadata(self._shared.local(found)).num_rows)

    def has(self, table: str) -> bool:
        """Whether this run wrote `table` or the manifest names a version of it."""
        return self._version(table) is not None

    def view(self, con: duckdb.DuckDBPyConnection, *tables: str) -> None:
        """Create views on `con`, named as the tables. A table that there is none of becomes an empty view."""
        for table in tables:
            file = self._read(table)
            show(con, _table(table), [self._shared.local(file)] if file else [])

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of `table` (or some columns of it), none of them where there is no such version."""
        wanted = list(columns) if columns is not None else list(_table(table).column_names)
        file = self._read(table)
        if file is None:
            return _table(table).arrow_schema().empty_table().select(wanted)
        return read_arrow(_table(table), self._shared.local(file), wanted)

    def rows(self, table: str) -> int:
        """How many rows `table` has, 0 where there is no such version."""
        file = self._read(table)
        return int(pq.read_metadata(self._shared.local(file)).num_rows) if file else 0

    def written(self) -> dict[str, str]:
        """The latest version of every table that this run wrote: table -> file below the root."""
        found = {name: self._attempts(name) for name, t in TABLES.items() if t.per_batch}
        return {name: files[-1] for name, files in found.items() if files}

    def _version(self, table: str) -> str | None:
        own = self._attempts(table)
        if own:
            return own[-1]
        return self._manifest.tables.get(table) if self._manifest else None

    def _read(self, table: str) -> str | None:
        file = self._version(table)
        seen = self._reads.setdefault(table, [])
        if (file or ABSENT) not in seen:
            seen.append(file or ABSENT)
        return file

    def _attempts(self, table: str) -> list[str]:
        """The versions of `table` that this run wrote, in order."""
        out: list[str] = []
        while self._shared.exists(file := self._name(table, len(out) + 1)):
            out.append(file)
        return out

    def _next(self, table: str) -> str:
        if not _table(table).per_batch:
            raise StoreError(
                f"{table} is a result over all batches; a run of one batch cannot write it"
            )
        return self._name(table, len(self._attempts(table)) + 1)

    def _name(self, table: str, attempt: int) -> str:
        suffix = f".{attempt}" if attempt > 1 else ""
        return f"tables/{table}/{self.batch}/{self.run_id}{suffix}.parquet"

    def _lineage(self, table: str, file: str) -> str:
        labels, results = (
            (self._delivery.labels, self._delivery.results) if self._delivery else ("", "")
        )
        return Lineage(table, file, labels, results, self._reads).encoded()


@contextmanager
def _parquet(path: Path, table: Table) -> Iterator[pq.ParquetWriter]:
    """A Parquet writer. Its end writes too: a disk that is full shows there at the latest, and is told like the rest."""
    with _told(table.name):
        parquet = pq.ParquetWriter(path, table.arrow_schema(), **_encoding(table))
    try:
        yield parquet
    except BaseException:
        with suppress(OSError):  # what went wrong before counts
            parquet.close()
        raise
    else:
        with _told(table.name):
            parquet.close()
    finally:
        parquet.is_open = (
            False  # else it tries again when it is collected, and nobody can catch that
        )


def _encoding(table: Table) -> dict[str, Any]:
    """How the columns of `table` are written.

    Numbers hardly repeat, and a dictionary of them costs more time than all the rest; integers are often near the one
    before. The least and greatest segmentation help nobody, and are long; to compress them (by a third) takes longer
    than to write them.
    """
    return {
        "compression": {
            c.name: "none" if c.name == "segmentation" else "snappy" for c in table.columns
        },
        "use_dictionary": [c.name for c in table.columns if c.type == "VARCHAR"],
        "column_encoding": {
            c.name: "DELTA_BINARY_PACKED" for c in table.columns if c.type == "BIGINT"
        },
        "write_statistics": [c.name for c in table.columns if c.name != "segmentation"],
    }


@contextmanager
def _told(table: str) -> Iterator[None]:
    """Turns a full disk or a lack of memory into one clear sentence; other errors pass."""
    try:
        yield
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise StoreError(f"{table} cannot be written: {error}") from error


def _table(name: str) -> Table:
    try:
        return TABLES[name]
    except KeyError:
        raise StoreError(f"there is no table {name}") from None
