"""Several processes at one root. Each child prints a line when it is ready and waits for one before it goes on."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import pytest
from store_rows import audit, markers

from label_quality.store import BatchBusy, Store

_HEAD = """
import sys
from pathlib import Path
import duckdb
from label_quality.store import Store
store = Store(Path(sys.argv[1]))
"""
_WAIT = "print('ready', flush=True); sys.stdin.readline()\n"


@contextmanager
def child(store: Store, body: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs `body` with `store` at the same root, up to its first print."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HEAD + body, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def go_on(process: subprocess.Popen[str]) -> str:
    """Let the child go on; what it prints until it ends."""
    out, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    return out


def test_two_publishes_at_once(store: Store) -> None:
    for batch in ("b1", "b2"):
        audit(store, batch, "r1")
    store.publish()
    audit(store, "b1", "r2")
    body = _WAIT + "print(store.publish().replaced)"
    with child(store, body) as one, child(store, body) as two:
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        outs = sorted(p.communicate(timeout=60)[0].strip() for p in (one, two))
    assert outs == ["('b1',)", "()"]
    assert markers(store.database) == {"b1": {"r2"}, "b2": {"r1"}}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_tool_that_holds_the_database_open(store: Store, read_only: bool) -> None:
    audit(store, "b1", "r1")
    store.publish()
    body = (
        f"con = duckdb.connect(str(store.database), read_only={read_only})\n"
        "query = 'SELECT DISTINCT rule_version FROM findings'\n"
        "con.execute(query)\n" + _WAIT + "print(con.execute(query).fetchall()); con.close()\n"
        "print(duckdb.connect(str(store.database), read_only=True).execute(query).fetchall())"
    )
    with child(store, body) as tool:
        audit(store, "b1", "r2")
        assert store.publish().changed
        assert markers(store.database) == {"b1": {"r2"}}
        # its connection keeps the state that it opened; a new one sees the new state
        assert go_on(tool).split("\n")[:2] == ["[('r1',)]", "[('r2',)]"]
    assert markers(store.database) == {"b1": {"r2"}}


def test_a_second_run_of_a_batch_is_refused_at_once(store: Store) -> None:
    with child(store, "lock = store.lock('b1')\nlock.__enter__()\n" + _WAIT) as holder:
        message = rf"batch b1 is being audited by another run \(process {holder.pid}, since 20"
        with pytest.raises(BatchBusy, match=message), store.lock("b1"):
            pass
        with store.lock("b2"):  # another batch is free
            pass
        holder.kill()
        holder.wait()
        with store.lock("b1"):  # the kernel freed it
            pass


def test_the_lock_holds_inside_one_process_and_is_freed(store: Store) -> None:
    with store.lock("b1"), pytest.raises(BatchBusy), store.lock("b1"):
        pass
    with pytest.raises(ZeroDivisionError), store.lock("b1"):
        _ = 1 / 0
    with store.lock("b1"):
        pass


def test_batches_are_written_and_published_from_many_threads(store: Store) -> None:
    def one(batch: str) -> None:
        with store.lock(batch):
            audit(store, batch, "r1")
        store.publish()

    threads = [threading.Thread(target=one, args=(f"b{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert markers(store.database) == {f"b{i}": {"r1"} for i in range(4)}


def test_one_delivery_from_many_threads(store: Store, labels: Path) -> None:
    threads = [
        threading.Thread(
            target=store.deliver, args=(f"b{i}", labels), kwargs={"images": labels.parent}
        )
        for i in range(6)
    ]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
    assert {store.delivery(f"b{i}").images for i in range(6)} == {labels.parent}


def test_readers_never_see_two_versions_at_once(store: Store) -> None:
    audit(store, "b1", "r0")
    store.publish()
    body = (
        "print('ready', flush=True)\n"
        "import time; end = time.monotonic() + 2.5; seen = []\n"
        "while time.monotonic() < end:\n"
        "    with duckdb.connect(str(store.database), read_only=True) as con:\n"
        "        one = con.execute('SELECT DISTINCT run_id FROM batches').fetchall()\n"
        "        two = con.execute('SELECT DISTINCT rule_version FROM findings').fetchall()\n"
        "        seen.append((one, two))\n"
        "print(len(seen) > 5, len({str(s) for s in seen}) > 1, all(one == two and len(one) == 1 for one, two in seen))"
    )
    with child(store, body) as reader:
        run = 0
        while reader.poll() is None:
            run += 1
            audit(store, "b1", f"r{run}")
            store.publish()
        assert reader.stdout is not None
        assert reader.stdout.read().split() == ["True", "True", "True"]


def test_duckdb_itself_would_return_the_old_file(store: Store) -> None:
    """The reason for Reader; when this fails, it can go."""
    audit(store, "b1", "r1")
    store.publish()
    query = "SELECT DISTINCT rule_version FROM findings"
    with duckdb.connect(str(store.database), read_only=True) as old:
        audit(store, "b1", "r2")
        store.publish()
        with duckdb.connect(str(store.database), read_only=True) as new:
            assert new.execute(query).fetchall() == [("r1",)]
        assert old.execute(query).fetchall() == [("r1",)]
