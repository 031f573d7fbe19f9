"""The review log, in SQLite and in a real PostgreSQL: nothing is lost, changed or read out of order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from servers import postgres

from label_quality.schema import REVIEW_LOG
from label_quality.store import Store, StoreError
from label_quality.store.entries import Entry, Fix, Rle
from label_quality.store.reviews import ReviewLog

PROCESSES, EACH = 3, 12
APPEND = """
import sys
from label_quality.store.entries import Entry
from label_quality.store.reviews import ReviewLog
url, author, count = sys.argv[1:]
log = ReviewLog(url)
for k in range(int(count)):
    log.add([Entry(author=author, action="tag", batch="b", image_id=k, kind="image", tag="t")] * 2)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'reviews.db'}"
    return postgres.new_database(request.getfixturevalue("server"), request.node.name)


@pytest.fixture
def log(url: str) -> Iterator[ReviewLog]:
    opened = ReviewLog(url)
    yield opened
    opened.close()


def verdict(**fields: Any) -> Entry:
    about: dict[str, Any] = {
        **{"author": "ann", "batch": "b", "image_id": 1, "finding_id": "f1"},
        **{"error_type": "wrong_class", "category_id": 1, "annotation_id": 5, "content_hash": "c5"},
        **{"x": 1.5, "y": 2.5, "width": 30.0, "height": 40.0, "verdict": "reject"},
    }
    return Entry(action="verdict", **about | fields)


def tag(**fields: Any) -> Entry:
    about: dict[str, Any] = {"author": "ann", "batch": "b", "image_id": 1, "kind": "image"}
    return Entry(action="tag", **about | {"tag": "dark"} | fields)


def rows(log: ReviewLog, after: int = 0) -> list[dict[str, Any]]:
    table = log.entries(after)
    assert table.schema == REVIEW_LOG.arrow_schema()
    return table.to_pylist()  # type: ignore[no-any-return]


def test_what_is_written_is_read(log: ReviewLog) -> None:
    fix = Fix("change_mask", box=(1, 2, 3, 4), segmentation=Rle((2, 2), [1, 3]), model="m")
    first = verdict(verdict="accept", fix=fix, models=["m", "n, o"], note="ünsure\n'quoted'")
    given = log.add([first, tag(kind="prediction", model="m", prediction_id=2**62)])
    found = rows(log)
    assert [e.seq for e in given] == [1, 2] == [r["seq"] for r in found]
    assert [e.at for e in given] == [r["at"] for r in found]
    assert msgspec.json.decode(found[0]["fix"], type=Fix) == fix
    assert found[0]["models"] == ["m", "n, o"]
    assert found[0]["note"] == first.note
    assert found[1]["models"] is None
    assert found[1]["prediction_id"] == 2**62
    same = {k: v for k, v in found[0].items() if k not in ("seq", "at", "fix")}
    assert same == {k: v for k, v in msgspec.structs.asdict(first).items() if k in same}
    assert rows(log, after=1) == found[1:]


def test_it_is_read_by_whoever_opens_it(log: ReviewLog, url: str) -> None:
    log.add([verdict()])
    other = ReviewLog(url)
    assert other.last() == 1
    assert rows(other) == rows(log)
    other.add([tag()])
    other.close()
    assert log.last() == 2


def test_nothing_is_there_before_the_first_entry(log: ReviewLog, tmp_path: Path) -> None:
    assert log.last() == 0
    assert rows(log) == []
    assert log.add([]) == []
    assert list(tmp_path.glob("*.db")) == [] or log.last() == 0


def test_reading_makes_no_file(tmp_path: Path) -> None:
    log = Store(tmp_path).review_log()
    assert (log.last(), rows(log)) == (0, [])
    assert list(tmp_path.iterdir()) == []


def test_it_lies_in_the_root_whatever_that_is_called(tmp_path: Path) -> None:
    root = tmp_path / "50%20 sure? #1"
    root.mkdir()
    log = ReviewLog.below(root)
    log.add([tag()])
    assert ReviewLog.below(root).last() == 1
    assert (root / "reviews.db").is_file()


def test_a_log_of_an_older_version_is_read_and_goes_on(log: ReviewLog, url: str) -> None:
    """It has no column `sample`: reading leaves it so, the next entry adds it, and no entry is lost."""
    log.add([verdict(note="before")])
    engine = sa.create_engine(log._url)
    with engine.begin() as con:
        con.exec_driver_sql("ALTER TABLE review_log DROP COLUMN sample")
    with closing(ReviewLog(url)) as reader:
        assert [(e["note"], e["sample"]) for e in reader.entries().to_pylist()] == [("before", None)]  # fmt: skip
        assert reader.last() == 1
        names = {c["name"] for c in sa.inspect(engine).get_columns("review_log")}
        assert "sample" not in names
        reader.add([verdict(sample="draw")])
        assert [e["sample"] for e in reader.entries().to_pylist()] == [None, "draw"]
    with closing(ReviewLog(url)) as again:
        assert again.entries().num_rows == 2
        again.undo(2, "ann")
    with pytest.raises(sa.exc.DatabaseError, match="append-only"), engine.begin() as con:
        con.exec_driver_sql("DELETE FROM review_log")
    engine.dispose()


def test_an_undo_is_an_entry(log: ReviewLog) -> None:
    log.add([verdict(), verdict(author="bob"), tag()])
    undone = log.undo(2, "bob")
    assert (undone.seq, undone.undoes, undone.action) == (4, 2, "undo")
    assert [r["action"] for r in rows(log)] == ["verdict", "verdict", "tag", "undo"]
    for seq, author, why in [
        (9, "ann", "no entry 9"),
        (1, "bob", "ann's, who alone can undo it"),
        (4, "bob", "is an undo"),
        (2, "bob", "undone already"),
    ]:
        with pytest.raises(ValueError, match=why):
            log.undo(seq, author)
    assert log.last() == 4


@pytest.mark.parametrize(
    "statement", ["UPDATE review_log SET author = 'x'", "DELETE FROM review_log"]
)
def test_nobody_changes_it_by_mistake(log: ReviewLog, url: str, statement: str) -> None:
    log.add([verdict()])
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as con, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        con.exec_driver_sql(statement)
    engine.dispose()
    assert [r["author"] for r in rows(log)] == ["ann"]


def test_all_or_none(log: ReviewLog) -> None:
    log.add([verdict()])
    unwritable: Any = object()  # has no JSON
    with pytest.raises((StoreError, TypeError)):
        log.add([tag(), tag(models=[unwritable])])
    assert log.last() == 1
    assert log.add([tag()])[0].seq == 2


def test_several_processes_append_at_once(log: ReviewLog, url: str) -> None:
    """Whoever reads meanwhile sees all that is below the last number, always."""
    running = [
        subprocess.Popen([sys.executable, "-c", APPEND, url, f"author {k}", str(EACH)])
        for k in range(PROCESSES)
    ]
    seen = 0
    while any(p.poll() is None for p in running) or seen < log.last():
        table = log.entries(after=seen)
        new = table["seq"].to_pylist()
        assert new == list(range(seen + 1, seen + 1 + len(new)))
        seen += len(new)
        assert seen % 2 == 0  # two go in together
    assert [p.returncode for p in running] == [0] * PROCESSES
    authors = log.entries()["author"].to_pylist()
    assert len(authors) == log.last() == PROCESSES * EACH * 2
    assert {authors.count(f"author {k}") for k in range(PROCESSES)} == {EACH * 2}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: verdict(author=" "), "author"),
        (lambda: verdict(author="a\nb"), "author"),
        (lambda: verdict(note="x" * 10_001), "note has more than"),
        (lambda: verdict(note="a\0b"), "not text"),
        (lambda: verdict(image_id=2**63), "too large"),
        (lambda: verdict(batch=None), "batch"),
        (lambda: verdict(verdict=None), "needs a verdict"),
        (lambda: verdict(width=None), "box"),
        (lambda: verdict(width=0.0), "above 0"),
        (lambda: verdict(x=float("nan")), "finite"),
        (lambda: verdict(content_hash=None), "go together"),
        (lambda: verdict(annotation_id=None, content_hash=None), "about a missing one"),
        (lambda: verdict(fix=Fix("remove")), "goes with accept"),
        (lambda: verdict(verdict="accept", fix=Fix("add", 1, (0, 0, 1, 1))), "add goes with"),
        (lambda: tag(tag=" "), "text"),
        (lambda: tag(kind=None), "kind"),
        (lambda: tag(kind="annotation"), "annotation_id"),
        (lambda: tag(kind="prediction", model="m"), "prediction_id"),
        (lambda: Entry(author="a", action="undo"), "which entry"),
        (lambda: Fix("add", box=(0, 0, 1, 1)), "category_id"),
        (lambda: Fix("change_class"), "category_id"),
        (lambda: Fix("change_class", 2**63), "too large"),
        (lambda: Fix("remove", model="m", prediction_id=2**63), "too large"),
        (lambda: Fix("change_box"), "box"),
        (lambda: Fix("change_box", box=(0, 0, 1, -1)), "above 0"),
        (lambda: Fix("change_box", box=(0, 0, 1e300, 1)), "too large"),
        (lambda: Fix("change_mask"), "segmentation"),
        (lambda: Fix("change_mask", segmentation=[[float("inf")]]), "finite"),
    ],
)
def test_what_is_no_entry_is_refused(make: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "cannot be opened"),
        ("mysql://host/db", "SQLite or PostgreSQL"),
        ("sqlite:////nowhere/at/all/reviews.db", "cannot be used"),
    ],
)
def test_where_no_log_can_be(url: str, why: str) -> None:
    with pytest.raises(StoreError, match=why):
        ReviewLog(url).add([tag()])


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    log = ReviewLog("postgresql://me:secret@127.0.0.1:1/reviews?connect_timeout=2")
    with pytest.raises(StoreError, match=r"me:\*\*\*@127\.0\.0\.1") as caught:
        log.last()
    assert "secret" not in str(caught.value)
