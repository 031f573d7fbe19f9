"""The queue: filters, order, paging by key, links, counts, and what it says about how far one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from helpers.published import publish
from helpers.review_batch import LARGE_ID, document, predictions
from review_tools import client_of, decide, decision, findings

from label_quality.rates import most_errors

ALL = {"p_min": 0.05}


def keys(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(f["error_type"], f["image_id"]) for f in found]


def test_the_surest_come_first_and_those_of_a_picture_together(client: TestClient) -> None:
    found = findings(client)
    assert keys(found) == [("duplicate", 3), ("missing", 1), ("missing", 1), ("wrong_class", 2)]
    assert [f["p_error"] for f in found] == sorted((f["p_error"] for f in found), reverse=True)
    groups = client.get("/api/queue/page", params=ALL).json()["groups"]
    assert [len(g["findings"]) for g in groups] == [1, 2, 1]
    ungrouped = client.get("/api/queue/page", params={**ALL, "group": "none"}).json()["groups"]
    assert [len(g["findings"]) for g in ungrouped] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "missing"}, [("missing", 1), ("missing", 1)]),
        ({"type": ["missing", "duplicate"]}, [("duplicate", 3), ("missing", 1), ("missing", 1)]),
        ({"category": "dog"}, [("wrong_class", 2)]),
        ({"category": "no such"}, []),
        ({"batch": "batch-1", "type": "duplicate"}, [("duplicate", 3)]),
        ({"model": "model", "type": "wrong_class"}, [("wrong_class", 2)]),
        ({"outcome": "FP"}, [("missing", 1), ("missing", 1), ("wrong_class", 2)]),
        ({"size": "small"}, []),
        ({"size": ["small", "medium"], "type": "duplicate"}, [("duplicate", 3)]),
        ({"p_min": 0.95}, [("duplicate", 3)]),
        ({"p_max": 0.85}, [("wrong_class", 2)]),
        ({"confidence_min": 0.96}, [("missing", 1)]),
        ({"confidence_min": 0.94, "sort": "confidence", "order": "asc", "group": "none"}, [("wrong_class", 2), ("missing", 1), ("missing", 1)]),
        ({"sort": "area", "group": "none", "type": "wrong_class"}, [("wrong_class", 2)]),
        ({"status": "open", "type": "duplicate"}, [("duplicate", 3)]),
        ({"status": "accept"}, []),
        ({"tag": "no such"}, []),
    ],
)  # fmt: skip
def test_filters(client: TestClient, filters: dict[str, Any], expected: list[Any]) -> None:
    assert keys(findings(client, **filters)) == expected


@pytest.mark.parametrize(
    "filters",
    [
        {"p_min": 2},
        {"sort": "name; drop table findings"},
        {"size": "huge"},
        {"limit": 0},
        {"status": "x"},
        {"unknown": 1},
        {"after": "%%%"},
        {"after": "WzFd"},
    ],
)
def test_what_is_no_filter_is_refused_in_a_sentence(
    client: TestClient, filters: dict[str, Any]
) -> None:
    answer = client.get("/api/queue/page", params=filters)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]


@pytest.mark.parametrize("group", ["image", "none"])
@pytest.mark.parametrize("sort", ["p_error", "confidence", "area", "iou"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_one_give_all_findings_once_in_order_and_back(
    client: TestClient, group: str, sort: str, order: str
) -> None:
    asked = {**ALL, "group": group, "sort": sort, "order": order}
    whole = client.get("/api/queue/page", params=asked).json()
    assert not whole["more"]
    pages, after = [], ""
    while True:
        page = client.get("/api/queue/page", params={**asked, "limit": 1, "after": after}).json()
        pages += page["groups"]
        after = page["groups"][-1]["key"]
        if not page["more"]:
            break
    assert pages == whole["groups"]
    for k in range(1, len(pages)):
        back = client.get(
            "/api/queue/page", params={**asked, "limit": 1, "before": pages[k]["key"]}
        )
        assert back.json()["groups"] == [pages[k - 1]]
        assert back.json()["more"] == (k > 1)


def test_paging_goes_on_where_it_was_though_findings_are_decided(fresh: TestClient) -> None:
    asked = {**ALL, "status": "open", "limit": 1}
    first = fresh.get("/api/queue/page", params=asked).json()
    decide(fresh, *[decision(f) for f in first["groups"][0]["findings"]])
    second = fresh.get(
        "/api/queue/page", params={**asked, "after": first["groups"][0]["key"]}
    ).json()
    assert {f["image_id"] for f in second["groups"][0]["findings"]} == {1}


def test_a_link_begins_at_its_finding_or_puts_it_in_front(client: TestClient) -> None:
    last = findings(client)[-1]
    at = f"{last['batch']}/{last['finding_id']}"
    page = client.get("/api/queue/page", params={**ALL, "at": at}).json()
    assert page["linked"] is None
    assert page["groups"][0]["findings"][0]["finding_id"] == last["finding_id"]
    elsewhere = client.get("/api/queue/page", params={**ALL, "type": "duplicate", "at": at}).json()
    assert elsewhere["linked"]["finding_id"] == last["finding_id"]
    assert keys(elsewhere["groups"][0]["findings"]) == [("duplicate", 3)]
    nowhere = client.get("/api/queue/page", params={**ALL, "at": "batch-1/0000"}).json()
    assert nowhere["linked"] is None
    assert len(nowhere["groups"]) == 3


def test_facets_count_with_the_other_filters(client: TestClient) -> None:
    asked = {**ALL, "type": "missing"}
    facets = client.get("/api/queue/facets", params=asked).json()["facets"]
    assert {f["value"]: f["n"] for f in facets["type"]} == {
        "missing": 2,
        "duplicate": 1,
        "wrong_class": 1,
    }
    assert facets["category"] == [{"value": "cat", "n": 2}]
    assert facets["status"] == [{"value": "open", "n": 2}]


def test_progress_and_yield(fresh: TestClient) -> None:
    found = findings(fresh)
    decide(fresh, decision(found[0]), decision(found[1], "reject"), decision(found[2], "unsure"))
    progress = fresh.get("/api/queue/progress", params={**ALL, "status": "open"}).json()
    assert {k: progress[k] for k in ("findings", "accept", "reject", "unsure", "relabel")} == {
        "findings": 4, "accept": 1, "reject": 1, "unsure": 1, "relabel": 0,
    }  # fmt: skip
    assert (progress["last"], progress["last_errors"]) == (2, 1)
    # One error where p_error promised as many as it sums up to, and one more of both: so right was it until now.
    right = (1 + 1) / (found[0]["p_error"] + found[1]["p_error"] + 1)
    assert progress["expected_left"] == pytest.approx(found[3]["p_error"] * right)
    assert not progress["time_to_stop"]


@pytest.mark.parametrize(("errors", "stop"), [(0, True), (2, False)])
def test_it_is_time_to_stop_when_the_next_hardly_hold_an_error(
    tmp_path: Path, errors: int, stop: bool
) -> None:
    made, seen = document(), predictions()
    missing = [
        {"image_id": k, "category_id": 1, "bbox": [5.0, 5 + 12.0 * n, 10, 10], "score": 0.95}
        for k in range(1, 9)
        for n in range(6)
    ]
    seen["model"] = seen["model"] + missing
    publish(tmp_path, made, seen)
    with client_of(tmp_path) as client:
        found = findings(client, type="missing", group="none", limit=100)
        assert len(found) >= 40
        decide(
            client,
            *[decision(f) for f in found[:errors]],
            *[decision(f, "reject") for f in found[errors:20]],
        )
        progress = client.get("/api/queue/progress", params={**ALL, "type": "missing"}).json()
    assert (progress["last"], progress["last_errors"], progress["ahead"]) == (20, errors, 20)
    assert progress["most_errors"] == most_errors(errors, 20)
    assert progress["time_to_stop"] == stop


def test_a_publish_is_seen_by_the_next_request(tmp_path: Path) -> None:
    made = document()
    publish(tmp_path, made, predictions())
    with client_of(tmp_path) as client:
        before = client.get("/api/queue/page", params=ALL).json()
        decide(client, decision(findings(client, type="wrong_class")[0]))
        made["annotations"] = [
            a for a in made["annotations"] if a["id"] != 39
        ]  # the duplicate is gone
        publish(tmp_path, made, predictions(), run="run-2")
        after = client.get("/api/queue/page", params=ALL).json()
        assert before["generation"] != after["generation"]
        assert "duplicate" not in [f["error_type"] for g in after["groups"] for f in g["findings"]]
        assert [f["status"] for f in findings(client, type="wrong_class")] == ["accept"]


def test_ids_stay_exact_in_javascript(client: TestClient) -> None:
    scene = client.get("/api/scenes/batch-1/4").json()
    assert str(LARGE_ID) in [label["annotation_id"] for label in scene["labels"]]
    assert str(LARGE_ID) in client.get("/api/outlines/batch-1/4").json()["labels"]


def test_before_anything_is_published_the_page_says_so(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        answer = client.get("/api/queue/page")
    assert answer.status_code == 503
    assert "audit a batch first" in answer.json()["error"]
