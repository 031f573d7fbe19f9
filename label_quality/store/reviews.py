"""The review log: what people decided, in the order in which they did. Entries are only ever added; undo is an entry too.

It is the one thing that cannot be computed again. SQLite below the root, or PostgreSQL by a URL. Several processes may
append at once: one after the other, so that whoever has read up to a number has read all there is below it. What a
verdict means for today's labels and findings is said in ``label_quality.reviews``, what an entry says in ``entries``.
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
from label_quality.store.entries import Entry
from label_quality.store.errors import StoreError

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

    def __init__(self, url: str | sa.URL) -> None:
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
        self._lacks: frozenset[str] = frozenset()

    @classmethod
    def below(cls, root: Path, url: str = "") -> ReviewLog:
        """The log of a root: at `url`, or else in a file of its own in the folder."""
        file = str(
            Path(root).absolute() / FILE_NAME
        )  # as text of a URL a "?" in it would end the path
        return cls(url or sa.URL.create("sqlite", database=file))

    def add(self, entries: Iterable[Entry]) -> list[Entry]:
        """Append verdicts, tags and untags, all or none; returns them with the numbers and the time they were given."""
        entries = list(entries)
        if any(e.action == "undo" for e in entries):
            raise ValueError("undo() writes an undo")
        with self._appending() as con:
            return self._append(con, entries)

    def undo(self, seq: int, author: str) -> Entry:
        """Append that entry `seq` no longer counts; raises as `undo_all` does."""
        return self.undo_all([seq], author)[0]

    def undo_all(self, seqs: Iterable[int], author: str) -> list[Entry]:
        """Append that the entries `seqs` no longer count, all or none.

        Raises ValueError when there is no such entry, when it is another author's, an undo, or undone already.
        """
        wanted = list(dict.fromkeys(seqs))
        with self._appending() as con:
            for seq in wanted:
                self._check_undo(con, seq, author)
            undos = [Entry(author=author, action="undo", undoes=seq) for seq in wanted]
            return self._append(con, undos)

    def _check_undo(self, con: sa.Connection, seq: int, author: str) -> None:
        log = self._table.c
        found = con.execute(sa.select(log.author, log.action).where(log.seq == seq)).first()
        if found is None:
            raise ValueError(f"there is no entry {seq}")
        if found.author != author:
            raise ValueError(f"entry {seq} is {found.author}'s, who alone can undo it")
        if found.action == "undo":
            raise ValueError(f"entry {seq} is an undo: decide again instead")
        if con.execute(sa.select(log.seq).where(log.undoes == seq)).first():
            raise ValueError(f"entry {seq} is undone already")

    def entries(self, after: int = 0) -> pa.Table:
        """The entries whose number is above `after`, in order, with the columns of ``schema.REVIEW_LOG``."""
        with self._reading() as con:
            if con is None:
                return REVIEW_LOG.arrow_schema().empty_table()
            shown = [
                sa.null().label(c.name) if c.name in self._lacks else c for c in self._table.columns
            ]
            query = sa.select(*shown).where(self._table.c.seq > after)
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
                    self._add_columns(con)
                    for statement in _APPEND_ONLY[con.dialect.name]:
                        con.exec_driver_sql(statement)
                yield con
            except BaseException:
                con.exec_driver_sql("ROLLBACK")
                raise
            con.exec_driver_sql("COMMIT")
            self._made = True

    def _add_columns(self, con: sa.Connection) -> None:
        """A log that an older version began gets the columns that came since; its entries hold NULL in them."""
        for name in _lacking(con, self._table):
            kind = self._table.c[name].type.compile(con.dialect)
            con.exec_driver_sql(f'ALTER TABLE {self._table.name} ADD COLUMN "{name}" {kind}')

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        """A connection, or None where nothing has been written yet: reading makes no file."""
        file = self._url.database
        if self._url.get_backend_name() == "sqlite" and file and not Path(file).exists():
            yield None
            return
        with self._connected() as con:
            there = self._made or sa.inspect(con).has_table(self._table.name)
            # Reading changes nothing, so a log of an older version stays without its new columns until somebody decides.
            self._lacks = _lacking(con, self._table) if there and not self._made else frozenset()
            self._made = there and not self._lacks
            yield con if there else None

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as con:
                yield con
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
            where = self._url.render_as_string(hide_password=True)
            reason = getattr(error, "orig", None) or error
            raise StoreError(f"the review log at {where} cannot be used: {reason}") from error


def _lacking(con: sa.Connection, table: sa.Table) -> frozenset[str]:
    """The columns that the table in the database does not have yet."""
    have = {c["name"] for c in sa.inspect(con).get_columns(table.name)}
    return frozenset(c.name for c in table.columns) - have


def _row(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in REVIEW_LOG.column_names}
    if entry.fix is not None:
        row["fix"] = msgspec.json.encode(entry.fix).decode()
    return row
