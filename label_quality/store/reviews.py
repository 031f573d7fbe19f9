"""The review log: what people decided, in the order in which they did. Entries are only ever added; undo is an entry too.

It is the one thing that cannot be computed again. SQLite below the root, or PostgreSQL by a URL. Several processes may
append at once: one after the other, so that whoever has read up to a number has read all there is below it. What an entry
may say is in ``review_entries``. What a verdict means for today's labels and findings is said in ``label_quality.reviews``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from label_quality.schema import REVIEW_LOG
from label_quality.store.errors import StoreError
from label_quality.store.review_entries import Entry, Fix, FixAction, Kind, Rle, Verdict

__all__ = ["Entry", "Fix", "FixAction", "Kind", "ReviewLog", "Rle", "Verdict"]

FILE_NAME = "reviews.db"
_WAIT_SECONDS = 30
_LOCK = 0x6C717265  # any number that other programs in the same PostgreSQL database do not lock
_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "BIGINT": sa.BigInteger(),
    "DOUBLE": sa.Double(),
    "VARCHAR": sa.Text(),
    "VARCHAR[]": sa.JSON(none_as_null=True),
    "TIMESTAMP": sa.DateTime(),
}
# Appending begins by shutting out every other process that wants to append; readers are not kept waiting.
_BEGIN = {
    "sqlite": ["BEGIN IMMEDIATE"],
    "postgresql": ["BEGIN", f"SELECT pg_advisory_xact_lock({_LOCK})"],
}
# Whoever opens the log with another tool shall not change by mistake what cannot be made again.
_APPEND_ONLY = {
    "sqlite": [
        f"""CREATE TRIGGER IF NOT EXISTS review_log_no_{event} BEFORE {event} ON review_log
            BEGIN SELECT RAISE(ABORT, 'the review log is append-only: add an undo'); END"""
        for event in ("update", "delete")
    ],
    "postgresql": [
        """CREATE OR REPLACE FUNCTION review_log_append_only() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'the review log is append-only: add an undo'; END $$""",
        """CREATE OR REPLACE TRIGGER review_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
           ON review_log EXECUTE FUNCTION review_log_append_only()""",
    ],
}


class ReviewLog:
    """The log at a URL of SQLAlchemy: ``sqlite:///…`` or ``postgresql://…``. May be shared by threads.

    Raises StoreError when the URL is none or the database cannot be reached.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = sa.make_url(url)
            if self._url.drivername in ("postgres", "postgresql"):
                self._url = self._url.set(drivername="postgresql+psycopg")
            dialect = self._url.get_backend_name()
            if dialect not in _BEGIN:
                raise StoreError(
                    f"the review log can lie in SQLite or PostgreSQL, not in {dialect}"
                )
            lite = dialect == "sqlite"
            self._engine = sa.create_engine(
                self._url,
                isolation_level="AUTOCOMMIT",  # transactions are begun by hand, see _BEGIN
                poolclass=NullPool if lite else None,
                pool_pre_ping=not lite,
                connect_args={"timeout": _WAIT_SECONDS} if lite else {},
            )
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
            raise StoreError(f"the review log cannot be opened: {error}") from error
        columns = [
            sa.Column(c.name, _TYPES[c.type], nullable=c.nullable) for c in REVIEW_LOG.columns
        ]
        columns[0].primary_key, columns[0].autoincrement = True, False
        self._table = sa.Table(
            REVIEW_LOG.name, sa.MetaData(), *columns, sa.UniqueConstraint("undoes")
        )
        self._made = False

    @classmethod
    def below(cls, root: Path, url: str = "") -> ReviewLog:
        """The log of a root: at `url`, or else in a file of its own in the folder."""
        return cls(url or f"sqlite:///{Path(root).absolute() / FILE_NAME}")

    def add(self, entries: Iterable[Entry]) -> list[Entry]:
        """Append verdicts, tags and untags, all or none; returns them with the numbers and the time they were given."""
        entries = list(entries)
        if any(e.action == "undo" for e in entries):
            raise ValueError("undo() writes an undo")
        with self._appending() as con:
            return self._append(con, entries)

    def undo(self, seq: int, author: str) -> Entry:
        """Append that entry `seq` no longer counts.

        Raises ValueError when there is no such entry, when it is another author's, an undo, or undone already.
        """
        log = self._table.c
        with self._appending() as con:
            found = con.execute(sa.select(log.author, log.action).where(log.seq == seq)).first()
            if found is None:
                raise ValueError(f"there is no entry {seq}")
            if found.author != author:
                raise ValueError(f"entry {seq} is {found.author}'s, who alone can undo it")
            if found.action == "undo":
                raise ValueError(f"entry {seq} is an undo: decide again instead")
            if con.execute(sa.select(log.seq).where(log.undoes == seq)).first():
                raise ValueError(f"entry {seq} is undone already")
            return self._append(con, [Entry(author=author, action="undo", undoes=seq)])[0]

    def entries(self, after: int = 0) -> pa.Table:
        """The entries whose number is above `after`, in order, with the columns of ``schema.REVIEW_LOG``."""
        with self._reading() as con:
            if con is None:
                return REVIEW_LOG.arrow_schema().empty_table()
            query = sa.select(self._table).where(self._table.c.seq > after)
            rows = con.execute(query.order_by(self._table.c.seq)).all()
        names = REVIEW_LOG.column_names
        columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
        return pa.table({n: columns.get(n, ()) for n in names}, schema=REVIEW_LOG.arrow_schema())

    def last(self) -> int:
        """The number of the last entry, 0 while there is none: it changes with every entry and only then."""
        with self._reading() as con:
            if con is None:
                return 0
            return int(con.execute(sa.select(sa.func.max(self._table.c.seq))).scalar() or 0)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _append(self, con: sa.Connection, entries: list[Entry]) -> list[Entry]:
        if not entries:
            return []
        last = con.execute(sa.select(sa.func.max(self._table.c.seq))).scalar() or 0
        at = datetime.now(UTC).replace(tzinfo=None)
        given = [
            msgspec.structs.replace(e, seq=last + k, at=at) for k, e in enumerate(entries, start=1)
        ]
        con.execute(self._table.insert(), [_row(e) for e in given])
        return given

    @contextmanager
    def _appending(self) -> Iterator[sa.Connection]:
        with self._connected() as con:
            if con.dialect.name == "sqlite" and not self._made:
                con.exec_driver_sql("PRAGMA journal_mode = WAL")  # readers and a writer at once
            for statement in _BEGIN[con.dialect.name]:
                con.exec_driver_sql(statement)
            try:
                if not self._made:
                    self._table.create(con, checkfirst=True)
                    for statement in _APPEND_ONLY[con.dialect.name]:
                        con.exec_driver_sql(statement)
                yield con
            except BaseException:
                con.exec_driver_sql("ROLLBACK")
                raise
            con.exec_driver_sql("COMMIT")
            self._made = True

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        """A connection, or None where nothing has been written yet: reading makes no file."""
        file = self._url.database
        if self._url.get_backend_name() == "sqlite" and file and not Path(file).exists():
            yield None
            return
        with self._connected() as con:
            self._made = self._made or sa.inspect(con).has_table(self._table.name)
            yield con if self._made else None

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as con:
                yield con
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
            where = self._url.render_as_string(hide_password=True)
            reason = getattr(error, "orig", None) or error
            raise StoreError(f"the review log at {where} cannot be used: {reason}") from error


def _row(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in REVIEW_LOG.column_names}
    if entry.fix is not None:
        row["fix"] = msgspec.json.encode(entry.fix).decode()
    return row
