"""Every SQL block of docs/queries.md is run on a published database."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from store_rows import add_verdict, audit, refresh

from label_quality.store import Store
from label_quality.store.views import views

TEXT = (Path(__file__).parents[3] / "docs" / "queries.md").read_text("utf-8")
SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
QUERIES = {title: re.findall(r"```sql\n(.*?)```", body, re.DOTALL) for title, body in SECTIONS}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("root"))
    audit(store, "b1", "r1")
    add_verdict(store, verdict="unsure")
    store.publish()
    refresh(store)
    return store.database


def test_the_questions_are_numbered_and_have_a_query_each() -> None:
    assert [title.split(".")[0] for title in QUERIES][:18] == [str(i) for i in range(1, 19)]
    assert all(len(found) == 1 for found in QUERIES.values())


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_answers(database: Path, title: str) -> None:
    with duckdb.connect(str(database), read_only=True) as con:
        found = con.execute(QUERIES[title][0])
        assert found.description
        assert found.fetchall(), "the test's batch has rows for every question"


def test_every_view_is_in_the_document() -> None:
    for view in views():
        assert f"FROM {view.name}" in TEXT


def test_what_the_views_say_of_a_known_batch(database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as con:
        for query, answer in [
            (
                "SELECT file_name, error_type, category, suggested_category FROM queue",
                [
                    ("r1-3.jpg", "missing", "cat", "cat"),
                    ("r1-1.jpg", "wrong_class", "cat", "dog"),
                    ("r1-2.jpg", "spurious", "cat", None),
                ],
            ),
            ("SELECT labelled_as, suggested_category, findings FROM class_confusions", [("cat", "dog", 1)]),
            ("SELECT image_id, missing_findings FROM unlabelled_images", [(3, 1)]),
            ("SELECT category, labels, images FROM labels_per_category", [("cat", 2, 2), ("dog", 0, 0)]),
            ("SELECT labels, predictions, findings, rate, judged FROM batch_summary", [(2, 1, 3, 0.2, True)]),
            ("SELECT model, assigned, labels FROM model_summary", [("m", 1, 2)]),
            ("SELECT error_type, likely_errors FROM findings_by_type", [("missing", 1), ("wrong_class", 1), ("spurious", 0)]),
            ("SELECT DISTINCT category, labels FROM findings_by_category", [("cat", 2)]),
            ("SELECT image_id, labels, error_types FROM worst_images", [(3, 0, ["missing"]), (1, 1, ["wrong_class"]), (2, 1, ["spurious"])]),
            ("SELECT error_type, looked_at, undecided, yield FROM review_progress WHERE looked_at > 0", [("missing", 1, 1, None)]),
            ("SELECT finding_id, verdict, authors FROM finding_verdicts", [("f1", "unsure", ["ann"])]),
            ("SELECT kind, metric, file_name FROM unusual", [("image", "width", "r1-1.jpg"), ("annotation", "area", "r1-1.jpg")]),
            ("SELECT file_name, nearest_file_name, nearest_distance FROM look_alikes", [("r1-1.jpg", "r1-2.jpg", 0)]),
            ("SELECT AP, AP50, AP75 FROM model_performance", [(0.25, 0.5, None)]),
            ("SELECT category, AP FROM category_performance", [("cat", 0.75)]),
            ("SELECT labelled_as, taken_for, count FROM taken_for", [("cat", "dog", 3)]),
            ("SELECT records FROM quarantine_reasons", [(1,)]),
            ("SELECT records FROM ingest_warnings_by_issue", [(1,)]),
        ]:  # fmt: skip
            assert con.execute(query).fetchall() == answer, query
