"""The review log: what people decided, in the order in which they did. Entries are only ever added; undo is an entry too.

It is the one thing that cannot be computed again. SQLite below the root, or PostgreSQL by a URL. Several processes may
append at once: one after the other, so that whoever has read up to a number has read all there is below it. What a
verdict means for today's labels and findings is said in ``label_quality.reviews``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from label_quality.schema import REVIEW_LOG
from label_quality.store.errors import StoreError

FILE_NAME = "reviews.db"
LONGEST = 10_000
"""Characters of a note, and the most that any other text of an entry but a fix may have."""

Action = Literal["verdict", "undo", "tag", "untag"]
Verdict = Literal["accept", "reject", "unsure", "relabel"]
FixAction = Literal["add", "change_class", "change_box", "change_mask", "remove"]
Kind = Literal["image", "annotation", "prediction"]

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


class Rle(msgspec.Struct, frozen=True):
    """A run-length mask as COCO has it: size is height, width; counts are compressed (text) or not (list)."""

    size: tuple[int, int]
    counts: str | list[int]


class Fix(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a reviewer wants done to a label, complete: it can be carried out without the database.

    `box` is x, y, width, height in pixels. `segmentation` is COCO's: polygons or run lengths. `model` and `prediction_id`
    say whose prediction it was taken from, if from one's.
    """

    action: FixAction
    category_id: int | None = None
    box: tuple[float, float, float, float] | None = None
    segmentation: list[list[float]] | Rle | None = None
    model: str | None = None
    prediction_id: int | None = None

    def __post_init__(self) -> None:
        for name in ("category_id", "model", "prediction_id"):
            _check_size(name, getattr(self, name))
        _require(
            self.action not in ("add", "change_class") or self.category_id is not None,
            f"a fix that is to {self.action} needs a category_id",
        )
        _require(
            self.action not in ("add", "change_box") or self.box is not None,
            f"a fix that is to {self.action} needs a box",
        )
        _require(
            self.action != "change_mask" or self.segmentation is not None,
            "a fix that is to change_mask needs a segmentation",
        )
        if self.box is not None:
            _check_box(self.box)
        if isinstance(self.segmentation, list):
            numbers = [v for part in self.segmentation for v in part]
            _require(all(map(math.isfinite, numbers)), "a polygon needs finite numbers")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log; `docs/reviews.md` explains the fields. `seq` and `at` are given by the log.

    Raises ValueError when what an action needs is not there.
    """

    author: str
    action: Action
    seq: int = 0
    at: datetime | None = None
    undoes: int | None = None
    batch: str | None = None
    image_id: int | None = None
    finding_id: str | None = None
    error_type: str | None = None
    category_id: int | None = None
    annotation_id: int | None = None
    content_hash: str | None = None
    other_annotation_id: int | None = None
    other_content_hash: str | None = None
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    verdict: Verdict | None = None
    fix: Fix | None = None
    note: str | None = None
    models: list[str] | None = None
    rule_version: str | None = None
    kind: Kind | None = None
    model: str | None = None
    prediction_id: int | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        _require(
            bool(self.author.strip()) and self.author.isprintable(), "an entry needs an author"
        )
        for name in self.__struct_fields__:
            _check_size(name, getattr(self, name))
        if self.action == "undo":
            _require(self.undoes is not None, "an undo says which entry it undoes")
            return
        _require(bool(self.batch) and self.image_id is not None, "it needs a batch and an image_id")
        if self.action == "verdict":
            self._check_verdict()
        else:
            self._check_tag()

    def _check_verdict(self) -> None:
        _require(self.verdict is not None, "a verdict needs a verdict")
        box = (self.x, self.y, self.width, self.height)
        _require(None not in box, "a verdict needs the box that it judged")
        _check_box(box)  # type: ignore[arg-type]
        _require(
            (self.annotation_id is None) == (self.content_hash is None),
            "annotation_id and content_hash go together",
        )
        _require(
            self.annotation_id is not None or self.error_type == "missing",
            "a verdict about no label is about a missing one",
        )
        fix = self.fix
        if fix is not None:
            _require(self.verdict == "accept", "a fix goes with accept")
            _require(
                (fix.action == "add") == (self.annotation_id is None),
                "add goes with a missing label, every other fix with a label",
            )

    def _check_tag(self) -> None:
        _require(bool(self.tag and self.tag.strip()), "a tag needs a text")
        _require(self.kind is not None, "a tag needs a kind: image, annotation or prediction")
        _require(
            self.kind != "annotation" or self.annotation_id is not None, "it needs an annotation_id"
        )
        _require(
            self.kind != "prediction" or None not in (self.model, self.prediction_id),
            "it needs a model and a prediction_id",
        )


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


def _check_size(name: str, value: object) -> None:
    """What either database would refuse, or could not read again: the entries of a log cannot be mended."""
    if isinstance(value, str):
        _require(len(value) <= LONGEST, f"{name} has more than {LONGEST} characters")
        _require("\0" not in value, f"{name} holds a character that is not text")
    elif isinstance(value, int):
        _require(-(2**63) <= value < 2**63, f"{name} is too large a number")


def _check_box(box: tuple[float, float, float, float]) -> None:
    _require(
        all(map(math.isfinite, box)) and box[2] > 0 and box[3] > 0,
        "a box needs finite numbers, and a width and a height above 0",
    )


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
