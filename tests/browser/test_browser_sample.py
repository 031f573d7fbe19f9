"""Cards of the random sample in a browser: in between and alone, answered by keyboard, written with the draw that asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_roots import demo_root
from browser_server import Served, serving
from queue_page import QueuePage, log


@pytest.fixture
def sampled(tmp_path: Path) -> Iterator[Served]:
    with serving(demo_root(tmp_path / "demo", sample=60)) as served:
        yield served


def test_labels_are_asked_about_and_answered(sampled: Served, visit: Callable[..., Any]) -> None:
    page = QueuePage(visit(f"{sampled.url}/?sample=only"))
    page.page.wait_for_selector(".panel .badge:has-text('sample')")
    while not page.reason.startswith("Is this label right"):
        page.press("j")
    assert page.page.query_selector(".panel .p") is None  # how sure the model is, is not told
    label = page.at
    page.press("a")
    page.toast("Say what is wrong first")
    page.press("r")
    page.page.wait_for_function("(at) => new URLSearchParams(location.search).get('at') !== at", arg=label)  # fmt: skip
    while not page.reason.startswith("Is this label right"):
        page.press("j")
    page.press("Delete", "a")
    page.saved()
    page.counted("2 of ")
    right, wrong = log(sampled.root)
    assert (right["verdict"], right["error_type"], right["finding_id"]) == ("reject", None, None)
    assert f"label {right['annotation_id']}" in label
    assert (wrong["verdict"], '"remove"' in wrong["fix"]) == ("accept", True)
    assert right["sample"] == wrong["sample"] != ""
    page.press("z")
    page.toast("Undone")
    page.counted("1 of ")


def test_some_stand_between_the_findings(sampled: Served, visit: Callable[..., Any]) -> None:
    page = QueuePage(visit(f"{sampled.url}/?view=grid"))
    page.page.wait_for_selector(".finding:has-text('sample')")
    cards = page.page.locator(".grid .finding")
    asked = [k for k in range(cards.count()) if "sample" in cards.nth(k).inner_text()]
    assert 0 < len(asked) <= cards.count() / 10
    assert asked[0] > 3
    without = QueuePage(visit(f"{sampled.url}/?view=grid&sample=none"))
    assert "Is this label right" not in without.page.inner_text(".grid")
