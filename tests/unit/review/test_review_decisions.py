"""Decisions: what goes into the log, fixes, conflicts, undo, two people, tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from helpers.review_batch import LARGE_ID
from review_tools import decide, decision, findings

from label_quality.store.reviews import ReviewLog


def log(root: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ReviewLog.below(root).entries().to_pylist()
    return rows


def one(client: TestClient, kind: str) -> dict[str, Any]:
    return findings(client, type=kind)[0]


def label(client: TestClient, annotation_id: int | str, image_id: int) -> dict[str, Any]:
    scene = client.get(f"/api/scenes/batch-1/{image_id}").json()
    return next(a for a in scene["labels"] if a["annotation_id"] == annotation_id)


def test_accept_takes_the_suggested_fix_with_its_mask(fresh: TestClient, root: Path) -> None:
    finding = one(fresh, "missing")
    answer = decide(fresh, decision(finding, note="really"))
    assert answer.json() == {"seqs": [1]}
    (entry,) = log(root)
    fix = json.loads(entry["fix"])
    assert fix["action"] == "add"
    assert fix["category_id"] == 1
    assert fix["box"] == [finding[f"suggested_{s}"] for s in ("x", "y", "width", "height")]
    assert fix["segmentation"][0][:2] == fix["box"][:2]
    assert (fix["model"], fix["prediction_id"]) == ("model", finding["prediction_id"])
    expected = {"author": "Ada", "verdict": "accept", "note": "really", "error_type": "missing", "annotation_id": None,
                "content_hash": None, "finding_id": finding["finding_id"], "models": ["model"], "rule_version": finding["rule_version"]}  # fmt: skip
    assert {k: entry[k] for k in expected} == expected
    shown = fresh.get(
        "/api/queue/finding", params={k: finding[k] for k in ("batch", "finding_id")}
    ).json()
    assert shown["status"] == "accept"
    assert [(v["author"], v["verdict"], v["note"]) for v in shown["verdicts"]] == [
        ("Ada", "accept", "really")
    ]


@pytest.mark.parametrize("verdict", ["reject", "unsure", "relabel"])
def test_other_verdicts_carry_no_fix(fresh: TestClient, root: Path, verdict: str) -> None:
    finding = one(fresh, "duplicate")
    assert decide(fresh, decision(finding, verdict)).status_code == 200
    (entry,) = log(root)
    assert (entry["verdict"], entry["fix"]) == (verdict, None)
    assert entry["content_hash"] == finding["content_hash"]
    assert entry["other_annotation_id"] == finding["other_annotation_id"]
    assert one(fresh, "duplicate")["status"] == verdict


@pytest.mark.parametrize(
    ("fix", "kept"),
    [
        (
            {"action": "change_class", "category_id": 1},
            {"action": "change_class", "category_id": 1},
        ),
        (
            {"action": "change_box", "box": [18, 20, 44, 30]},
            {"action": "change_box", "box": [18.0, 20.0, 44.0, 30.0]},
        ),
        (  # prediction 2 has a mask, which was not asked for
            {"action": "change_box", "box": [1, 2, 3, 4], "model": "model", "prediction_id": 2},
            {"action": "change_box", "box": [1, 2, 3, 4], "model": "model", "prediction_id": 2},
        ),
        ({"action": "remove"}, {"action": "remove"}),
        ({"action": "remove", "category_id": 2, "box": [1, 2, 3, 4]}, {"action": "remove"}),
    ],
)
def test_a_changed_fix_is_what_is_written(
    fresh: TestClient, root: Path, fix: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert decide(fresh, decision(one(fresh, "wrong_class"), fix=fix)).status_code == 200
    assert json.loads(log(root)[0]["fix"]) == kept


def test_the_mask_of_a_prediction_replaces_the_labels(fresh: TestClient, root: Path) -> None:
    finding = one(fresh, "wrong_class")
    fix = {
        "action": "change_mask",
        "box": [20, 20, 40, 30],
        "model": "model",
        "prediction_id": finding["prediction_id"],
    }
    assert decide(fresh, decision(finding, fix=fix)).status_code == 200
    assert json.loads(log(root)[0]["fix"])["segmentation"] == [
        [20.0, 20.0, 60.0, 20.0, 60.0, 50.0, 20.0, 50.0]
    ]


def test_an_object_that_no_model_found_is_a_verdict_of_its_own(
    fresh: TestClient, root: Path
) -> None:
    drawn = {
        "batch": "batch-1",
        "image_id": 7,
        "verdict": "accept",
        "fix": {"action": "add", "category_id": 2, "box": [80, 60, 10, 12]},
    }
    assert decide(fresh, drawn).status_code == 200
    (entry,) = log(root)
    expected = {
        "finding_id": None,
        "error_type": "missing",
        "category_id": 2,
        "image_id": 7,
        "x": 80.0,
        "height": 12.0,
    }
    assert {k: entry[k] for k in expected} == expected
    (shown,) = fresh.get("/api/scenes/batch-1/7").json()["decided"]
    assert (shown["author"], json.loads(shown["fix"])["box"]) == ("Ada", [80.0, 60.0, 10.0, 12.0])


def test_a_label_is_changed_without_a_finding_whatever_the_size_of_its_id(
    fresh: TestClient, root: Path
) -> None:
    shown = label(fresh, str(LARGE_ID), 4)["content_hash"]
    change = {
        "batch": "batch-1",
        "annotation_id": str(LARGE_ID),
        "shown": shown,
        "verdict": "accept",
        "fix": {"action": "remove"},
    }
    assert decide(fresh, change).status_code == 200
    (entry,) = log(root)
    assert (entry["annotation_id"], entry["error_type"], entry["finding_id"]) == (
        LARGE_ID,
        None,
        None,
    )
    assert entry["image_id"] == 4


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"finding_id": "0000"}, 409, "no longer there"),
        ({"shown": "another"}, 409, "has changed"),
        ({"shown": None}, 409, "has changed"),
        ({"verdict": "maybe"}, 422, "verdict"),
        ({"fix": {"action": "explode"}}, 422, "action"),
        (
            {"fix": {"action": "add", "category_id": 1, "box": [1, 2, 3, 4]}},
            400,
            "add goes with a missing label",
        ),
        ({"fix": {"action": "change_class", "category_id": 2**63}}, 422, "category_id"),
        ({"fix": {"action": "remove", "prediction_id": -(2**63) - 1}}, 422, "prediction_id"),
        ({"fix": {"action": "change_box"}}, 400, "needs a box"),
        ({"fix": {"action": "change_box", "box": [1, 2, -3, 4]}}, 400, "above 0"),
        (
            {"fix": {"action": "change_mask", "model": "model", "prediction_id": 999}},
            409,
            "no mask",
        ),
        (  # its prediction 4 is of another picture
            {"fix": {"action": "change_mask", "model": "model", "prediction_id": 4}},
            409,
            "no mask",
        ),
        ({"note": "x" * 10_001}, 400, "characters"),
        ({"more": 1}, 422, "more"),
        ({"finding_id": None}, 400, "drawn needs"),
    ],
)
def test_what_cannot_be_written_is_refused_with_all_that_came_with_it(
    client: TestClient, published_root: Path, change: dict[str, Any], status: int, sentence: str
) -> None:
    found = findings(client)
    wrong = decision(next(f for f in found if f["error_type"] == "wrong_class")) | change
    answer = decide(client, decision(found[0]), wrong)
    assert answer.status_code == status, answer.text
    assert sentence in answer.json()["error"]
    assert log(published_root) == []


@pytest.mark.parametrize("author", ["", "  ", "a\nb"])
def test_a_decision_needs_an_author(client: TestClient, author: str) -> None:
    assert decide(client, decision(findings(client)[0]), author=author).status_code == 400


def test_undo_takes_the_last_decision_that_counts_and_only_ones_own(
    fresh: TestClient, root: Path
) -> None:
    found = findings(fresh)
    decide(fresh, decision(found[0]))
    decide(fresh, decision(found[1], "reject"))
    decide(fresh, decision(found[0], "reject"), author="Grace")
    undone = fresh.post("/api/decisions/undo", json={"author": "Ada"}).json()
    assert undone["finding_id"] == found[1]["finding_id"]
    assert fresh.post("/api/decisions/undo", json={"author": "Ada", "seqs": [3]}).status_code == 409
    assert fresh.post("/api/decisions/undo", json={"author": "Ada", "seqs": [2]}).status_code == 409
    assert (
        fresh.post("/api/decisions/undo", json={"author": "Ada"}).json()["finding_id"]
        == found[0]["finding_id"]
    )
    nothing = fresh.post("/api/decisions/undo", json={"author": "Ada"})
    assert (nothing.status_code, nothing.json()["error"]) == (
        409,
        "There is nothing of yours to undo.",
    )
    assert [e["action"] for e in log(root)] == ["verdict"] * 3 + ["undo"] * 2
    assert [f["status"] for f in findings(fresh)] == ["reject", "open", "open", "open"]


@pytest.mark.parametrize(("seq", "status"), [(0, 409), (-1, 409), (2**63, 422), ("x", 422)])
def test_an_entry_that_is_not_there_cannot_be_undone(
    fresh: TestClient, seq: object, status: int
) -> None:
    answer = fresh.post("/api/decisions/undo", json={"author": "Ada", "seqs": [seq]})
    assert answer.status_code == status, answer.text


def test_two_people_disagree_and_both_are_shown(fresh: TestClient) -> None:
    finding = one(fresh, "duplicate")
    decide(fresh, decision(finding))
    decide(fresh, decision(finding, "reject"), author="Grace")
    shown = one(fresh, "duplicate")
    assert (shown["status"], shown["disagreement"]) == ("reject", True)
    assert [(v["author"], v["verdict"]) for v in shown["verdicts"]] == [
        ("Ada", "accept"),
        ("Grace", "reject"),
    ]
    assert [f["finding_id"] for f in findings(fresh, status="disagreement")] == [
        finding["finding_id"]
    ]
    facets = fresh.get("/api/queue/facets", params={"p_min": 0.05}).json()["facets"]
    assert {"value": "disagreement", "n": 1} in facets["status"]


def test_many_are_decided_in_one_post(fresh: TestClient, root: Path) -> None:
    found = findings(fresh)
    assert decide(fresh, *[decision(f) for f in found]).json()["seqs"] == [1, 2, 3, 4]
    assert [json.loads(e["fix"])["action"] for e in log(root)] == [
        f["suggested_fix"] for f in found
    ]
    assert findings(fresh, status="open") == []


def test_many_are_undone_in_one_post_all_or_none(fresh: TestClient, root: Path) -> None:
    found = findings(fresh)
    decide(fresh, *[decision(f) for f in found])
    decide(fresh, decision(found[0], "reject"), author="Grace")
    undo = "/api/decisions/undo"
    refused = fresh.post(undo, json={"author": "Ada", "seqs": [1, 2, 5]})
    assert refused.status_code == 409 and "Grace's" in refused.json()["error"]
    assert len(log(root)) == 5
    assert fresh.post(undo, json={"author": "Ada", "seqs": [1, 2, 3, 4, 4]}).status_code == 200
    assert [e["undoes"] for e in log(root)][5:] == [1, 2, 3, 4]
    assert [f["status"] for f in findings(fresh)] == ["reject", "open", "open", "open"]


@pytest.mark.parametrize(
    ("thing", "kind"),
    [
        ({"kind": "image", "image_id": 3}, "duplicate"),
        ({"kind": "annotation", "image_id": 3, "annotation_id": 39}, "duplicate"),
        (
            {"kind": "prediction", "image_id": 2, "model": "model", "prediction_id": 2},
            "wrong_class",
        ),
    ],
)
def test_tags_are_set_filtered_by_and_taken_off(
    fresh: TestClient, thing: dict[str, Any], kind: str
) -> None:
    post = {"author": "Ada", "tag": "look again", "things": [{"batch": "batch-1", **thing}]}
    assert fresh.post("/api/tags", json=post).status_code == 200
    assert [f["error_type"] for f in findings(fresh, tag="look again")] == [kind]
    assert one(fresh, kind)["tags"] == ["look again"]
    assert fresh.get("/api/tags").json() == [{"tag": "look again", "n": 1}]
    assert fresh.get("/api/queue/facets", params={"p_min": 0.05}).json()["facets"]["tag"] == [
        {"value": "look again", "n": 1}
    ]
    fresh.post("/api/tags", json=post | {"remove": True})
    assert findings(fresh, tag="look again") == []


@pytest.mark.parametrize(
    ("thing", "status"),
    [
        ({"kind": "image", "image_id": 999}, 409),
        ({"kind": "annotation", "image_id": 1, "annotation_id": 39}, 409),
        ({"kind": "annotation", "image_id": 1}, 400),
        ({"kind": "prediction", "image_id": 2, "model": "other", "prediction_id": 2}, 409),
        ({"kind": "batch", "image_id": 2}, 422),
    ],
)
def test_only_what_is_there_is_tagged(
    client: TestClient, published_root: Path, thing: dict[str, Any], status: int
) -> None:
    post = {"author": "Ada", "tag": "x", "things": [{"batch": "batch-1", **thing}]}
    assert client.post("/api/tags", json=post).status_code == status
    assert log(published_root) == []
