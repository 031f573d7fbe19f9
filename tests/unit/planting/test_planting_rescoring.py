"""Planted labels are scored as an audit scores them, and each finding is counted for the error that it hits."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest
from helpers import batch, scenes

from label_quality.planting import LEDGER, SHAPES, matched, plant, rescore
from label_quality.schema import TABLES

BOX = (10.0, 10.0, 100.0, 100.0)


@pytest.fixture(scope="module")
def con() -> Any:
    images, labels, seen = scenes.ordinary(40, masks=True)
    return batch.audit(batch.database(images, labels, seen, scenes.CATEGORIES))


def scores(con: Any) -> list[Any]:
    """All rows, numbers to nine digits: threads add up in any order."""
    columns = ", ".join(TABLES["finding_scores"].column_names)
    found = con.execute(f"select {columns} from finding_scores order by finding_id").fetchall()
    return [[round(v, 9) if isinstance(v, float) else v for v in row] for row in found]


def test_without_errors_the_scores_are_those_of_the_audit(con: Any) -> None:
    with rescore(con, plant(con, {}, 0)) as scored:
        assert scores(scored) == scores(con)


def test_planted_labels_are_scored_as_an_audit_scores_them(con: Any) -> None:
    planted = plant(con, dict.fromkeys(SHAPES, 0.02), 1)
    images, _, seen = scenes.ordinary(40, masks=True)
    fresh = batch.database(images, [], seen, scenes.CATEGORIES)
    for table, rows in (("annotations", planted.annotations), ("annotation_masks", planted.masks)):
        fresh.register("_rows", rows)
        fresh.execute(f"insert into {table} by name from _rows")
    batch.audit(fresh)
    with rescore(con, planted) as scored:
        assert scores(scored) == scores(fresh)
        assert len(scores(scored)) > 100


def test_obvious_errors_are_hit_by_findings_of_their_type(con: Any) -> None:
    planted = plant(con, {"duplicate_exact": 0.05, "inaccurate_shift_coarse": 0.05}, 2)
    with rescore(con, planted) as scored:
        matched(scored)
        found = dict(
            scored.execute(
                """select error_type, count(distinct error_id) from planted_findings
                   join planted_errors using (error_id) where same_type group by all"""
            ).fetchall()
        )
    assert found["duplicate"] == 10
    assert found["inaccurate"] >= 5  # apples are never seen by the model


def hits(errors: list[dict[str, Any]], findings: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    con = duckdb.connect()
    named = dict(zip(("x", "y", "width", "height"), BOX, strict=True))
    ledger = [
        {
            **dict.fromkeys(LEDGER.names),
            "error_id": k,
            "shape": "",
            "image_id": 1,
            "category_id": 1,
            **named,
            **e,
        }
        for k, e in enumerate(errors)
    ]
    con.register("planted_errors", pa.Table.from_pylist(ledger, LEDGER))
    schema = TABLES["finding_scores"].arrow_schema()
    rows = [
        {**dict.fromkeys(schema.names), "finding_id": f"f{k}", "image_id": 1, **f}
        for k, f in enumerate(findings)
    ]
    con.register("finding_scores", pa.Table.from_pylist(rows, schema))
    matched(con)
    return set(con.execute("from planted_findings").fetchall())


def suggested(x: float) -> dict[str, Any]:
    return {
        "error_type": "missing",
        "suggested_x": x,
        "suggested_y": 10.0,
        "suggested_width": 100.0,
        "suggested_height": 100.0,
    }


@pytest.mark.parametrize(
    ("errors", "findings", "expected"),
    [
        pytest.param(
            [{"error_type": "spurious", "annotation_id": 7}],
            [
                {"error_type": "spurious", "annotation_id": 7},
                {"error_type": "inaccurate", "annotation_id": 7},
            ],
            {(0, "f0", True), (0, "f1", False)},
            id="by its label, of whatever type",
        ),
        pytest.param(
            [{"error_type": "spurious", "annotation_id": 7}],
            [{"error_type": "duplicate", "annotation_id": 8, "other_annotation_id": 7}],
            set(),
            id="the label that stays is not accused",
        ),
        pytest.param(
            [{"error_type": "duplicate", "annotation_id": 7, "other_annotation_id": 8}],
            [
                {"error_type": "duplicate", "annotation_id": 8, "other_annotation_id": 7},
                {"error_type": "spurious", "annotation_id": 8},
            ],
            {(0, "f0", True), (0, "f1", False)},
            id="either label of a duplicate",
        ),
        pytest.param(
            [{"error_type": "missing"}],
            [suggested(12), suggested(70), {"error_type": "spurious", "annotation_id": 7}],
            {(0, "f0", True)},
            id="missing by its place",
        ),
        pytest.param(
            [{"error_type": "missing"}, {"error_type": "missing", "x": 20.0}],
            [suggested(16), suggested(34)],
            {(0, "f0", True), (1, "f1", True)},
            id="one finding for one missing label, as many as possible",
        ),
        pytest.param(
            [{"error_type": "missing"}],
            [{**suggested(10), "image_id": 2}],
            set(),
            id="in its own image",
        ),
        pytest.param([], [suggested(10)], set(), id="nothing planted"),
    ],
)
def test_which_finding_hits_which_error(
    errors: list[dict[str, Any]], findings: list[dict[str, Any]], expected: set[tuple[Any, ...]]
) -> None:
    assert hits(errors, findings) == expected
