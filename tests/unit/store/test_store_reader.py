from __future__ import annotations

import subprocess
import sys
import threading
import time

import duckdb
import pytest
from store_rows import audit

from label_quality.store import Reader, Store, StoreError
from label_quality.store.reader import published_files

QUERY = "SELECT DISTINCT rule_version FROM findings"


def test_a_reader_follows_the_file_and_old_connections_drain(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    reader = Reader(store.database)
    old = reader.connection()
    assert old.execute(QUERY).fetchall() == [("r1",)]
    audit(store, "b1", "r2")
    store.publish()
    assert reader.execute(QUERY).fetchall() == [("r2",)]
    assert old.execute(QUERY).fetchall() == [("r1",)]
    audit(store, "b1", "r3")
    store.publish()
    assert reader.execute(QUERY).fetchall() == [("r3",)]
    assert old.execute("SELECT count(*) FROM images").fetchall() == [(3,)]
    assert list((store.root / "readers").iterdir()) == []
    reader.close()
    assert old.execute(QUERY).fetchall() == [("r1",)]
    assert reader.execute(QUERY).fetchall() == [("r3",)]


def test_the_files_beside_the_database_are_those_of_the_states_that_it_shows(store: Store) -> None:
    def masks() -> list[str]:
        con = Reader(store.database).connection()
        files = published_files(con, store.shared, "annotation_masks", "b1")
        return [str(file.relative_to(store.root)) for file in files]

    audit(store, "b1", "r1")
    audit(store, "b2", "r1")
    store.publish()
    old = ["tables/annotation_masks/b1/r1.parquet"]
    assert masks() == old
    audit(store, "b1", "r2")  # committed, and not published yet
    assert masks() == old
    store.publish()
    assert masks() == ["tables/annotation_masks/b1/r2.parquet"]
    (store.root / masks()[0]).unlink()
    assert masks() == []


def test_a_reader_cannot_write(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    with pytest.raises(duckdb.Error, match="read-only"):
        Reader(store.database).execute("DELETE FROM findings")


def test_parameters_and_memory_limit(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    reader = Reader(store.database, memory_limit="300MB")
    assert reader.execute("SELECT count(*) FROM findings WHERE p_error > ?", [0.5]).fetchone() == (
        2,
    )
    assert reader.execute("SELECT current_setting('memory_limit')").fetchone() == ("286.1 MiB",)


def test_before_the_first_publish(store: Store) -> None:
    reader = Reader(store.database)
    with pytest.raises(FileNotFoundError, match="audit a batch first"):
        reader.connection()
    with pytest.raises(FileNotFoundError, match="audit a batch first"):
        Reader(store.root / "nowhere" / store.database.name).connection()
    audit(store, "b1", "r1")
    store.publish()
    assert reader.execute(QUERY).fetchall() == [("r1",)]


def test_a_tool_that_holds_the_file_for_writing_is_named(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    script = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('ready', flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(store.database)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tool:
        assert tool.stdout is not None
        tool.stdout.readline()
        with pytest.raises(StoreError, match="lock"):
            Reader(store.database).connection()
        tool.communicate("\n")
    assert Reader(store.database).execute(QUERY).fetchall() == [("r1",)]


def test_threads_share_a_reader_while_it_is_published(store: Store) -> None:
    audit(store, "b1", "r0")
    store.publish()
    reader = Reader(store.database)
    stop, wrong = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            con = reader.connection()
            pair = con.execute("SELECT DISTINCT run_id FROM batches").fetchall()
            if pair != con.execute(QUERY).fetchall():
                wrong.append(pair)
            time.sleep(0.01)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(1, 5):
        audit(store, "b1", f"r{i}")
        store.publish()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert reader.execute(QUERY).fetchall() == [("r4",)]
