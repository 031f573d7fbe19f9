"""Advice: which type next, how much is left, when to stop; and the errors there are by the random sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from review_tools import decide, decision, findings

from label_quality.cli import cli
from label_quality.review.advice import advice
from label_quality.schema import ERROR_TYPES


def test_the_type_whose_next_findings_hold_most_errors_comes_first(fresh: TestClient) -> None:
    found = findings(fresh)
    with fresh.app.state.published.view() as view:  # type: ignore[attr-defined]
        told = advice(view)["types"]
    assert {r["error_type"] for r in told} == set(ERROR_TYPES)
    shares = [r["expected_next"] / max(r["ahead"], 1) for r in told]
    assert shares == sorted(shares, reverse=True)
    missing = next(r for r in told if r["error_type"] == "missing")
    mine = [f["p_error"] for f in found if f["error_type"] == "missing"]
    assert missing["open"] == len(mine)
    assert missing["expected_left"] == missing["expected_next"] == pytest.approx(sum(mine))
    assert not missing["time_to_stop"]


def test_decisions_move_what_is_expected(fresh: TestClient) -> None:
    first, second = findings(fresh, type="missing")
    decide(fresh, decision(first, "reject"))
    with fresh.app.state.published.view() as view:  # type: ignore[attr-defined]
        row = next(r for r in advice(view)["types"] if r["error_type"] == "missing")
    assert (row["open"], row["last"], row["last_errors"]) == (1, 1, 0)
    assert row["expected_left"] == pytest.approx(second["p_error"] / (first["p_error"] + 1))


def test_the_sample_says_how_many_errors_there_are(fresh: TestClient) -> None:
    cards = fresh.get("/api/queue/page", params={"sample": "only", "limit": 100}).json()["sample"]
    with fresh.app.state.published.view() as view:  # type: ignore[attr-defined]
        before = advice(view)["sample"]
    assert (before["errors"], before["open"]) == (None, len(cards))
    one = next(c for c in cards if c["finding_id"] is None)
    decide(
        fresh,
        *[
            {"batch": c["batch"], "finding_id": c["finding_id"], "shown": c["content_hash"], "sample": c["draw"],
             "verdict": "relabel" if c is one else "reject",
             **({} if c["finding_id"] else {"image_id": c["image_id"], "annotation_id": c["annotation_id"]})}
            for c in cards
        ],
    )  # fmt: skip
    with fresh.app.state.published.view() as view:  # type: ignore[attr-defined]
        after = advice(view, "batch-1")["sample"]
    assert (after["errors"], after["low"], after["high"]) == pytest.approx((1, 1, 1))
    assert (after["open"], after["drawn"]) == (0, len(cards))


def test_the_command(root: Path) -> None:
    shown = CliRunner().invoke(cli, ["advice", "--root", str(root)])
    assert shown.exit_code == 0, shown.output
    assert "look on" in shown.output
    assert "cards answered" in shown.output
    told = CliRunner().invoke(cli, ["advice", "--root", str(root), "--batch", "batch-1", "--json"])
    assert len(json.loads(told.output)["types"]) == len(ERROR_TYPES)
    assert CliRunner().invoke(cli, ["advice", "--root", str(root), "--batch", "x"]).exit_code == 2
