"""Publishing: brings ``label_quality.duckdb`` in step with manifests, copy-on-write, so that readers never wait.

The file is copied aside, the rows of batches that changed are replaced in one transaction, table by table where its version is
another one, and the copy is renamed into place. A table ``_published`` inside the file says what is in it, so a publish after a crash does what the killed
one did not, and one with nothing to do changes nothing. Who calls this holds the publish lock.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec

from label_quality.reviews import publish_reviews
from label_quality.schema import TABLES, Table
from label_quality.store.errors import StoreError
from label_quality.store.files import TEMPORARY, temporary_name
from label_quality.store.manifests import OVERALL, Manifest
from label_quality.store.scan import is_outdated, quoted, select_sql
from label_quality.store.shared import Shared
from label_quality.store.views import views

if TYPE_CHECKING:
    from label_quality.store.reviews import ReviewLog

REVIEWS = ".reviews"  # stands for the review log among the batches that are in the file
STORAGE_VERSION = "v1.2.0"  # DuckDB 1.2 and newer open the file
_logger = logging.getLogger(__name__)
_Connect = Callable[[], duckdb.DuckDBPyConnection]


@dataclass(frozen=True)
class _Inside:
    """What the file holds of a batch: the committed state, and the version of each table."""

    run_id: str
    committed_at: str
    tables: Mapping[str, str]

    def is_state(self, manifest: Manifest) -> bool:
        return (self.run_id, self.committed_at) == (manifest.run_id, manifest.committed_at)


_State = dict[str, _Inside]


@dataclass(frozen=True)
class Published:
    """What a publish did: batches whose rows were replaced or removed, and whether the file was made anew.

    `outdated` are batches whose tables an older version of the program wrote, without columns that are needed now:
    they are left out of the database until they are audited again. `reviewed` says whether the review log had grown,
    `seconds` what each table took to write.
    """

    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    rebuilt: bool = False
    reviewed: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def changed(self) -> bool:
        """Whether a new file was put in place."""
        return bool(self.replaced or self.removed or self.rebuilt or self.reviewed)


def publish(
    connect: _Connect,
    shared: Shared,
    database: Path,
    manifests: list[Manifest],
    log: ReviewLog,
    *,
    anew: bool,
) -> Published:
    """Bring `database` in step with `manifests` and the review log, or make it anew from them.

    Raises StoreError on any failure (disk full, a damaged version file); the old file is then as it was.
    """
    for leftover in database.parent.glob(f".{database.name}.*{TEMPORARY}*"):
        leftover.unlink()  # of a publish that was killed: there is no other one under the lock
    copy = temporary_name(database)
    try:
        done = (
            None
            if anew or not database.exists()
            else _update(connect, shared, database, copy, manifests, log)
        )
        if done is None:
            _remove(copy)
            with _target(connect, copy) as con:
                _create(con)
                done = _replace(con, shared, manifests, log, {}, anew=True)
        if done.changed:
            _put_in_place(copy, database)
        return done
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"publishing failed, the database is as it was: {error}") from error
    finally:
        _remove(copy)


def _update(
    connect: _Connect,
    shared: Shared,
    database: Path,
    copy: Path,
    manifests: list[Manifest],
    log: ReviewLog,
) -> Published | None:
    """Bring a copy of the database in step; None when it has to be made anew."""
    shutil.copyfile(database, copy)
    try:
        with _target(connect, copy) as con:
            if con.execute("SELECT version FROM _schema").fetchone() == (_schema_version(),):
                have = _inside(con)
                if not _all_change(manifests, have):
                    return _replace(con, shared, manifests, log, have, anew=False)
                return None
        _logger.info("the database has another schema than this version; it is made anew")
    except duckdb.Error as error:
        _logger.warning("the database cannot be brought up to date and is made anew: %s", error)
    return None


def _inside(con: duckdb.DuckDBPyConnection) -> _State:
    rows = con.execute("SELECT batch, run_id, committed_at, tables FROM _published").fetchall()
    return {
        batch: _Inside(run, committed, msgspec.json.decode(tables, type=dict[str, str]))
        for batch, run, committed, tables in rows
    }


def _all_change(manifests: list[Manifest], have: _State) -> bool:
    """Whether no table of any batch stays as it is: then a file made anew is as quick, and half as large."""
    batches = [m for m in manifests if m.batch != OVERALL]
    return bool(batches) and not any(
        m.batch in have and have[m.batch].tables.items() & m.tables.items() for m in batches
    )


@contextmanager
def _target(connect: _Connect, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose current catalog is the file `path`; when the block ends all is in the file, no log beside it."""
    with connect() as con:
        con.execute(f"ATTACH {quoted(path)} AS target (STORAGE_VERSION '{STORAGE_VERSION}')")
        con.execute("USE target")
        # A large commit then goes straight into the file instead of into its log first.
        con.execute("RESET checkpoint_threshold")
        yield con
        con.execute("CHECKPOINT target")  # DETACH does it too, but keeps a failure to itself
        con.execute("USE memory")
        con.execute("DETACH target")
    if _wal(path).exists():
        raise StoreError(
            f"publishing failed, the database is as it was: {_wal(path)} was left over"
        )


def _put_in_place(copy: Path, database: Path) -> None:
    # A log left by a tool that wrote into the old file makes a new file unreadable: it must be gone before the new
    # file appears, also when this process is killed in between; and once more for what was written meanwhile.
    _wal(database).unlink(missing_ok=True)
    copy.replace(database)
    _wal(database).unlink(missing_ok=True)


def _create(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("BEGIN")  # else each of the many comments would be written to disk by itself
    for statement in _definitions():
        con.execute(statement)
    con.execute("INSERT INTO _schema VALUES (?)", [_schema_version()])
    con.execute("COMMIT")


def _definitions() -> list[str]:
    """The statements that make the empty database: tables, views, and comments on all of them."""
    return [
        "CREATE TABLE _schema (version VARCHAR)",
        "COMMENT ON TABLE _schema IS 'The version of the tables and views of this file'",
        "CREATE TABLE _published (batch VARCHAR, run_id VARCHAR, committed_at VARCHAR, tables VARCHAR)",
        "COMMENT ON TABLE _published IS 'Which committed version of each batch, and of each of its tables (JSON), is in this file; "
        f"{OVERALL} stands for the results over all batches, {REVIEWS} for the review log by its last number'",
        *(s for table in _published_tables() for s in (table.ddl(), *table.comments())),
        *(s for view in views() for s in view.statements()),
    ]


def _schema_version() -> str:
    return hashlib.sha256("\n".join(_definitions()).encode()).hexdigest()[:16]


def _replace(
    con: duckdb.DuckDBPyConnection,
    shared: Shared,
    manifests: list[Manifest],
    log: ReviewLog,
    have: _State,
    *,
    anew: bool,
) -> Published:
    changed = [m for m in manifests if m.batch not in have or not have[m.batch].is_state(m)]
    outdated = [m.batch for m in changed if is_outdated(shared, m)]
    taken = [m for m in changed if m.batch not in outdated]
    seconds: dict[str, float] = {}
    known = set(have) - {REVIEWS}
    removed = sorted(known - {m.batch for m in manifests} | set(outdated) & known)
    before = have[REVIEWS].run_id if REVIEWS in have else "0"
    reviewed = before != str(log.last())
    if taken or removed or reviewed:
        con.execute("BEGIN")
        for table in (t for t in _published_tables() if not t.from_log):
            start = time.perf_counter()
            other = [m for m in taken if not _is_inside(table, m, have)]
            _delete(con, table, [*removed, *(m.batch for m in other if m.batch in have)])
            files = [shared.local(m.tables[table.name]) for m in other if table.name in m.tables]
            if files:
                con.execute(f'INSERT INTO "{table.name}" {select_sql(table, files)}')
            seconds[table.name] = time.perf_counter() - start
        entries = log.entries()
        # Where no verdict was ever given there is nothing to attach, and nothing to take away.
        if len(entries) or before != "0":
            publish_reviews(con, entries)
        last = str(entries["seq"][-1] if len(entries) else 0)
        gone = [*removed, *(m.batch for m in taken), REVIEWS]
        con.execute("DELETE FROM _published WHERE batch IN (SELECT unnest(?))", [gone])
        states = [(m.batch, m.run_id, m.committed_at, m.tables) for m in taken]
        for *state, tables in (*states, (REVIEWS, last, "", {})):
            row = [*state, msgspec.json.encode(tables).decode()]
            con.execute("INSERT INTO _published VALUES (?, ?, ?, ?)", row)
        con.execute("COMMIT")
    batches = tuple(m.batch for m in taken)
    return Published(batches, tuple(removed), tuple(outdated), anew, reviewed, seconds)


def _is_inside(table: Table, manifest: Manifest, have: _State) -> bool:
    """Whether the file holds the version of the table that the manifest names."""
    inside = have.get(manifest.batch)
    return inside is not None and inside.tables.get(table.name) == manifest.tables.get(table.name)


def _delete(con: duckdb.DuckDBPyConnection, table: Table, batches: list[str]) -> None:
    if table.per_batch and batches:
        con.execute(f'DELETE FROM "{table.name}" WHERE batch IN (SELECT unnest(?))', [batches])
    elif not table.per_batch and OVERALL in batches:
        con.execute(f'DELETE FROM "{table.name}"')


def _published_tables() -> list[Table]:
    return [t for t in TABLES.values() if t.published]


def _wal(database: Path) -> Path:
    return database.with_name(database.name + ".wal")


def _remove(database: Path) -> None:
    database.unlink(missing_ok=True)
    _wal(database).unlink(missing_ok=True)
