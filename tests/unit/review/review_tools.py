"""What the tests of the review page share: a client, and what the page posts."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from label_quality.review.app import create_app
from label_quality.settings import Settings


def client_of(
    root: Path, token: str | None = None, base: str = "http://127.0.0.1:8100"
) -> TestClient:
    app = create_app(Settings(root=str(root)), token)
    return TestClient(app, base_url=base, raise_server_exceptions=False, follow_redirects=False)


def findings(client: TestClient, **filters: Any) -> list[dict[str, Any]]:
    """The findings of the first page."""
    answer = client.get("/api/queue/page", params={"p_min": 0.05, **filters})
    assert answer.status_code == 200, answer.text
    return [copy.deepcopy(f) for g in answer.json()["groups"] for f in g["findings"]]


def decision(finding: dict[str, Any], verdict: str = "accept", **more: Any) -> dict[str, Any]:
    """What the page posts about a finding."""
    named = {k: finding[k] for k in ("batch", "finding_id")}
    return {**named, "shown": finding["content_hash"], "verdict": verdict, **more}


def decide(client: TestClient, *decisions: dict[str, Any], author: str = "Ada") -> Any:
    return client.post("/api/decisions", json={"author": author, "decisions": list(decisions)})
