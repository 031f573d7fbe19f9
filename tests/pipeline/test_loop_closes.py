"""The loop closes: audit, decide, export, deliver the corrected file as the same batch, and what was decided stays decided."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_tools import NO_LIMITS, command, query
from pycocotools import mask as coco_mask

from label_quality.demo import Demo, make_demo
from label_quality.reviews import content_hash
from label_quality.store import Store
from label_quality.store.entries import Entry, Fix, Rle

FIRST = 100
BOX = ("x", "y", "width", "height")
Row = dict[str, Any]


@dataclass(frozen=True)
class Loop:
    """Before and after: the delivered file and the exported one, findings, reviews and rates, and the entries made."""

    delivered: Path
    exported: Path
    exported_again: Path
    entries: list[Entry]
    findings: tuple[list[Row], list[Row]]
    queue: list[Row]
    reviews: list[Row]
    rates: tuple[float, float]
    diff: Any

    @property
    def accepted(self) -> list[Entry]:
        """What was found to be true."""
        return [e for e in self.entries if e.verdict == "accept"]


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Loop:
    folder = tmp_path_factory.mktemp("loop")
    demo = make_demo(folder / "demo", images=14)
    root = folder / "root"
    root.mkdir()
    (root / "label_quality.toml").write_text(NO_LIMITS)
    _audit(root, home, demo, demo.annotations)
    before, rate = _rows(root, "findings"), _rate(root)
    entries = _decide(root, demo)
    exported = _export(root, home, folder / "first")
    _audit(root, home, demo, exported)
    return Loop(
        demo.annotations,
        exported,
        _export(root, home, folder / "second"),
        entries,
        (before, _rows(root, "findings")),
        _rows(root, "queue"),
        _rows(root, "reviews"),
        (rate, _rate(root)),
        _diff(root, home),
    )


def _diff(root: Path, home: Path) -> Any:
    done = command("diff", "b", "--format", "json", "--root", root, home=home, cwd=root)
    assert done.returncode == 1, done.stderr  # some labels differ
    return json.loads(done.stdout)


def _audit(root: Path, home: Path, demo: Demo, annotations: Path) -> None:
    models = [x for p in demo.predictions.values() for x in ("--predictions", p)]
    given = ["--annotations", annotations, "--images", demo.images, "--batch", "b", "--root", root]
    done = command("audit", *given, *models, home=home, cwd=root)
    assert done.returncode == 0, done.stderr


def _export(root: Path, home: Path, folder: Path) -> Path:
    done = command("export", "coco", "--root", root, "--output", folder, home=home, cwd=root)
    assert done.returncode == 0, done.stderr
    assert "b: " in done.stdout
    return folder / "b.json"


def _rows(root: Path, table: str) -> list[Row]:
    sql = f"select to_json(t)::varchar from {table} t"
    return [json.loads(text) for (text,) in query(root / "label_quality.duckdb", sql)]


def _rate(root: Path) -> float:
    sql = "select rate from error_rates where error_type = 'any' and category_id is null"
    return float(query(root / "label_quality.duckdb", sql)[0][0])


# Deciding as a person would who knows what was planted -------------------------------------------------------------


def _decide(root: Path, demo: Demo) -> list[Entry]:
    """Accept what is true among the first findings of the queue, reject the rest."""
    planted = json.loads(demo.planted.read_text())
    hashes = f"select annotation_id, {content_hash('a')} from annotations a"
    known = dict(query(root / "label_quality.duckdb", hashes))
    store = Store(root)
    with store.connect() as con, closing(store.review_log()) as log:
        store.view(con, "prediction_masks")
        sql = "select model, prediction_id, segmentation from prediction_masks"
        masks = {(m, p): json.loads(s) for m, p, s in con.execute(sql).fetchall()}
        first = sorted(_rows(root, "findings"), key=lambda f: -f["p_error"])[:FIRST]
        entries = [_entry(f, _is_true(f, planted), known, masks) for f in first]
        assert {e.verdict for e in entries} == {"accept", "reject"}
        return log.add(entries)


def _is_true(finding: Row, planted: list[Row]) -> bool:
    same = [
        p
        for p in planted
        if p["error_type"] == finding["error_type"] and p["image_id"] == finding["image_id"]
    ]
    if finding["error_type"] == "missing":
        suggested = [[finding[f"suggested_{c}"] for c in BOX]]
        true = [[p[c] for c in BOX] for p in same]
        return bool(true) and bool((coco_mask.iou(suggested, true, [0] * len(true)) >= 0.5).any())
    ids = {finding["annotation_id"], finding["other_annotation_id"]}
    return any(p["annotation_id"] in ids for p in same)


def _entry(finding: Row, true: bool, known: dict[int, str], masks: Any) -> Entry:
    label, other = finding["annotation_id"], finding["other_annotation_id"]
    return Entry(
        author="ann",
        action="verdict",
        batch="b",
        image_id=finding["image_id"],
        finding_id=finding["finding_id"],
        error_type=finding["error_type"],
        category_id=finding["category_id"],
        annotation_id=label,
        content_hash=known.get(label),
        other_annotation_id=other,
        other_content_hash=known.get(other),
        **{c: finding[c] for c in BOX},
        verdict="accept" if true else "reject",
        fix=_fix(finding, masks) if true else None,
        rule_version=finding["rule_version"],
    )


def _fix(finding: Row, masks: Any) -> Fix:
    action = finding["suggested_fix"]
    box = tuple(finding[f"suggested_{c}"] for c in BOX)
    whose = {"model": finding["model"], "prediction_id": finding["prediction_id"]}
    if action == "remove":
        return Fix("remove")
    if action == "change_class":
        return Fix(action, finding["suggested_category_id"])
    mask = masks.get((finding["model"], finding["prediction_id"]))
    outline = Rle(tuple(mask["size"]), mask["counts"]) if isinstance(mask, dict) else mask
    category = finding["suggested_category_id"] if action == "add" else None
    return Fix(action, category, box, outline, **whose)  # type: ignore[arg-type]


# What has to hold ----------------------------------------------------------------------------------------------------


def _labels(file: Path) -> dict[int, Row]:
    return {a["id"]: a for a in json.loads(file.read_bytes())["annotations"]}


def test_exactly_the_accepted_fixes_differ(loop: Loop) -> None:
    before, after = _labels(loop.delivered), _labels(loop.exported)
    accepted = {e.annotation_id: e.fix for e in loop.accepted if e.fix and e.annotation_id}
    removed = {i for i, fix in accepted.items() if fix.action == "remove"}
    added = [e.fix for e in loop.accepted if e.fix and e.fix.action == "add"]
    assert set(before) - set(after) == removed
    assert len(set(after) - set(before)) == len(added)
    assert min(set(after) - set(before)) == max(before) + 1
    assert {i for i in after if i in before and after[i] != before[i]} == set(accepted) - removed
    for id_, fix in accepted.items():
        changed = {k for k in before[id_] if after.get(id_, {}).get(k) != before[id_][k]}
        if fix.action == "change_class":
            assert changed == {"category_id"}
            assert after[id_]["category_id"] == fix.category_id
        elif fix.action == "change_mask":
            assert changed <= {"segmentation", "bbox", "area"}
            mask = coco_mask.frPyObjects([after[id_]["segmentation"]], 420, 560)[0] if isinstance(
                after[id_]["segmentation"].get("counts"), list
            ) else after[id_]["segmentation"]  # fmt: skip
            assert after[id_]["area"] == coco_mask.area(mask)
            np.testing.assert_allclose(after[id_]["bbox"], coco_mask.toBbox(mask))
    whole = [json.loads(f.read_bytes()) for f in (loop.delivered, loop.exported)]
    for document in whole:
        del document["annotations"]
    assert whole[0] == whole[1]
    assert len(loop.accepted) > 5


def test_every_untouched_label_is_the_same_to_the_letter(loop: Loop) -> None:
    pieces = [f.read_bytes().split(b'{"id":') for f in (loop.delivered, loop.exported)]
    delivered, exported = (
        {p.split(b",", 1)[0]: p.rstrip(b",") for p in one if b"bbox" in p} for one in pieces
    )
    touched = {str(e.annotation_id).encode() for e in loop.accepted}
    last = max(delivered, key=int)  # the end of the list stands behind it
    same = [k for k in delivered if k not in touched and k != last]
    assert same
    assert all(exported[k] == delivered[k] for k in same)


def test_no_finding_that_was_decided_returns(loop: Loop) -> None:
    decided = {r["attached_finding_id"] for r in loop.reviews if r["attached_finding_id"]}
    assert not decided & {f["finding_id"] for f in loop.queue}
    now = {(f["error_type"], f["annotation_id"]) for f in loop.queue}
    about = {(e.error_type, e.annotation_id) for e in loop.entries if e.annotation_id}
    assert not now & about


def test_verdicts_stay(loop: Loop) -> None:
    assert len(loop.reviews) == len(loop.entries)
    assert all(r["standing"] for r in loop.reviews)
    lost = [r for r in loop.reviews if r["superseded"] and r["verdict"] == "accept"]
    assert lost == []
    applied = {r["seq"] for r in loop.reviews if r["applied"]}
    assert applied == {e.seq for e in loop.accepted}
    # A missing object that was rejected is kept by its place; a finding that is gone of itself has none.
    gone = [r for r in loop.reviews if r["superseded"]]
    assert all(r["error_type"] == "missing" for r in gone)
    assert len(gone) <= len(loop.reviews) // 10


def test_the_estimated_rate_falls(loop: Loop) -> None:
    before, after = loop.rates
    assert (
        0 < after < before
    )  # what was rejected still counts: p_error is not calibrated by verdicts yet


def test_a_second_export_is_the_delivered_file(loop: Loop) -> None:
    assert loop.exported_again.read_bytes() == loop.exported.read_bytes()
    log = json.loads(loop.exported_again.with_suffix(".changes.json").read_bytes())
    assert (log["changes"], log["not_carried_out"]) == ([], [])
    assert log["in_the_labels_already"] == len(loop.accepted)


def test_the_change_log_tells_who_did_what(loop: Loop) -> None:
    log = json.loads(loop.exported.with_suffix(".changes.json").read_bytes())
    assert log["not_carried_out"] == []
    assert {c["verdicts"][0]["seq"] for c in log["changes"]} == {e.seq for e in loop.accepted}
    assert all(c["verdicts"][0]["author"] == "ann" for c in log["changes"])
    before, after = _labels(loop.delivered), _labels(loop.exported)
    for change in log["changes"]:
        old, new = before.get(change["annotation_id"]), after.get(change["annotation_id"])
        if change["action"] == "change":
            assert old is not None
            assert {**old, **change["after"]} == new
            assert all(old[k] == v for k, v in change["before"].items())
        else:
            assert (change["before"], change["after"]) == (old, new)


def test_the_diff_of_the_two_deliveries_lists_the_fixes(loop: Loop) -> None:
    fixes = [e for e in loop.accepted if e.fix]
    ids = {
        action: {e.annotation_id for e in fixes if e.fix and e.fix.action == action}
        for action in ("remove", "change_class", "change_box", "change_mask")
    }
    changes = loop.diff["changes"]
    listed = {
        what: {c["old_annotation_id"] for c in changes if c["change"] == what}
        for what in ("removed", "changed")
    }
    assert listed["removed"] == ids["remove"]
    assert listed["changed"] == ids["change_class"] | ids["change_box"] | ids["change_mask"]
    assert {c["old_annotation_id"] for c in changes if c["reclassed"]} == ids["change_class"]
    added = [c for c in changes if c["change"] == "added"]
    assert len(added) == sum(1 for e in fixes if e.fix and e.fix.action == "add") > 0
    assert len(changes) == len(fixes)
