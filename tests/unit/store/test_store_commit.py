from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest
from store_rows import audit, content, rows, write_steps

from label_quality.schema import TABLES
from label_quality.settings import DuckDB, Settings
from label_quality.store import Store, StoreError


def test_a_whole_run_commits_and_names_every_table(store: Store, labels: Path) -> None:
    delivery = store.deliver("b1", labels)
    write_steps(store, "b1", "r1")
    assert store.batches() == []
    manifest = store.commit("b1", "r1")
    assert store.batches() == ["b1"]
    assert store.manifest("b1") == manifest
    assert manifest.delivery == delivery.fingerprint
    assert all((store.root / f).is_file() for f in manifest.tables.values())
    assert manifest.previous == ()


def test_a_second_whole_run_keeps_the_first_as_previous(store: Store) -> None:
    for run_id in ("r1", "r2", "r3", "r4"):
        audit(store, "b1", run_id)
    manifest = store.manifest("b1")
    assert manifest is not None
    assert [v.run_id for v in manifest.versions] == ["r4", "r3", "r2"]  # keep_versions is 3


def test_committing_twice_changes_nothing(store: Store) -> None:
    audit(store, "b1", "r1")
    audit(store, "b1", "r2")
    assert store.commit("b1", "r2") == store.commit("b1", "r2")


def test_a_run_that_wrote_nothing_cannot_commit(store: Store) -> None:
    with pytest.raises(StoreError, match="run r9 wrote no table of batch b1"):
        store.commit("b1", "r9")


def test_downstream_tables_alone_commit_beside_the_old_ones(store: Store) -> None:
    audit(store, "b1", "r1")
    write_steps(store, "b1", "r2", only=["findings", "error_rates"])
    tables = store.commit("b1", "r2").tables
    assert tables["findings"] == "tables/findings/b1/r2.parquet"
    assert tables["annotations"] == "tables/annotations/b1/r1.parquet"


@pytest.mark.parametrize(
    ("written", "stale"),
    [
        (["annotations"], "annotation_pairs .from annotations."),
        (["findings"], "error_rates .from findings."),
        (["finding_scores", "findings"], "error_rates .from findings."),
        (["prediction_overlaps"], "finding_scores .from prediction_overlaps."),
        (["quarantined_labels"], "quarantine .from quarantined_labels."),
    ],
)
def test_tables_of_other_versions_are_not_committed(
    store: Store, written: list[str], stale: str
) -> None:
    audit(store, "b1", "r1")
    before = store.manifest("b1")
    write_steps(store, "b1", "r2", only=written)
    with pytest.raises(StoreError, match=f"not committed, .*{stale}"):
        store.commit("b1", "r2")
    assert store.manifest("b1") == before


def test_new_annotations_are_not_committed_beside_old_findings(store: Store, labels: Path) -> None:
    """A batch is delivered again, and only some of its steps are run."""
    store.deliver("b1", labels)
    audit(store, "b1", "r1")
    labels.write_text('{"images": [1]}')
    store.deliver("b1", labels)
    ingest = [
        "batches",
        "images",
        "categories",
        "annotations",
        "annotation_masks",
        "ingest_warnings",
    ]
    write_steps(store, "b1", "r2", only=[*ingest, "quarantined_labels"])
    with pytest.raises(StoreError, match="run them again, or the whole batch"):
        store.commit("b1", "r2")
    audit(store, "b1", "r3")  # the whole run commits, whatever the half run left


def test_tables_from_two_deliveries_are_not_committed(store: Store, labels: Path) -> None:
    """Nothing was read by the two steps from each other, yet they read two different files."""
    store.deliver("b1", labels)
    store.run("b1", "r1").write("images", rows("images"))
    store.commit("b1", "r1")
    labels.write_text('{"images": [1]}')
    store.deliver("b1", labels)
    store.run("b1", "r2").write("annotations", rows("annotations"))
    with pytest.raises(StoreError, match=r"annotation file or image folder changed .*images"):
        store.commit("b1", "r2")


def test_new_results_alone_commit_with_what_depends_on_them(store: Store, labels: Path) -> None:
    """A new results file does not make the labels stale."""
    store.deliver("b1", labels, predictions={"m": labels})
    audit(store, "b1", "r1")
    second = store.deliver("b1", labels, predictions={"n": labels})
    unions = ["models", "predictions", "prediction_masks"]
    imported = [*(f"imported_{table}" for table in unions), "quarantined_predictions"]
    write_steps(store, "b1", "r2", only=[*imported, *unions, "quarantine"])
    with pytest.raises(StoreError, match=r"prediction_overlaps \(from predictions\)"):
        store.commit("b1", "r2")
    derived = ["prediction_overlaps", "finding_scores", "findings", "error_rates"]
    write_steps(store, "b1", "r2", only=derived)
    manifest = store.commit("b1", "r2")
    assert manifest.delivery == second.fingerprint
    assert manifest.tables["annotations"] == "tables/annotations/b1/r1.parquet"


def test_a_step_executed_again_makes_its_readers_stale(store: Store) -> None:
    write_steps(store, "b1", "r1")
    write_steps(store, "b1", "r1", only=["annotations"])
    with pytest.raises(StoreError, match=r"annotation_pairs .from annotations."):
        store.commit("b1", "r1")


def test_a_table_that_appears_after_it_was_read_as_absent(store: Store) -> None:
    run = store.run("b1", "r1")
    assert run.read("predictions").num_rows == 0
    run.write("findings", content("findings", "b1", "r1"))
    store.commit("b1", "r1")  # there still are none: this belongs together
    store.run("b1", "r2").write("predictions", rows("predictions"))
    with pytest.raises(StoreError, match=r"findings \(from predictions\)"):
        store.commit("b1", "r2")


def test_a_table_may_be_made_from_its_own_last_version(store: Store) -> None:
    audit(store, "b1", "r1")
    run = store.run("b1", "r2")
    run.write("error_rates", run.read("error_rates"))
    store.commit("b1", "r2")


def test_a_link_counts_as_read(store: Store) -> None:
    run = store.run("b1", "r1")
    run.write("imported_predictions", rows("imported_predictions"))
    run.link("predictions", "imported_predictions")
    store.commit("b1", "r1")
    store.run("b1", "r2").write("imported_predictions", rows("imported_predictions", n=2))
    with pytest.raises(StoreError, match=r"predictions \(from imported_predictions\)"):
        store.commit("b1", "r2")


def test_a_link_is_stale_once_another_source_of_the_union_has_rows(store: Store) -> None:
    run = store.run("b1", "r1")
    run.write("imported_predictions", rows("imported_predictions"))
    run.write("inferred_predictions", rows("inferred_predictions", n=0))
    run.link("predictions", "imported_predictions")
    store.commit("b1", "r1")
    store.run("b1", "r2").write("inferred_predictions", rows("inferred_predictions", n=0))
    store.commit("b1", "r2")  # there still are none: this belongs together
    store.run("b1", "r3").write("inferred_predictions", rows("inferred_predictions"))
    with pytest.raises(StoreError, match=r"predictions \(from inferred_predictions\)"):
        store.commit("b1", "r3")


def test_lineage_is_kept_by_sql_too(store: Store) -> None:
    audit(store, "b1", "r1")
    run = store.run("b1", "r2")
    with duckdb.connect() as con:
        run.view(con, "categories")
        run.write_sql(con, "categories", "FROM categories")
        run.view(con, "findings")
        columns = ", ".join(TABLES["finding_scores"].column_names)
        run.write_sql(con, "finding_scores", f"SELECT {columns} FROM findings")
    with pytest.raises(StoreError, match=r"findings \(from finding_scores\)"):
        store.commit("b1", "r2")


def test_a_version_that_is_gone_or_foreign_is_told(store: Store) -> None:
    audit(store, "b1", "r1")
    images = store.root / "tables/images/b1/r1.parquet"
    content_ = images.read_bytes()
    write_steps(store, "b1", "r2", only=["error_rates"])
    images.unlink()
    with pytest.raises(StoreError, match=r"is not there.*audit the batch again"):
        store.commit("b1", "r2")
    images.write_bytes(content_[:100])
    with pytest.raises(StoreError, match="was not written by the store"):
        store.commit("b1", "r2")


def test_purge_keeps_what_the_kept_states_name(store: Store) -> None:
    for run_id in ("r1", "r2", "r3", "r4"):
        audit(store, "b1", run_id)
    write_steps(store, "b1", "r5", only=["error_rates"])
    store.commit("b1", "r5")
    audit(store, "b2", "r1")
    store.run("b1", "killed").write("images", rows("images"))
    (store.root / "tables/images/b1/.r6.parquet.1-ab.tmp").touch()
    (store.root / "spill").mkdir(exist_ok=True)
    (store.root / "spill/999999999-1").mkdir()
    (store.root / "deliveries").mkdir(exist_ok=True)
    for owner in (999999999, os.getpid()):
        (store.root / f"deliveries/.incoming.json.{owner}-0a1b2c3d.tmp").touch()
    gone = {Path(name).name for name in store.purge("b1")}
    assert gone == {"r1.parquet", "r2.parquet", "killed.parquet", ".r6.parquet.1-ab.tmp"}
    for batch in ("b1", "b2"):
        manifest = store.manifest(batch)
        assert manifest is not None
        for version in manifest.versions:
            assert all((store.root / f).is_file() for f in version.tables.values())
    assert list((store.root / "spill").iterdir()) == []
    left = [p.name for p in (store.root / "deliveries").glob("*.tmp")]
    assert left == [f".incoming.json.{os.getpid()}-0a1b2c3d.tmp"]  # another thread is at it
    assert store.purge("b1") == []


def test_what_does_not_fit_into_memory_goes_to_disk(tmp_path: Path) -> None:
    small = Store(tmp_path / "new root", Settings(duckdb=DuckDB(memory_limit="60MB", threads=1)))
    with small.connect() as con:
        con.execute(
            "create table t as select md5(i::varchar) m from range(1_500_000) r(i) order by m"
        )
        assert list((small.root / "spill").iterdir()), "it was to spill, and did not"
        assert con.execute("select count(*) from t").fetchone() == (1_500_000,)
