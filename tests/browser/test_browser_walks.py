"""The walk of the blog that this project answers to, on real COCO images, literally: filter, sort, look, relabel or fix."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from queue_page import QueuePage, log

Visit = Callable[..., Any]


def test_false_positives_above_75_percent_sorted_by_confidence_are_relabelled_or_fixed(
    coco_server: Any, visit: Visit
) -> None:
    queue = QueuePage(visit(coco_server.url))
    page = queue.page
    page.fill("input[name=p_min]", "0")
    page.click(".choice:has-text('false positive')")
    page.fill("input[name=confidence_min]", "0.75")
    page.select_option("select[aria-label=Sort]", "confidence desc")
    page.wait_for_function(
        "() => location.search.includes('confidence_min=0.75') && location.search.includes('sort=confidence')"
    )
    page.wait_for_function(
        "() => document.querySelector('.chips').textContent.includes('confidence ≥ 0.75')"
    )
    queue.saved()
    shown = page.evaluate(
        "fetch('/api/queue/page' + location.search + '&group=none&status=open').then((r) => r.json())"
    )
    scores = [f["model_score"] for g in shown["groups"] for f in g["findings"]]
    assert len(scores) > 10
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0.75
    assert {f["outcome"] for g in shown["groups"] for f in g["findings"]} == {"FP"}

    page.click(".choice:has-text('missing')")  # the missing one goes to relabelling
    page.wait_for_function(
        "() => document.querySelector('.panel .badge.type').textContent === 'missing'"
    )
    queue.saved()
    missing = queue.at
    queue.press("l")
    page.click(".choice:has-text('missing')")
    page.click(".choice:has-text('wrong class')")  # the one of another class is fixed on the spot
    page.wait_for_function(
        "() => document.querySelector('.panel .badge.type').textContent === 'wrong class'"
    )
    queue.saved()
    wrong, said = queue.at, queue.fix()
    assert " becomes " in said
    queue.press("a")
    queue.saved()
    first, second = log(coco_server.root)
    assert (first["finding_id"], first["verdict"]) == (missing.split("/")[1], "relabel")
    assert (second["finding_id"], second["verdict"]) == (wrong.split("/")[1], "accept")
    assert json.loads(second["fix"])["action"] == "change_class"


def test_masks_of_both_kinds_are_drawn_on_real_pictures(coco_server: Any, visit: Visit) -> None:
    queue = QueuePage(visit(f"{coco_server.url}/?type=inaccurate"))
    for kind in ("label", "prediction"):
        path = queue.page.wait_for_selector(
            f".stage .of-{kind}:not(.aside) .mask", state="attached"
        )
        box = path.bounding_box()
        frame = queue.page.query_selector(f".stage .of-{kind}:not(.aside) .box").bounding_box()
        for side in ("x", "y", "width", "height"):
            assert abs(box[side] - frame[side]) < 12, (kind, side)
    picture = queue.page.evaluate(
        """() => { const i = new Image(); i.src = document.querySelector('.stage image').getAttribute('href');
                   return i.decode().then(() => [i.naturalWidth, i.naturalHeight]); }"""
    )
    assert min(picture) > 100
