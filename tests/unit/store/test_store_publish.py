from __future__ import annotations

import dataclasses
import random
import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from store_rows import audit, dump, markers, rows, write_steps

from label_quality.schema import TABLES, Column
from label_quality.settings import DuckDB, Settings
from label_quality.store import Published, Store, StoreError, views
from label_quality.store.scan import quoted

OVERALL = "SELECT * EXCLUDE (batch, category_id) FROM error_rates"


def test_publish_brings_the_database_in_step(store: Store) -> None:
    audit(store, "b1", "r1")
    audit(store, "b2", "r1")
    assert store.publish() == Published(("b1", "b2"), rebuilt=True)
    assert markers(store.database) == {"b1": {"r1"}, "b2": {"r1"}}
    assert store.publish() == Published()
    audit(store, "b2", "r2")
    assert store.publish() == Published(("b2",))
    assert markers(store.database) == {"b1": {"r1"}, "b2": {"r2"}}
    (store.root / "batches/b1.json").unlink()
    assert store.publish() == Published(removed=("b1",))
    assert markers(store.database) == {"b2": {"r2"}}


def test_nothing_to_do_leaves_the_file_alone(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    before = store.database.stat()
    store.publish()
    after = store.database.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_an_empty_root_gives_an_empty_database(store: Store) -> None:
    assert store.publish() == Published(rebuilt=True)
    assert all(found == [] for found in dump(store.database).values())


def test_uncommitted_tables_are_not_published(store: Store) -> None:
    audit(store, "b1", "r1")
    write_steps(store, "b1", "r2")
    store.publish()
    assert markers(store.database) == {"b1": {"r1"}}


def test_publish_equals_rebuild_after_any_history(store: Store) -> None:
    choice = random.Random(5)
    for step in range(12):
        batch = choice.choice(["b1", "b2", "b3"])
        action = choice.choice(["audit", "audit", "rates", "overall", "drop"])
        if action == "rates" and store.manifest(batch):
            write_steps(store, batch, f"r{step}", only=["error_rates"])
            store.commit(batch, f"r{step}")
        elif action == "overall":
            with store.connect() as con:
                store.write_overall(con, [lambda _: {"overall_error_rates": OVERALL}])
        elif action == "drop" and store.manifest(batch):
            (store.root / f"batches/{batch}.json").unlink()
        else:
            audit(store, batch, f"r{step}")
        if choice.random() < 0.7:
            store.publish()
    store.publish()
    published = dump(store.database)
    assert store.rebuild().rebuilt
    assert dump(store.database) == published
    assert published["annotations"]
    assert published["overall_error_rates"]


def test_overall_results_are_over_all_batches_and_stay(store: Store) -> None:
    audit(store, "b1", "r1")
    audit(store, "b2", "r1")
    with store.connect() as con:
        sql = f"SELECT * REPLACE ((SELECT count(*) FROM images) AS labels) FROM ({OVERALL})"
        done = store.write_overall(con, [lambda _: {"overall_error_rates": sql}])
    assert done.replaced == ("b1", "b2", ".overall")
    labels = TABLES["overall_error_rates"].column_names.index("labels")
    assert [r[labels] for r in dump(store.database)["overall_error_rates"]] == [6, 6]
    audit(store, "b1", "r2")
    store.publish()
    store.rebuild()
    assert [r[labels] for r in dump(store.database)["overall_error_rates"]] == [6, 6]
    with store.connect() as con:
        store.write_overall(con, [lambda _: {"overall_error_rates": OVERALL + " LIMIT 1"}])
    assert len(dump(store.database)["overall_error_rates"]) == 1


def test_overall_takes_only_overall_tables(store: Store) -> None:
    audit(store, "b1", "r1")
    with store.connect() as con:
        for name in ("images", "nonsense"):
            with pytest.raises(StoreError, match="not a table over all batches"):
                store.write_overall(con, [lambda _, name=name: {name: "FROM images"}])
        with pytest.raises(StoreError, match="comes without"):
            store.write_overall(con, [lambda _: {"overall_error_rates": "SELECT 1 AS rate"}])
    assert not store.database.exists()


def test_everything_carries_its_comment_and_every_view_answers(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    with duckdb.connect(str(store.database), read_only=True) as con:
        tables = dict(con.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        for table in TABLES.values():
            if table.published:
                assert tables.pop(table.name) == table.description
        assert all(name.startswith("_") and comment for name, comment in tables.items())
        columns = con.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() "
            "WHERE table_name IN (SELECT table_name FROM duckdb_tables()) AND table_name NOT LIKE '\\_%' ESCAPE '\\'"
        ).fetchall()
        assert set(columns) == {
            (t.name, c.name, c.comment) for t in TABLES.values() if t.published for c in t.columns
        }
        found = dict(
            con.execute(
                "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
        )
        assert found == {v.name: v.description for v in views.views()}
        source = Path(views.__file__).with_name("views.sql").read_text()
        assert len(found) == source.count("CREATE OR REPLACE VIEW")
        for name in found:
            con.execute(f"FROM {name}").fetchall()


def test_the_file_is_of_the_storage_version_that_older_tools_open(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    with duckdb.connect() as con:
        con.execute(f"ATTACH {quoted(store.database)} AS db (READ_ONLY)")
        row = con.execute(
            "SELECT tags FROM duckdb_databases() WHERE database_name = 'db'"
        ).fetchone()
    assert row is not None
    assert row[0]["storage_version"].removesuffix("+") == "v1.2.0"


def test_a_database_of_another_schema_is_made_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit(store, "b1", "r1")
    store.publish()
    added = Column("added", "DOUBLE", "A column of a newer version", nullable=True)
    table = TABLES["findings"]
    newer = dataclasses.replace(table, columns=(*table.columns, added))
    monkeypatch.setitem(TABLES, "findings", newer)
    assert store.publish() == Published(("b1",), rebuilt=True)
    with duckdb.connect(str(store.database), read_only=True) as con:
        assert con.execute("SELECT added FROM findings").fetchall() == [(None,)] * 3


def test_an_outdated_batch_is_left_out_and_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit(store, "b1", "r1")
    store.publish()
    table = TABLES["findings"]
    newer = dataclasses.replace(table, columns=(*table.columns, Column("added", "DOUBLE", "New")))
    monkeypatch.setitem(TABLES, "findings", newer)
    audit(store, "b2", "r1")
    done = store.publish()
    assert (done.replaced, done.outdated) == (("b2",), ("b1",))
    assert markers(store.database) == {"b2": {"r1"}}
    with store.connect() as con:
        store.view(con, "images")
        assert con.execute("SELECT DISTINCT batch FROM images").fetchall() == [("b2",)]
    audit(store, "b1", "r2")
    assert store.publish().replaced == ("b1",)


@pytest.mark.parametrize("damage", ["garbage", "half", "empty", "other database"])
def test_a_damaged_database_is_made_anew(store: Store, damage: str) -> None:
    audit(store, "b1", "r1")
    audit(store, "b2", "r1")
    store.publish()
    whole = store.database.read_bytes()
    store.database.unlink()
    if damage == "other database":
        duckdb.connect(str(store.database)).execute("CREATE TABLE images (a INTEGER)").close()
    else:
        store.database.write_bytes(
            {"garbage": b"x" * 9000, "half": whole[: len(whole) // 2], "empty": b""}[damage]
        )
    audit(store, "b2", "r2")
    assert store.publish().rebuilt
    assert markers(store.database) == {"b1": {"r1"}, "b2": {"r2"}}


def test_a_version_file_that_is_gone_is_told_and_nothing_is_lost(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    before = store.database.read_bytes()
    audit(store, "b2", "r2")
    (store.root / "tables/findings/b2/r2.parquet").unlink()
    with pytest.raises(StoreError, match=r"b2/r2\.parquet.*is not there; audit the batch again"):
        store.publish()
    assert store.database.read_bytes() == before
    assert [p.name for p in store.root.glob("*label_quality*")] == ["label_quality.duckdb"]


def test_a_log_left_by_another_tool_does_not_spoil_the_new_file(store: Store) -> None:
    audit(store, "b1", "r1")
    store.publish()
    log = store.root / "label_quality.duckdb.wal"
    script = (
        "import duckdb, os, sys; con = duckdb.connect(sys.argv[1]); "
        "con.execute('CREATE TABLE mine (a INT)'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(store.database)], check=False)
    assert log.exists()
    audit(store, "b1", "r2")
    store.publish()
    assert not log.exists()
    assert markers(store.database) == {"b1": {"r2"}}


def test_replacing_for_ever_does_not_grow_the_file_for_ever(store: Store) -> None:
    """Several row groups a batch; without reuse of freed blocks the file would grow by a third with each round.

    The memory limit is small on purpose.
    """
    store = Store(store.root, Settings(duckdb=DuckDB(memory_limit="64MB", threads=1)))
    for batch in ("b1", "b2", "b3"):
        _large(store, batch, "r0")
    store.publish()
    first = store.database.stat().st_size
    for i in range(1, 9):
        _large(store, f"b{i % 3 + 1}", f"r{i}")
        assert not store.publish().rebuilt
    assert store.database.stat().st_size < 2.2 * first


def _large(store: Store, batch: str, run_id: str) -> None:
    run = store.run(batch, run_id)
    with store.connect() as con:
        run.write_sql(
            con,
            "annotation_pairs",
            f"SELECT '{batch}' AS batch, i AS image_id, i AS annotation_id, i AS other_annotation_id, "
            "1 AS category_id, 1 AS other_category_id, random() AS box_iou, random() AS containment, "
            "NULL AS mask_iou, NULL AS mask_containment FROM range(130000) t(i)",
        )
    store.commit(batch, run_id)


_PUBLISH_WITH_LIMIT = """
import resource, sys
from pathlib import Path
from label_quality.store import Store, StoreError
store, limit = Store(Path(sys.argv[1])), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    store.publish()
except StoreError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_a_full_disk_leaves_the_old_database_whole(store: Store, share: float) -> None:
    """Simulated by a limit on the size of a file: writing past it fails, as it does on a full disk."""
    audit(store, "b1", "r1")
    store.publish()
    old = store.database.read_bytes()
    audit(store, "b2", "r2")
    done = subprocess.run(
        [sys.executable, "-c", _PUBLISH_WITH_LIMIT, str(store.root), str(int(len(old) * share))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, done.stderr), done.stderr
    assert "the database is as it was" in done.stdout
    assert store.database.read_bytes() == old
    assert [p.name for p in store.root.glob("*label_quality*")] == ["label_quality.duckdb"]
    assert [p.name for p in store.root.glob(".*label_quality*")] == []
    store.publish()
    assert markers(store.database) == {"b1": {"r1"}, "b2": {"r2"}}


def test_the_limit_of_the_test_above_lets_a_publish_through_when_it_is_high(store: Store) -> None:
    audit(store, "b1", "r1")
    command = [sys.executable, "-c", _PUBLISH_WITH_LIMIT, str(store.root), str(1 << 30)]
    assert subprocess.run(command, check=False).returncode == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1 << 30  # of the child only


def test_rows_of_one_batch_are_whole_even_with_an_empty_table(store: Store) -> None:
    audit(store, "b1", "r1")
    run = store.run("b1", "r2")
    run.write("error_rates", rows("error_rates", n=0))
    store.commit("b1", "r2")
    audit(store, "b2", "r1")
    store.publish()
    assert {r[0] for r in dump(store.database)["error_rates"]} == {"b2"}
    assert pq.read_metadata(store.root / "tables/error_rates/b1/r2.parquet").num_rows == 0
