"""What goes wrong between browsers, servers and people: rollback, conflicts, two at once, a publish, odd names, a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser_server import serving
from helpers.published import pictures, publish
from helpers.review_batch import document, predictions
from queue_page import QueuePage, log

Visit = Callable[..., Any]
NASTY = "<img src=x onerror=\"document.title='broken'\">&\"'</script>"


def test_a_decision_that_cannot_be_written_is_taken_back(
    server: Any, visit: Visit, expected: list[str]
) -> None:
    expected += ["net::ERR_FAILED", "Failed to load resource"]
    queue = QueuePage(visit(server.url))
    queue.page.route("**/api/decisions", lambda route: route.abort())
    queue.press("a")
    queue.toast("Not saved")
    assert queue.statuses[0] == "open"
    queue.page.unroute("**/api/decisions")
    queue.press("k", "a")
    queue.saved()
    assert queue.statuses[0] == "accept"
    assert [e["verdict"] for e in log(server.root)] == ["accept"]


def test_a_label_that_changed_meanwhile_is_a_conflict(
    server: Any, visit: Visit, expected: list[str]
) -> None:
    expected += ["409"]

    def older(route: Any) -> None:
        body = json.loads(route.request.post_data)
        for decision in body["decisions"]:
            decision["shown"] = "0" * 16
        route.continue_(post_data=json.dumps(body))

    queue = QueuePage(visit(f"{server.url}/?type=wrong_class"))
    queue.page.route("**/api/decisions", older)
    queue.press("a")
    queue.toast("has changed since it was shown")
    queue.page.wait_for_function(
        "() => document.querySelector('.strip-item').className.includes('open')"
    )
    assert log(server.root) == []


def test_two_people_at_once_disagree_and_see_it(server: Any, visit: Visit) -> None:
    ada, grace = (QueuePage(visit(server.url, author=name)) for name in ("Ada", "Grace"))
    assert ada.at == grace.at
    ada.press("a")
    ada.saved()
    grace.press("r")
    grace.saved()
    assert [(e["author"], e["verdict"]) for e in log(server.root)] == [
        ("Ada", "accept"),
        ("Grace", "reject"),
    ]
    again = QueuePage(visit(f"{server.url}/?status=disagreement", author="Ada"))
    assert "disagreement" in again.page.inner_text(".panel-head")
    assert "Ada" in again.page.inner_text(".verdicts") and "Grace" in again.page.inner_text(
        ".verdicts"
    )
    again.press("z")  # only ones own decision
    again.toast("Undone")
    again.saved()
    assert log(server.root)[-1]["undoes"] == 1


def test_who_decides_is_asked_where_it_is_not_known(server: Any, visit: Visit) -> None:
    queue = QueuePage(visit(server.url, author=""))
    queue.page.evaluate("document.body.dataset.author = ''")
    queue.press("a")
    queue.page.wait_for_selector("dialog input")
    queue.page.keyboard.type("Barbara")
    queue.press("Enter")
    queue.page.wait_for_function(
        "() => document.querySelector('.strip-item').className.includes('accept')"
    )
    queue.saved()
    assert log(server.root)[0]["author"] == "Barbara"
    assert "Barbara" in queue.page.inner_text("#who")


def test_a_publish_is_shown_while_the_page_is_open(tmp_path: Path, visit: Visit) -> None:
    made = document()
    publish(tmp_path, made, predictions())
    with serving(tmp_path) as served:
        queue = QueuePage(visit(f"{served.url}/?p_min=0.05"))
        queue.page.wait_for_selector(".stage-note:has-text('without images')")
        made["annotations"] = [a for a in made["annotations"] if a["id"] != 39]
        publish(tmp_path, made, predictions(), run="run-2")
        queue.press("j", "r")
        queue.toast("Something new was published")
        queue.page.wait_for_function("() => document.querySelectorAll('.strip-item').length === 2")
        assert "duplicate" not in queue.page.inner_text("#filters")


def test_names_from_the_data_are_text(tmp_path: Path, visit: Visit) -> None:
    made = document()
    for k, category in enumerate(made["categories"]):
        category["name"] = f"{NASTY} {k}"
    for k, image in enumerate(made["images"]):
        image["file_name"] = f"{k} <b>&.jpg"
    images = pictures(tmp_path / "images", [i["file_name"] for i in made["images"]])
    seen = {f"{NASTY[:20]}": predictions()["model"]}
    publish(tmp_path / "root", made, seen, images=images, batch="a-batch")
    with serving(tmp_path / "root") as served:
        queue = QueuePage(visit(f"{served.url}/?p_min=0.05", author=NASTY))
        title = queue.page.title()
        queue.press("c")
        queue.page.wait_for_selector(".chooser li[role=option]")
        queue.press("Escape")
        queue.press("t")
        queue.page.wait_for_selector(".chooser")
        queue.page.keyboard.type(NASTY)
        queue.press("Enter")
        queue.page.wait_for_selector(".history .chip")
        queue.press("a", "k", "g")
        queue.page.wait_for_selector(".grid .finding")
        queue.saved()
        assert queue.page.title() == title
        assert (
            queue.page.evaluate(
                "document.querySelectorAll('#main img, #main b, #main i, #filters img').length"
            )
            == 0
        )
        assert log(served.root)[-1]["author"] == NASTY


def test_with_a_token_the_link_opens_the_page(
    server: Any, visit: Visit, tmp_path: Path, expected: list[str]
) -> None:
    expected += ["401"]
    with serving(server.root, token="let me in") as served:
        stranger = visit(served.url)
        assert "A token is needed" in stranger.content()
        queue = QueuePage(visit(f"{served.url}/?type=missing&token=let+me+in"))
        assert "token" not in queue.page.url
        queue.press("a")
        queue.saved()
        assert len(log(server.root)) == 1
