"""The export page: an overview of what was decided, and every format as a zip file that holds the decisions."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient
from review_tools import decide, decision, findings

from label_quality.exports import found


def download(client: TestClient, form: str, **wanted: Any) -> zipfile.ZipFile:
    answer = client.post(f"/api/export/{form}", json=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="{form}.zip"'
    assert isinstance(json.loads(unquote(answer.headers["x-says"])), list)
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_accepted_fixes_are_in_the_corrected_file(fresh: TestClient) -> None:
    duplicate = findings(fresh, type="duplicate")[0]
    wrong = findings(fresh, type="wrong_class")[0]
    decide(fresh, decision(duplicate), decision(wrong))
    archive = download(fresh, "coco")
    corrected = json.loads(archive.read("coco/batch-1.json"))
    labels = {a["id"]: a["category_id"] for a in corrected["annotations"]}
    assert duplicate["annotation_id"] not in labels
    assert labels[wrong["annotation_id"]] == 1


def test_what_goes_to_relabelling_is_in_the_list(fresh: TestClient) -> None:
    missing = findings(fresh, type="missing")[0]
    decide(fresh, decision(missing, "relabel"))
    archive = download(fresh, "relabel-csv")
    text = archive.read(archive.namelist()[0]).decode()
    assert missing["finding_id"] in text
    nobody = download(fresh, "relabel-csv", author="Ada", batches=["batch-1"])
    assert missing["finding_id"] in nobody.read(nobody.namelist()[0]).decode()


@pytest.mark.parametrize("form", sorted(found().exporters))
def test_every_format_can_be_downloaded(client: TestClient, form: str) -> None:
    archive = download(client, form)
    assert archive.testzip() is None
    assert all(n.startswith(f"{form}/") and ".." not in n for n in archive.namelist())


@pytest.mark.parametrize(
    ("form", "wanted", "status"),
    [
        ("nothing", {}, 404),
        ("..%2fcoco", {}, 404),
        ("coco", {"batches": ["none"]}, 409),
        ("coco", {"author": "nobody"}, 409),
        ("coco", {"select": "all"}, 422),
        ("relabel-csv", {"select": "queue", "limit": -1}, 422),
        ("coco", {"folder": "/tmp"}, 422),
    ],
)
def test_what_cannot_be_exported_is_refused(
    client: TestClient, form: str, wanted: Any, status: int
) -> None:
    answer = client.post(f"/api/export/{form}", json=wanted)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"


def test_what_is_wrong_is_said_without_the_places_of_this_machine(
    fresh: TestClient, root: Path
) -> None:
    (root / "deliveries").unlink()  # a link to the files that were delivered
    gone = fresh.post("/api/export/coco", json={})
    (root / "reviews.db").write_bytes(b"no database at all" * 100)
    unreadable = fresh.get("/api/queue/page")
    assert (gone.status_code, unreadable.status_code) == (409, 503)
    for answer, sentence in ((gone, "is not there"), (unreadable, "cannot be used")):
        assert sentence in answer.json()["error"]
        assert str(root) not in answer.text and str(root.parent) not in answer.text


def test_the_overview_counts_the_verdicts(fresh: TestClient) -> None:
    first, second, *_ = findings(fresh)
    decide(fresh, decision(first), decision(second, "reject"))
    overview = fresh.get("/api/export").json()
    assert [(d["verdict"], d["n"]) for d in overview["decided"]] == [("accept", 1), ("reject", 1)]
    assert overview["batches"] == ["batch-1"]
    assert {f["name"] for f in overview["formats"]} == set(found().exporters)
    assert "Export" in fresh.get("/export").text
