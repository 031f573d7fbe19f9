"""The review log in the published database: copied with each publish, attached to what is published with it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import duckdb
import pytest
from store_rows import add_verdict, audit, dump, rows, write_steps

from label_quality.schema import TABLES
from label_quality.store import Published, Store, StoreError
from label_quality.store.entries import Entry

OVERALL = """SELECT error_type, category_name, labels, findings, expected_errors, expected_missing, rate, rate_low,
    rate_high, judged, calibrated, n_reviewed, reviewed_rate, reviewed_low, reviewed_high, n_sampled, reviewed_labels
    FROM error_rates"""
LABEL: dict[str, Any] = {"image_id": 1, "annotation_id": 1, "error_type": "wrong_class"}


def ask(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(store.database), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_the_log_is_copied_when_it_has_grown(store: Store) -> None:
    audit(store, "b1", "r1")
    assert store.publish().reviewed is False
    add_verdict(store)
    add_verdict(store, author="bob", verdict="reject", note="there is none")
    assert store.publish() == Published(reviewed=True)
    assert store.publish() == Published()
    with closing(store.review_log()) as log:
        log.undo(2, "bob")
        log.add(
            [Entry(author="ann", action="tag", batch="b1", image_id=1, kind="image", tag="dark")]
        )
    assert ask(store, "SELECT bool_and(disagreement) FROM reviews") == [(True,)]
    assert store.publish().changed
    assert ask(store, "SELECT author, standing, attached_finding_id, disagreement, note FROM reviews") == [
        ("ann", True, "f1", False, None),
        ("bob", False, None, False, "there is none"),
    ]  # fmt: skip
    assert ask(store, "SELECT image_id, tag, author FROM tags") == [(1, "dark", "ann")]


def test_what_is_decided_is_not_in_the_queue(store: Store) -> None:
    audit(store, "b1", "r1")
    audit(store, "b2", "r1")
    first = add_verdict(store)
    store.publish()
    queue = "SELECT batch, finding_id, verdict FROM queue WHERE error_type = 'missing'"
    assert ask(store, queue) == [("b2", "f1", None)]
    add_verdict(store, author="bob", verdict="reject")
    store.publish()
    assert ask(store, queue) == [("b1", "f1", "disagreement"), ("b2", "f1", None)]
    with closing(store.review_log()) as log:
        log.undo(first.seq, "ann")
    store.publish()
    assert ask(store, queue) == [("b2", "f1", None)]
    assert ask(store, "SELECT verdict, authors FROM finding_verdicts") == [("reject", ["bob"])]


def test_verdicts_are_attached_to_what_is_published_with_them(store: Store) -> None:
    audit(store, "b1", "r1")
    add_verdict(store)
    store.publish()
    run = store.run("b1", "r2")
    for table in TABLES["findings"], TABLES["error_rates"]:
        run.write(table.name, rows(table.name, n=0))
    store.commit("b1", "r2")
    assert store.publish().replaced == ("b1",)
    assert ask(store, "SELECT attached_finding_id, superseded FROM reviews") == [(None, True)]
    (store.root / "batches/b1.json").unlink()
    store.publish()
    assert ask(store, "SELECT superseded FROM reviews") == [(True,)]


def test_the_number_reviewed_stands_beside_the_rates(store: Store) -> None:
    write_steps(store, "b1", "r1")
    run = store.run("b1", "r1")
    rates = rows(
        "error_rates",
        error_type=["any", "any", "missing", "missing", "spurious"],
        category_id=[None, 1, None, 1, None],
        category_name=[None, "cat", None, "cat", None],
        judged=[True] * 5,
        n_reviewed=[0] * 5,
    )
    run.write("error_rates", rates)
    store.commit("b1", "r1")
    with store.connect() as con:
        store.write_overall(con, [lambda _: {"overall_error_rates": OVERALL}])
    add_verdict(store)
    add_verdict(store, author="bob")  # the same thing
    add_verdict(store, finding_id=None, x=90.0, category_id=2)  # one that no finding is about
    for table, counts in [
        ("error_rates", [2, 1, 2, 1, 0]),
        ("overall_error_rates", [2, 1, 2, 1, 0]),
    ]:
        store.publish()
        assert [n for (n,) in ask(store, f"SELECT n_reviewed FROM {table}")] == counts
    published = dump(store.database)
    store.rebuild()
    assert dump(store.database) == published


def test_the_tables_of_the_log_are_nobody_elses(store: Store) -> None:
    audit(store, "b1", "r1")
    with store.connect() as con, pytest.raises(StoreError, match="not a table over all batches"):
        store.write_overall(con, [lambda _: {"reviews": "FROM images"}])


def test_a_log_that_cannot_be_reached_leaves_the_database_as_it_was(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    audit(store, "b1", "r2")
    (store.root / "reviews.db").mkdir()
    with pytest.raises(StoreError, match="review log"):
        store.publish()
    assert ask(store, "SELECT run_id FROM batches") == [("r1",)]
