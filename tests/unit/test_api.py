from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from helpers.networks import needs_torch

import label_quality
from label_quality.api import Audit
from label_quality.schema import TABLES
from label_quality.store import Store
from label_quality.store.entries import Entry

sys.path.insert(0, str(Path(__file__).parent / "store"))
from store_rows import add_verdict, refresh, rows
from store_rows import audit as write_batch


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("root"))
    for batch in ("b1", "b2"):
        write_batch(store, batch, "r1")
        add_verdict(store, batch)
        with closing(store.review_log()) as log:
            log.add(
                [Entry(author="a", action="tag", batch=batch, image_id=1, kind="image", tag="t")]
            )
    store.publish()
    refresh(store)
    return store.root


@pytest.fixture
def audit(root: Path) -> Audit:
    return label_quality.open(root)


def test_nothing_published_is_one_helpful_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"nothing has been published under .*label-quality audit"
    ):
        label_quality.open(tmp_path)


def test_findings_come_surest_first(audit: Audit) -> None:
    found = audit.findings()
    assert list(found["p_error"]) == [0.9, 0.9, 0.6, 0.6, 0.3, 0.3]
    assert list(found.columns) == list(TABLES["findings"].column_names)


def test_findings_can_be_narrowed(audit: Audit) -> None:
    assert set(audit.findings("b2")["batch"]) == {"b2"}
    assert set(audit.findings(error_type="missing")["error_type"]) == {"missing"}
    assert len(audit.findings(batch="b1", minimum=0.5)) == 2
    assert audit.findings("none").empty
    with pytest.raises(ValueError, match="'wrong' is not an error type"):
        audit.findings(error_type="wrong")


def test_ids_stay_exact_where_some_are_null(audit: Audit) -> None:
    found = audit.findings("b1")
    assert found["annotation_id"].dtype == pd.Int64Dtype()
    assert found["image_id"].dtype == "int64"
    assert found["annotation_id"].isna().sum() == 1
    exact = audit.sql("SELECT 9007199254740993 AS id UNION ALL SELECT NULL ORDER BY id")
    assert exact["id"][0] == 9007199254740993


@pytest.mark.parametrize(
    ("method", "table"),
    [
        ("batches", "batches"),
        ("images", "images"),
        ("annotations", "annotations"),
        ("predictions", "predictions"),
        ("prediction_overlaps", "prediction_overlaps"),
        ("quarantine", "quarantine"),
        ("warnings", "ingest_warnings"),
        ("error_rates", "error_rates"),
        ("reviews", "reviews"),
        ("tags", "tags"),
    ],
)
def test_each_method_gives_its_table(audit: Audit, method: str, table: str) -> None:
    found = getattr(audit, method)()
    assert list(found.columns) == list(TABLES[table].column_names)
    assert set(found["batch"]) == {"b1", "b2"}
    if method != "batches":
        assert set(getattr(audit, method)("b1")["batch"]) == {"b1"}
    assert len(audit.table(table)) == len(found)


def test_sql_with_parameters_over_a_view(audit: Audit) -> None:
    assert audit.sql("SELECT labels FROM batch_summary WHERE batch = ?", ["b1"])[
        "labels"
    ].tolist() == [2]
    named = audit.sql("SELECT count(*) AS n FROM queue WHERE p_error > $cut", {"cut": 0.5})
    assert named["n"].tolist() == [2]


def test_only_published_tables_and_only_queries(audit: Audit) -> None:
    for name in ("annotation_masks", "nonsense"):
        with pytest.raises(
            ValueError, match=f"'{name}' is not a published table; these are: batches"
        ):
            audit.table(name)
    with pytest.raises(Exception, match="read-only"):
        audit.sql("DROP TABLE findings")
    with pytest.raises(ValueError, match="gives no rows"):
        audit.sql("-- nothing")


def test_an_open_audit_sees_what_is_published_later(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_batch(store, "b1", "r1")
    store.publish()
    opened = label_quality.open(tmp_path)
    assert set(opened.images()["batch"]) == {"b1"}
    write_batch(store, "b2", "r1")
    store.publish()
    assert set(opened.images()["batch"]) == {"b1", "b2"}


def test_metrics_of_a_batch(audit: Audit) -> None:
    for name in ("image_metrics", "annotation_metrics", "prediction_metrics"):
        found = getattr(audit, name)("b2")
        assert set(found["batch"]) == {"b2"}
        assert list(found.columns) == list(TABLES[name].column_names)
    assert audit.prediction_metrics(model="none").empty


def test_what_is_over_all_batches(audit: Audit) -> None:
    assert list(audit.outliers()["score"]) == [9, 4]
    assert list(audit.outliers("annotation", "area")["metric"]) == ["area"]
    assert list(audit.performance(iou_type="bbox")["category_name"].isna()) == [True, True, False]
    assert audit.performance(iou_type="segm").empty
    assert audit.confusion()["count"].sum() == 12
    assert list(audit.metric_importance()["metric"]) == ["area", "random"]
    assert len(audit.performance_by_metric(metric="none")) == 0


def test_outliers_by_encord_actives_rule(audit: Audit) -> None:
    found = audit.encord_outliers("annotation", "area")
    assert list(found["batch"]) == ["b1", "b2"]
    assert found[["value", "low", "high", "severity"]].drop_duplicates().values.tolist() == [
        [500.0, 1.0, 100.0, "severe"]
    ]
    assert audit.encord_outliers("image", "brightness").empty
    for kind, metric in (("annotation", "none"), ("annotation", "random"), ("model", "area")):
        with pytest.raises(ValueError, match="has no metric"):
            audit.encord_outliers(kind, metric)


@needs_torch
def test_labels_that_look_alike(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_batch(store, "b1", "r1")
    store.publish()
    audit = label_quality.open(tmp_path)
    assert audit.similar_labels("b1", 1).empty  # no other label was asked about
    columns = {"annotation_id": [1, 2], "model": ["m", "m"], "features": [[1.0, 0.0], [0.6, 0.8]]}
    store.run("b1", "r2").write("label_features", rows("label_features", **columns))
    store.commit("b1", "r2")
    found = audit.similar_labels("b1", 1)
    assert found["annotation_id"].tolist() == [2]
    assert found["similarity"].tolist() == pytest.approx([0.6])
    for asked, told in [
        (("b1", 9), "no model was asked about label 9 of batch 'b1'"),
        (("b9", 1), "no model was asked about labels of batch 'b9'"),
        (("b1", 1, 20, "n"), "no model n was asked about these labels; asked were: m"),
    ]:
        with pytest.raises(ValueError, match=told):
            audit.similar_labels(*asked)
