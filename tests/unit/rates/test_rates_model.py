"""Error rates: the formula, its interval, what is judged, and how types and categories add up. Findings are set by hand."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import pytest
from helpers import batch
from helpers.scenes import CAT, CATEGORIES, DOG, image

from label_quality.rates import (
    FORMULA,
    NEEDS_PREDICTIONS,
    OVERALL_ERROR_RATES,
    build_error_rates,
)
from label_quality.schema import ERROR_TYPES, TABLES

BOX = (10.0, 10.0, 50.0, 50.0)


def database(
    findings: list[tuple[str, int, float]], labels: dict[int, int], predictions: int = 1
) -> Any:
    """Findings (type, category, p_error) beside so many labels of each category."""
    own = [
        {"id": 100 * category + k, "image_id": 1, "category_id": category, "bbox": BOX}
        for category, count in labels.items()
        for k in range(count)
    ]
    crowd = {"id": 9, "image_id": 1, "category_id": CAT, "bbox": BOX, "iscrowd": 1}
    seen = [{"image_id": 1, "category_id": CAT, "bbox": BOX, "score": 0.5}] * predictions
    con = batch.database([image(1)], [*own, crowd], {"m": seen}, CATEGORIES)
    for number, (error_type, category, p) in enumerate(findings):
        row = {c.name: None for c in TABLES["findings"].columns} | {
            "batch": batch.BATCH, "finding_id": str(number), "error_type": error_type, "image_id": 1,
            "category_id": category, "suggested_fix": "add", "score": p, "p_error": p, "calibrated": False,
            **dict(zip(("x", "y", "width", "height"), BOX, strict=True)),
            "models_agreeing": 1, "models_total": 1, "saw_labels": False, "reason": "because.", "rule_version": "1",
        }  # fmt: skip
        con.execute(
            f"insert into findings values ({', '.join('?' * len(row))})", list(row.values())
        )
    return con


def rates(*args: Any, **fields: Any) -> dict[tuple[str, int | None], dict[str, Any]]:
    con = database(*args, **fields)
    build_error_rates(con)
    con.execute("insert into error_rates by name select * from new_error_rates")
    return {
        (r["error_type"], r["category_id"]): r for r in batch.rows(con, "select * from error_rates")
    }


FINDINGS = [
    ("missing", CAT, 0.5),
    ("missing", CAT, 0.25),
    ("missing", DOG, 0.25),
    ("wrong_class", CAT, 0.8),
    ("inaccurate", DOG, 0.4),
    ("duplicate", DOG, 0.9),
    ("spurious", CAT, 0.1),
]
LABELS = {CAT: 6, DOG: 3}


def test_formula() -> None:
    """Expected errors / (labels + expected missing); crowds are no labels."""
    assert FORMULA == "expected errors / (labels + expected missing)"
    found = rates(FINDINGS, LABELS)
    whole = found["wrong_class", None]
    assert (whole["labels"], whole["findings"], whole["expected_errors"]) == (9, 1, 0.8)
    assert whole["expected_missing"] == 1.0
    assert whole["rate"] == pytest.approx(0.8 / 10)
    assert found["missing", CAT]["rate"] == pytest.approx(0.75 / 6.75)
    assert found["missing", DOG]["rate"] == pytest.approx(0.25 / 3.25)
    assert found["duplicate", CAT]["rate"] == 0


def test_interval_is_that_of_a_sum_of_independent_errors() -> None:
    p = [0.2, 0.5, 0.9, 0.4] * 10
    row = rates([("spurious", CAT, v) for v in p], {CAT: 50})["spurious", None]
    half = 1.959963984540054 * math.sqrt(sum(v * (1 - v) for v in p))
    assert row["rate"] == pytest.approx(sum(p) / 50)
    assert row["rate_low"] == pytest.approx((sum(p) - half) / 50)
    assert row["rate_high"] == pytest.approx((sum(p) + half) / 50)


def test_interval_covers_what_happens_if_p_error_is_right() -> None:
    """Draw the errors of 300 findings a thousand times: the true rate lies in the interval 19 times out of 20."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.9, 300)
    row = rates([("spurious", CAT, float(v)) for v in p], {CAT: 400})["spurious", None]
    true = (rng.random((1000, 300)) < p).sum(1) / 400
    covered = ((row["rate_low"] <= true) & (true <= row["rate_high"])).mean()
    assert covered == pytest.approx(0.95, abs=0.02)


def test_types_add_up_to_any_and_categories_to_the_whole() -> None:
    found = rates(FINDINGS, LABELS)
    for category in (None, CAT, DOG):
        for column in ("findings", "expected_errors"):
            parts = sum(found[t, category][column] for t in ERROR_TYPES)
            assert found["any", category][column] == pytest.approx(parts)
    for kind in (*ERROR_TYPES, "any"):
        for column in ("labels", "findings", "expected_errors", "expected_missing"):
            parts = sum(found[kind, c["id"]][column] for c in CATEGORIES)
            assert found[kind, None][column] == pytest.approx(parts)


def test_every_type_stands_for_every_category_once() -> None:
    found = rates(FINDINGS, LABELS)
    wanted = {(t, c) for t in (*ERROR_TYPES, "any") for c in (None, *(c["id"] for c in CATEGORIES))}
    assert found.keys() == wanted
    assert {r["category_name"] for (_, c), r in found.items() if c == CAT} == {"cat"}
    assert {r["category_name"] for (_, c), r in found.items() if c is None} == {None}


def test_intervals_hold_the_rate() -> None:
    for row in rates(FINDINGS, LABELS).values():
        if row["rate"] is not None:
            assert 0 <= row["rate_low"] <= row["rate"] <= row["rate_high"] <= 1


def test_a_category_without_labels_and_findings_has_no_rate() -> None:
    found = rates(FINDINGS, LABELS)
    row = found["any", 4]
    assert (row["labels"], row["rate"], row["judged"]) == (0, None, True)


def test_missing_labels_of_a_category_that_has_none() -> None:
    row = rates([("missing", DOG, 0.5)], {CAT: 1})["missing", DOG]
    assert (row["labels"], row["rate"], row["rate_high"]) == (0, 1.0, 1.0)


def test_without_predictions_only_duplicates_are_judged() -> None:
    """What needs predictions must never look like a rate of 0."""
    found = rates([("duplicate", CAT, 0.9)], LABELS, predictions=0)
    assert set(NEEDS_PREDICTIONS) == set(ERROR_TYPES) - {"duplicate"}
    for (kind, _), row in found.items():
        assert row["judged"] == (kind == "duplicate")
        if kind != "duplicate":
            unknown = (
                "findings",
                "expected_errors",
                "expected_missing",
                "rate",
                "rate_low",
                "rate_high",
            )
            assert [row[c] for c in unknown] == [None] * 6
    assert found["duplicate", None]["rate"] == pytest.approx(0.9 / 9)


def test_nothing_is_called_calibrated_or_reviewed_yet() -> None:
    for row in rates(FINDINGS, LABELS).values():
        assert (row["calibrated"], row["n_reviewed"]) == (False, 0)


def overall(
    *batches: dict[tuple[str, int | None], dict[str, Any]],
) -> dict[tuple[str, str | None], dict[str, Any]]:
    con = duckdb.connect()
    con.execute(TABLES["error_rates"].ddl())
    for number, found in enumerate(batches):
        for row in found.values():
            values = list((row | {"batch": str(number)}).values())
            con.execute(f"insert into error_rates values ({', '.join('?' * len(values))})", values)
    return {(r["error_type"], r["category_name"]): r for r in batch.rows(con, OVERALL_ERROR_RATES)}


def test_over_all_batches_errors_labels_and_variances_add_up() -> None:
    """Two batches together have the rates that one batch of all their labels and findings would have."""
    rare = [("spurious", CAT, 0.06), ("missing", DOG, 0.3), ("missing", CAT, 0.7)]
    together = overall(rates(FINDINGS, LABELS), rates(rare, {CAT: 20, DOG: 10}))
    one = rates(FINDINGS + rare, {CAT: 26, DOG: 13})
    for (kind, _), expected in one.items():
        row = together[kind, expected["category_name"]]
        for column in (
            "labels",
            "findings",
            "expected_errors",
            "expected_missing",
            "rate",
            "rate_low",
        ):
            assert row[column] == pytest.approx(expected[column]), (kind, column)
        if expected["rate_high"] is not None and expected["rate_high"] < 1:
            assert row["rate_high"] == pytest.approx(expected["rate_high"], abs=0.02)


def test_over_all_batches_only_judged_ones_count() -> None:
    judged, without = rates(FINDINGS, LABELS), rates([], LABELS, predictions=0)
    both = overall(judged, without)
    assert both["missing", None]["labels"] == judged["missing", None]["labels"]
    assert both["missing", None]["rate"] == pytest.approx(judged["missing", None]["rate"])
    assert both["duplicate", None]["labels"] == 2 * judged["duplicate", None]["labels"]
    none = overall(without)
    assert (none["missing", None]["judged"], none["missing", None]["rate"]) == (False, None)
