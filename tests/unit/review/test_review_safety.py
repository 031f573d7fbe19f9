"""Attacks: names from the data, other sites, other hosts, the token, ids and paths, large posts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from helpers.published import publish
from helpers.review_batch import document, predictions
from review_tools import client_of, decide, decision, findings
from starlette.responses import PlainTextResponse

from label_quality.cli.review import run_review
from label_quality.review.security import Guard, is_loopback

NASTY = "<img src=x onerror=alert(1)>&\"'</script>"
UNDO = {"author": "Ada"}
JSON = {"content-type": "application/json"}


# Other sites and other hosts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
@pytest.mark.parametrize("path", ["/api/decisions", "/api/decisions/undo", "/api/tags"])
def test_posts_from_other_sites_are_refused(
    client: TestClient, headers: dict[str, str], path: str
) -> None:
    assert client.post(path, json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_can_send_is_refused(client: TestClient, kind: str) -> None:
    answer = client.post(
        "/api/decisions/undo", content=b'{"author": "Ada"}', headers={"content-type": kind}
    )
    assert answer.status_code == 415


def test_a_post_of_the_page_itself_is_taken(fresh: TestClient) -> None:
    headers = {"origin": "http://127.0.0.1:8100", "sec-fetch-site": "same-origin"}
    finding = findings(fresh)[0]
    body = {"author": "Ada", "decisions": [decision(finding)]}
    assert fresh.post("/api/decisions", json=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8100",
        "192.168.1.2:8100",
        "127.0.0.1.evil.example",
        "",
        "[::1",
        "localhost@evil.example",
    ],
)
def test_a_name_of_elsewhere_that_leads_here_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/queue/page", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8100", "localhost", "[::1]:8100", "127.1.2.3"])
def test_this_machine_is_served_by_all_its_names(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_post_that_is_too_large_or_of_no_length_is_refused_before_it_is_read(
    client: TestClient,
) -> None:
    large = client.post("/api/decisions", content=b"[" + b" " * (5 << 20) + b"]", headers=JSON)
    assert large.status_code == 413
    unknown = client.post("/api/decisions", content=iter([b"{}"]), headers=JSON)
    assert unknown.status_code == 411


# The token --------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(root: Path) -> Any:
    with client_of(root, token="secret-token", base="http://192.0.2.7:8100") as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/queue/page",
        "/api/images/batch-1/1",
        "/static/x/base.css",
        "/?token=wrong",
        "/?token=",
    ],
)
def test_without_the_token_nothing_is_served(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 401


@pytest.mark.parametrize("token", ["", " "])
def test_an_empty_token_guards_nothing_and_is_refused(
    token: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="at least one character"):
        Guard(PlainTextResponse("open to all"), token)
    assert run_review(tmp_path, host="0.0.0.0", port=1, token=token) == 2
    assert "--token is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic secret-token"},
        {"cookie": "label_quality_token=wrong"},
        {"cookie": "other=secret-token"},
    ],
)
def test_a_wrong_token_is_no_token(guarded: TestClient, headers: dict[str, str]) -> None:
    assert guarded.get("/api/queue/page", headers=headers).status_code == 401
    assert (
        guarded.post(
            "/api/decisions/undo?token=secret-token", json=UNDO, headers=headers
        ).status_code
        == 401
    )


def test_a_link_with_the_token_becomes_a_cookie_that_scripts_cannot_read(
    guarded: TestClient,
) -> None:
    answer = guarded.get("/?type=missing&token=secret-token")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?type=missing")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie
    assert guarded.get("/api/queue/page").status_code == 200  # the client keeps the cookie


def test_a_script_may_show_the_token_in_a_header(guarded: TestClient) -> None:
    assert (
        guarded.get("/api/queue/page", headers={"authorization": "Bearer secret-token"}).status_code
        == 200
    )


def test_the_token_does_not_lead_elsewhere(guarded: TestClient) -> None:
    answer = guarded.get("//evil.example/?token=secret-token")
    assert not answer.headers.get("location", "").startswith(("//", "http"))


def test_cross_site_posts_are_refused_with_the_token_too(guarded: TestClient) -> None:
    guarded.get("/?token=secret-token")
    answer = guarded.post(
        "/api/decisions/undo", json=UNDO, headers={"origin": "http://evil.example"}
    )
    assert answer.status_code == 403


# Names from the data ----------------------------------------------------------------------------------------------


def test_pages_and_answers_run_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/api/queue/page", "/api/images/batch-1/1", "/nowhere"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy and "default-src 'self'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_no_page_holds_a_script_or_a_style_of_its_own(client: TestClient) -> None:
    page = client.get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"\son\w+=", page) == []
    sources = re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    assert sources and all(s.startswith(("/", "#")) and not s.startswith("//") for s in sources)


def test_nothing_of_the_pages_writes_markup_from_strings() -> None:
    static = Path(__file__).parents[3] / "label_quality" / "review" / "static"
    for file in static.glob("*.js"):
        text = file.read_text("utf-8")
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "srcdoc",
        ):
            uses = [
                line
                for line in text.splitlines()
                if way in line and not line.lstrip().startswith("//")
            ]
            assert uses == [], (file.name, uses)


def test_markup_in_names_comes_back_as_json_text_and_nothing_else(tmp_path: Path) -> None:
    made = document()
    made["categories"][0]["name"] = NASTY
    made["images"][1]["file_name"] = f"{NASTY}.jpg"
    publish(tmp_path, made, predictions(), batch="a-batch")
    with client_of(tmp_path) as client:
        found = findings(client, category=NASTY)
        assert found and {f["category"] for f in found} == {NASTY}
        decide(client, decision(found[0], note=NASTY), author=NASTY)
        tag = {
            "author": NASTY,
            "tag": NASTY,
            "things": [{"kind": "image", "batch": "a-batch", "image_id": 2}],
        }
        assert client.post("/api/tags", json=tag).status_code == 200
        for path in (
            "/api/queue/page",
            "/api/queue/facets",
            "/api/tags",
            "/api/scenes/a-batch/2",
        ):
            answer = client.get(path)
            assert answer.headers["content-type"] == "application/json"
        picture = client.get("/api/images/a-batch/2")
        assert picture.headers["x-placeholder"]
        assert "<img" not in picture.text
        assert NASTY not in client.get("/?category=" + NASTY).text


@pytest.mark.parametrize(
    "value", ["'; drop table findings; --", '" or 1=1', "%", "\\", "\0", "x" * 5000]
)
def test_values_are_values_in_sql(client: TestClient, value: str) -> None:
    for field in ("category", "batch", "model", "type", "tag"):
        assert findings(client, **{field: value}) == []
    assert len(findings(client)) == 4


# Ids and paths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/images/batch-1/../../delivered.json", "/api/images/batch-1/..%2f..%2fdelivered.json", "/api/images/..%2f..%2fetc/passwd",
        "/api/images/batch-1/1.jpg", "/api/images/batch-1/1e0", "/api/images/batch-1/999", "/api/images/none/1",
        "/api/images/batch-1/99999999999999999999999", "/api/images/batch-1/-1", "/api/thumbnails/batch-1/x",
        "/api/scenes/batch-1/99999999999999999999999999999999999999999", "/api/queue/page?after=WzEsMWU0MV0",
        "/api/scenes/batch-1/999", "/api/outlines/none/1", "/static/x/..%2fapp.py", "/static/x/../app.py", "/static/x/%2e%2e%2fapp.py",
        "/static/x/nothing.js", "/static/..%2f..%2fapp.py/x",
    ],
)  # fmt: skip
def test_paths_lead_nowhere_but_to_what_is_known(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (400, 404, 422), path


def test_a_file_name_that_leads_out_of_the_image_folder_gives_a_placeholder(tmp_path: Path) -> None:
    inside = tmp_path / "images"
    inside.mkdir()
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"secret")
    (inside / "link.jpg").symlink_to(outside)
    made = document()
    names = (
        "../outside.jpg",
        "/etc/passwd",
        "link.jpg",
        "folder/../../outside.jpg",
        "C:\\outside.jpg",
    )
    for image, name in zip(made["images"], names, strict=False):
        image["file_name"] = name
    publish(tmp_path / "root", made, predictions(), images=inside)
    with client_of(tmp_path / "root") as client:
        for kind in ("images", "thumbnails"):
            for image in range(1, len(names) + 1):
                answer = client.get(f"/api/{kind}/batch-1/{image}")
                assert answer.status_code == 200
                assert answer.headers["content-type"] == "image/svg+xml"
                assert answer.headers["x-placeholder"] == "the name of the file is not followed"
                assert b"secret" not in answer.content
