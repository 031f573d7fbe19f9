from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store_rows import audit, rows

from label_quality.schema import TABLES
from label_quality.store import Store, StoreError


def test_a_table_is_read_as_it_was_written(store: Store) -> None:
    written = rows("images", neg_category_ids=[[1, 2], None, []])
    assert store.run("b1", "r1").write("images", written) == 3
    run = store.run("b1", "r1")
    assert run.read("images").equals(written)
    assert run.read("images", ["image_id"]).column_names == ["image_id"]
    assert run.has("images")
    assert not run.has("findings")
    with store.connect() as con:
        run.view(con, "images")
        assert con.execute("SELECT count(*) FROM images").fetchone() == (3,)


def test_what_is_not_there_is_an_empty_view(store: Store) -> None:
    run = store.run("b1", "r1")
    with store.connect() as con:
        run.view(con, *(n for n, t in TABLES.items() if t.per_batch))
        for name in ("findings", "images", "quarantine"):
            described = con.execute(f"DESCRIBE {name}").fetchall()
            assert [(d[0], d[1]) for d in described] == [
                (c.name, c.type) for c in TABLES[name].columns
            ]
            assert con.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)
    assert run.read("images").equals(TABLES["images"].arrow_schema().empty_table())


def test_a_run_reads_its_own_version_first(store: Store) -> None:
    audit(store, "b1", "r1")
    store.run("b1", "r2").write("categories", rows("categories", name=["new"]))
    assert store.run("b1", "r2").read("categories")["name"].to_pylist() == ["new"]
    assert store.run("b1", "r3").read("categories")["name"].to_pylist() == ["cat", "dog"]


def test_a_step_executed_again_writes_a_new_version(store: Store) -> None:
    for name in ("first", "second"):
        store.run("b1", "r1").write("categories", rows("categories", name=[name]))
    files = sorted(p.name for p in (store.root / "tables/categories/b1").iterdir())
    assert files == ["r1.2.parquet", "r1.parquet"]
    assert store.run("b1", "r1").read("categories")["name"].to_pylist() == ["second"]


def test_a_writer_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.run("b1", "r1").writer("images") as write:
        write(rows("images"))
        raise RuntimeError
    assert not store.run("b1", "r1").has("images")
    assert list((store.root / "tables/images/b1").iterdir()) == []


def test_a_writer_takes_chunks_and_none_at_all(store: Store) -> None:
    run = store.run("b1", "r1")
    with run.writer("images") as write:
        write(rows("images"))
        write(rows("images", n=2))
    with run.writer("findings"):
        pass
    assert run.read("images").num_rows == 3
    assert run.read("findings").num_rows == 0


def _without(table: pa.Table, name: str) -> pa.Table:
    return table.drop_columns([name])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_without(rows("categories"), "name"), "comes without name"),
        (rows("categories").append_column("more", pa.array([1])), "with more, which the schema"),
        (rows("categories", name=[None]), r"categories\.name holds NULL"),
        (rows("categories", batch="other"), "rows of another batch than b1"),
        (
            rows("categories").set_column(1, "category_id", pa.array(["x"])),
            "does not fit its schema",
        ),
    ],
)
def test_data_that_does_not_fit_is_refused(store: Store, data: pa.Table, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        store.run("b1", "r1").write("categories", data)
    assert not store.run("b1", "r1").has("categories")


def test_lossless_casts_and_any_order_of_columns(store: Store) -> None:
    data = rows("categories")
    data = data.set_column(1, "category_id", pa.array([7], pa.int32())).select(
        data.column_names[::-1]
    )
    run = store.run("b1", "r1")
    run.write("categories", data)
    assert run.read("categories").schema.equals(TABLES["categories"].arrow_schema())


_CATEGORY = "SELECT 'b1' AS batch, {id} AS category_id, NULL AS original_id, {name} AS name, {sup} AS supercategory"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            _CATEGORY.format(id="'1'", name="'a'", sup="NULL"),
            "category_id is VARCHAR and should be BIGINT",
        ),
        (_CATEGORY.format(id="1::HUGEINT", name="'a'", sup="NULL"), "category_id is HUGEINT"),
        (_CATEGORY.format(id="1.5", name="'a'", sup="NULL"), r"category_id is DECIMAL\(2,1\)"),
        (_CATEGORY.format(id="1", name="NULL", sup="NULL"), r"categories\.name holds NULL"),
        (
            _CATEGORY.format(id="1", name="'a'", sup="NULL").replace("b1", "b2"),
            "another batch than b1",
        ),
        ("SELECT 1 AS category_id", "comes without batch, original_id, name, supercategory"),
        (_CATEGORY.format(id="1", name="'a'", sup="NULL") + ", 1 AS more", "with more"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(store: Store, sql: str, message: str) -> None:
    with store.connect() as con, pytest.raises(StoreError, match=message):
        store.run("b1", "r1").write_sql(con, "categories", sql)
    assert list(store.root.glob("tables/categories/b1/*")) == []


def test_a_query_is_written_with_literals_widened(store: Store) -> None:
    run = store.run("b1", "r1")
    with store.connect() as con:
        sql = _CATEGORY.format(id="i::INTEGER", name="'a'", sup="NULL") + " FROM range(300000) t(i)"
        assert run.write_sql(con, "categories", sql) == 300_000
        assert run.write_sql(con, "categories", sql + " WHERE false") == 0
    assert run.read("categories").num_rows == 0
    assert run.read("categories").schema.equals(TABLES["categories"].arrow_schema())


def test_a_link_is_the_same_rows(store: Store) -> None:
    run = store.run("b1", "r1")
    run.write("imported_predictions", rows("imported_predictions", score=[0.1, 0.2]))
    assert run.link("predictions", "imported_predictions") == 2
    files = [
        store.root / f"tables/{t}/b1/r1.parquet" for t in ("predictions", "imported_predictions")
    ]
    assert files[0].samefile(files[1])
    assert run.read("predictions")["score"].to_pylist() == [0.1, 0.2]


def test_a_link_where_the_file_system_has_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    run = store.run("b1", "r1")
    run.write("imported_predictions", rows("imported_predictions", n=2))
    assert run.link("predictions", "imported_predictions") == 2
    assert run.read("predictions").num_rows == 2


def test_links_and_tables_that_cannot_be(store: Store) -> None:
    run = store.run("b1", "r1")
    for call, message in [
        (lambda: run.link("predictions", "images"), "their columns differ"),
        (lambda: run.link("predictions", "imported_predictions"), "batch b1 has none"),
        (lambda: run.write("overall_error_rates", rows("overall_error_rates")), "over all batches"),
        (lambda: run.read("nonsense"), "there is no table nonsense"),
    ]:
        with pytest.raises(StoreError, match=message):
            call()


_WRITE_WITH_LIMIT = """
import resource, sys
import subprocess
import sys
from pathlib import Path
from label_quality.store import Store, StoreError
store, way = Store(Path(sys.argv[1])), sys.argv[2]
run, con = store.run("b1", "r1"), store.connect()
sql = ("SELECT 'b1' AS batch, i AS annotation_id, repeat(md5(i::VARCHAR), 9) AS segmentation "
       "FROM range(200000) t(i)")
data = con.sql(sql).to_arrow_table()
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    if way == "sql":
        run.write_sql(con, "annotation_masks", sql)
    else:
        run.write("annotation_masks", data)
except StoreError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.parametrize("way", ["sql", "arrow"])
def test_a_full_disk_is_one_sentence_and_leaves_no_file(store: Store, way: str) -> None:
    """Simulated by a limit on the size of a file."""
    command = [sys.executable, "-c", _WRITE_WITH_LIMIT, str(store.root), way]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("annotation_masks cannot be written: ")
    assert list((store.root / "tables/annotation_masks/b1").iterdir()) == []


def test_a_version_of_an_older_schema(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.run("b1", "r1")
    run.write("categories", rows("categories", original_id=["x"]))
    run.write("images", rows("images"))
    _rewrite_without(store.root / "tables/categories/b1/r1.parquet", "original_id")
    _rewrite_without(store.root / "tables/images/b1/r1.parquet", "file_name")
    with store.connect() as con:
        run.view(con, "categories")
        assert con.execute("SELECT original_id, name FROM categories").fetchall() == [
            (None, "text")
        ]
        assert run.read("categories", ["name", "original_id"]).to_pylist() == [
            {"name": "text", "original_id": None}
        ]
        with pytest.raises(StoreError, match=r"older version .* audit the batch again"):
            run.view(con, "images")
    with pytest.raises(StoreError, match=r"older version .* audit the batch again"):
        run.read("images")


def _rewrite_without(path: Path, column: str) -> None:
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns([column]), path)


def test_connections_keep_to_the_settings(store: Store) -> None:
    with store.connect() as con:
        get = con.execute(
            "SELECT current_setting('memory_limit'), current_setting('preserve_insertion_order'), "
            "current_setting('temp_directory')"
        ).fetchone()
    assert get is not None
    assert get[0] == "1.3 GiB"  # 1500 MB
    assert get[1] is False
    assert str(get[2]).startswith(str(store.root))
