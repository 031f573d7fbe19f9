"""What became of each delivery, as the files of the root say it: every state, and that nothing is written by looking."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
from store_rows import audit

from label_quality.schema import TABLES
from label_quality.store import Store, StoreError
from label_quality.store.accounts import Account, accounts_table


def account(store: Store) -> Account:
    (found,) = store.accounts()
    assert accounts_table([found]).schema == TABLES["deliveries"].arrow_schema()
    return found


def test_nothing_was_delivered(store: Store) -> None:
    assert store.accounts() == []
    assert store.state() == ""
    assert not (store.root / "deliveries").exists()


def test_a_batch_from_its_delivery_to_its_publication(store: Store, labels: Path) -> None:
    store.deliver("b1", labels)
    waiting = account(store)
    assert (waiting.state, waiting.deliveries, waiting.labels) == ("waiting", 1, None)
    with store.lock("b1"):
        assert account(store).state == "running"
    store.run("b1", "r0")
    store.note_failure("b1", "r0", "it broke")
    failed = account(store)
    assert (failed.state, failed.message, failed.last_run) == ("failed", "it broke", "r0")
    audit(store, "b1", "r1")
    store.publish()
    published = account(store)
    assert (published.state, published.message, published.last_run) == ("published", None, "r1")
    assert published.images == 1
    assert published.fingerprint == waiting.fingerprint
    labels.write_text('{"images": [ ]}')
    store.deliver("b1", labels)
    again = account(store)
    assert (again.state, again.deliveries, again.images) == ("waiting", 2, 1)
    assert again.first_seen == published.first_seen
    assert again.fingerprint != published.fingerprint


def test_a_delivery_that_could_not_be_taken(store: Store) -> None:
    store.note_failure("b1", "r1", "there is no file")
    found = account(store)
    assert (found.state, found.fingerprint, found.deliveries) == ("failed", None, 0)


def test_a_run_is_noted_once_and_an_older_one_not_any_more(store: Store) -> None:
    store.note_failure("b1", "r1", "the first word")
    store.note_failure("b1", "r1", "the second word")
    store.note_failure("b1", "r0", "long ago", ended=1.0)
    assert account(store).message == "the first word"


def test_a_run_that_failed_in_publishing_until_another_publishes(
    store: Store, labels: Path
) -> None:
    store.deliver("b1", labels)
    audit(store, "b1", "r1")
    store.publish()
    audit(store, "b1", "r2")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(
            StoreError, match=r"publishing failed, the database is as it was.*too large"
        ):
            store.publish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.note_failure("b1", "r2", "publishing failed")
    assert account(store).state == "failed"
    store.publish()
    assert account(store).state == "published"


def test_the_state_changes_with_every_commit_and_failure(store: Store, labels: Path) -> None:
    store.deliver("b1", labels)
    audit(store, "b1", "r1")
    first = store.state()
    store.note_failure("b2", "r2", "it broke")
    second = store.state()
    audit(store, "b1", "r3")
    third = store.state()
    store.note_failure("b2", "r4", "it was killed, which is known later", time.time() - 60)
    assert store.state() == third  # an older failure than the one that is noted
    store.note_failure("b3", "r5", "it was killed, which is known later", time.time() - 60)
    assert len({first, second, third, store.state()}) == 4


def test_who_holds_a_batch_is_asked_without_taking_its_lock(store: Store, labels: Path) -> None:
    store.deliver("b1", labels)
    file = store.lock_file("b1")
    file.parent.mkdir(parents=True)
    file.write_text('{"pid": 2147483646, "since": "2026-01-01T00:00:00"}')  # of one that was killed
    assert account(store).state == "waiting"


def test_predecessors_are_those_that_came_before(store: Store, labels: Path) -> None:
    for name in ("c", "a", "b"):
        store.deliver(name, labels)
        audit(store, name, "r1")
    assert store.predecessors("b", 10) == ["a", "c"]
    assert store.predecessors("b", 1) == ["a"]
    assert store.predecessors("c", 10) == []
    assert store.predecessors("new", 2) == ["a", "b"]
    assert store.predecessors("b", 0) == []
