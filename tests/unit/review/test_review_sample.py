"""Cards of the random sample: mixed in or alone, answered, and what the answers give at once on the Summary."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from fastapi.testclient import TestClient
from helpers.review_batch import document
from review_tools import decide

Row = dict[str, Any]


def cards(client: TestClient, **asked: Any) -> list[Row]:
    found = client.get("/api/queue/page", params={"p_min": 0.05, "sample": "only", "limit": 100, **asked})  # fmt: skip
    assert found.status_code == 200, found.text
    sample: list[Row] = found.json()["sample"]
    return sample


def answer(card: Row, verdict: str = "reject", **more: Any) -> Row:
    """What the page posts."""
    about = {k: card[k] for k in ("batch", "finding_id")}
    if card["finding_id"] is None:
        about |= {k: card[k] for k in ("image_id", "annotation_id")}
    return {**about, "shown": card["content_hash"], "verdict": verdict, "sample": card["draw"], **more}  # fmt: skip


def summary(client: TestClient, **asked: Any) -> dict[str, Row]:
    rates = client.get("/api/summary/errors", params=asked).json()["rates"]
    return {r["error_type"]: r for r in rates}


def test_every_label_and_every_suspected_missing_one_is_asked_about(fresh: TestClient) -> None:
    found = cards(fresh)
    labels = [c for c in found if c["finding_id"] is None]
    assert [c["place"] for c in found] == list(range(1, len(found) + 1))
    assert {c["error_type"] for c in labels} == {"sample"}
    assert {c["error_type"] for c in found if c["finding_id"] is not None} == {"missing"}
    assert len(labels) == len([a for a in document()["annotations"] if not a.get("iscrowd")])
    assert all(c["p_error"] is None and c["suggested_fix"] is None for c in labels)


def test_they_come_in_between_and_page_by_page(fresh: TestClient) -> None:
    asked = {"p_min": 0.05, "sample": "mixed"}
    page = fresh.get("/api/queue/page", params=asked).json()
    assert len(page["groups"]) == 3
    assert [c["place"] for c in page["sample"]] == [1]
    then = fresh.get("/api/queue/page", params={**asked, "sampled": 1}).json()
    assert [c["place"] for c in then["sample"]] == [2]
    assert fresh.get("/api/queue/page", params={"p_min": 0.05}).json()["sample"] == []
    few = fresh.get("/api/queue/page", params={"sample": "only", "limit": 2}).json()
    assert (len(few["sample"]), few["more"], few["groups"]) == (2, True, [])
    assert cards(fresh, batch="no such") == []


def test_what_was_answered_is_not_asked_again_and_counted(fresh: TestClient) -> None:
    first, second, *rest = cards(fresh)
    assert decide(fresh, answer(first), answer(second, "unsure")).status_code == 200
    assert [c["place"] for c in cards(fresh)] == [c["place"] for c in rest]
    progress = fresh.get("/api/queue/progress", params={"p_min": 0}).json()
    assert progress["sample"] == {"drawn": len(rest) + 2, "open": len(rest)}
    fresh.post("/api/decisions/undo", json={"author": "Ada"})
    fresh.post("/api/decisions/undo", json={"author": "Ada"})
    assert len(cards(fresh)) == len(rest) + 2


def test_the_log_says_that_the_sample_asked(fresh: TestClient) -> None:
    found = cards(fresh)
    label = next(c for c in found if c["finding_id"] is None)
    fix = {"action": "change_class", "category_id": 2 if label["category_id"] == 1 else 1}
    decide(fresh, answer(label, "accept", fix=fix))
    with closing(fresh.app.state.published.log) as log:  # type: ignore[attr-defined]
        (entry,) = log.entries().to_pylist()
    assert (entry["sample"], entry["error_type"], entry["finding_id"]) == (label["draw"], None, None)  # fmt: skip
    assert entry["annotation_id"] == int(label["annotation_id"])


def test_what_the_sample_does_not_ask_is_refused(fresh: TestClient) -> None:
    card = cards(fresh)[0]
    assert decide(fresh, answer({**card, "draw": "another"})).status_code == 409
    label = next(c for c in cards(fresh) if c["finding_id"] is None)
    assert decide(fresh, answer(label, "accept")).status_code == 400  # without saying what is wrong


def test_the_summary_has_the_reviewed_rate_at_once(fresh: TestClient) -> None:
    found = cards(fresh)
    assert summary(fresh)["any"]["reviewed_rate"] is None
    wrong = next(c for c in found if c["finding_id"] is None)
    decide(
        fresh,
        *[answer(c) for c in found if c is not wrong],
        answer(wrong, "accept", fix={"action": "remove"}),
    )
    labels = len([c for c in found if c["finding_id"] is None])
    for asked in ({}, {"batch": "batch-1"}):
        rate = summary(fresh, **asked)["any"]
        assert rate["reviewed_rate"] == pytest.approx(1 / labels)
        assert rate["reviewed_low"] == rate["reviewed_high"] == pytest.approx(1 / labels)
        assert (rate["n_sampled"], rate["reviewed_labels"]) == (len(found), labels)
