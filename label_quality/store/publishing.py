"""Publishing: brings ``label_quality.duckdb`` in step with all manifests, copy-on-write, so that readers never wait.

The file is copied aside, rows of the batches that changed are replaced in one transaction, and the copy is renamed
into place. A table ``_published`` inside the file says what is in it, so a publish after a crash does what the killed
one did not, and one with nothing to do changes nothing. Who calls this holds the publish lock.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from label_quality.schema import TABLES, Table
from label_quality.store.errors import StoreError
from label_quality.store.files import TEMPORARY, temporary_name
from label_quality.store.manifests import OVERALL, Manifest
from label_quality.store.views import views

STORAGE_VERSION = "v1.2.0"  # DuckDB 1.2 and newer open the file
_STATE = "_published"
_logger = logging.getLogger(__name__)
_State = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Published:
    """What a publish did: batches whose rows were replaced or removed, and whether the file was made anew.

    `outdated` are batches whose tables an older version of the program wrote, without columns that are needed now:
    they are left out of the database until they are audited again.
    """

    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    rebuilt: bool = False

    @property
    def changed(self) -> bool:
        """Whether a new file was put in place."""
        return bool(self.replaced or self.removed or self.rebuilt)


def publish(
    con: duckdb.DuckDBPyConnection,
    root: Path,
    database: Path,
    manifests: list[Manifest],
    anew: bool,
) -> Published:
    """Bring `database` in step with `manifests`, or make it anew from them. The old file stays whole on any error."""
    for leftover in database.parent.glob(f".{database.name}.*{TEMPORARY}*"):
        leftover.unlink()
    copy = temporary_name(database)
    try:
        done = _prepare(con, root, database, copy, manifests, anew)
        if done.changed:
            _wal(database).unlink(missing_ok=True)  # of a tool that opened the old file for writing
            copy.replace(database)
            _wal(database).unlink(missing_ok=True)
        return done
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"publishing failed, the database is as it was: {error}") from error
    finally:
        copy.unlink(missing_ok=True)
        _wal(copy).unlink(missing_ok=True)


def _prepare(
    con: duckdb.DuckDBPyConnection,
    root: Path,
    database: Path,
    copy: Path,
    manifests: list[Manifest],
    anew: bool,
) -> Published:
    have = None
    if not anew and database.exists():
        shutil.copyfile(database, copy)
        have = _attach_copy(con, copy)
    anew = have is None
    if have is None:
        copy.unlink(missing_ok=True)
        con.execute(f"ATTACH '{_escaped(copy)}' AS target (STORAGE_VERSION '{STORAGE_VERSION}')")
    con.execute("USE target")
    done = _replace(con, root, manifests, have or {}, anew)
    con.execute("USE memory")
    con.execute(
        "DETACH target"
    )  # writes the checkpoint, so that no log file is left beside the database
    return done


def _attach_copy(con: duckdb.DuckDBPyConnection, copy: Path) -> _State | None:
    """Attach the copy as ``target`` and say what is in it; None, detached, when it has to be made anew."""
    attached = False
    try:
        con.execute(f"ATTACH '{_escaped(copy)}' AS target (STORAGE_VERSION '{STORAGE_VERSION}')")
        attached = True
        if _columns(con) == _wanted_columns():
            rows = con.execute(
                f"SELECT batch, run_id, committed_at FROM target.{_STATE}"
            ).fetchall()
            return {batch: (run, committed) for batch, run, committed in rows}
        _logger.info("the database was made by another version of the schema; it is made anew")
    except duckdb.Error as error:
        _logger.warning("the database cannot be read and is made anew: %s", error)
    if attached:
        con.execute("DETACH target")
    return None


def _replace(
    con: duckdb.DuckDBPyConnection, root: Path, manifests: list[Manifest], have: _State, anew: bool
) -> Published:
    want = {m.batch: (m.run_id, m.committed_at) for m in manifests}
    changed = [m for m in manifests if have.get(m.batch) != want[m.batch]]
    removed = tuple(sorted(set(have) - set(want)))
    if not (changed or removed or anew):
        return Published()
    files = {t.name: _files(root, t, changed) for t in _published_tables()}
    outdated = {m.batch for m in changed for t in files if files[t].get(m.batch, "") is None}
    con.execute("BEGIN")
    if anew:
        _create(con)
    stale = [b for b in (*(m.batch for m in changed), *removed) if b in have]
    for table in _published_tables():
        _delete(con, table, stale)
        found = [f for b, f in files[table.name].items() if b not in outdated and f is not None]
        _insert(con, table, found)
    con.execute(f"DELETE FROM {_STATE} WHERE batch IN (SELECT unnest(?))", [stale])
    taken = [m for m in changed if m.batch not in outdated]
    for m in taken:
        con.execute(f"INSERT INTO {_STATE} VALUES (?, ?, ?)", [m.batch, m.run_id, m.committed_at])
    con.execute("COMMIT")
    return Published(tuple(m.batch for m in taken), removed, tuple(sorted(outdated)), anew)


def _create(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"CREATE TABLE {_STATE} (batch VARCHAR, run_id VARCHAR, committed_at VARCHAR)")
    con.execute(
        f"COMMENT ON TABLE {_STATE} IS 'Which committed version of every batch is in this file; {OVERALL} is refresh'"
    )
    for table in _published_tables():
        for statement in (table.ddl(), *table.comments()):
            con.execute(statement)
    for view in views():
        for statement in view.statements():
            con.execute(statement)


def _delete(con: duckdb.DuckDBPyConnection, table: Table, batches: list[str]) -> None:
    if table.per_batch:
        if batches:
            con.execute(f'DELETE FROM "{table.name}" WHERE batch IN (SELECT unnest(?))', [batches])
    elif OVERALL in batches:
        con.execute(f'DELETE FROM "{table.name}"')


def _insert(con: duckdb.DuckDBPyConnection, table: Table, files: list[Path]) -> None:
    if not files:
        return
    columns = ", ".join(f'"{c}"' for c in table.column_names)
    listed = ", ".join(f"'{_escaped(f)}'" for f in files)
    con.execute(
        f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM read_parquet([{listed}], union_by_name=true)'
    )


def _files(root: Path, table: Table, manifests: list[Manifest]) -> dict[str, Path | None]:
    """Batch -> file of `table`; None where the file lacks a column that must be there."""
    out: dict[str, Path | None] = {}
    for m in manifests:
        if table.name not in m.tables:
            continue
        path = root / m.tables[table.name]
        try:
            names = set(pq.read_schema(path).names)
        except FileNotFoundError:
            raise StoreError(
                f"{path}, a table of {m.batch}, is not there; audit {m.batch} again"
            ) from None
        out[m.batch] = path if set(table.column_names) <= names else None
    return out


def _published_tables() -> list[Table]:
    return [t for t in TABLES.values() if t.published]


def _columns(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str, str, bool]]:
    rows = con.execute(
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() c "
        "WHERE database_name = 'target' AND NOT internal AND table_name IN "
        "(SELECT table_name FROM duckdb_tables() WHERE database_name = 'target') AND table_name <> ?",
        [_STATE],
    ).fetchall()
    return set(rows)


def _wanted_columns() -> set[tuple[str, str, str, bool]]:
    return {(t.name, c.name, c.type, c.nullable) for t in _published_tables() for c in t.columns}


def _wal(database: Path) -> Path:
    return database.with_name(database.name + ".wal")


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
