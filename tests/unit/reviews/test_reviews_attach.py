"""Verdicts hold on to what was judged: new models, moved predictions, other ids and applied fixes do not shake them off."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from helpers import batch
from helpers.scenes import CATEGORIES, ellipse, image, ordinary
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from label_quality.reviews import attach, content_hash
from label_quality.schema import REVIEW_LOG
from label_quality.store.entries import Entry, Fix

Record = dict[str, Any]
CAT, DOG = 1, 2
BOX = ("x", "y", "width", "height")
LABEL = {"id": 5, "image_id": 1, "category_id": CAT, "bbox": [10, 10, 40, 40]}


def entries(*log: Entry) -> pa.Table:
    """The log as ``ReviewLog.entries()`` gives it, without a database."""
    records = []
    for seq, entry in enumerate(log, start=1):
        record = msgspec.structs.asdict(entry) | {"seq": seq, "at": datetime(2026, 1, 1)}
        if entry.fix is not None:
            record["fix"] = msgspec.json.encode(entry.fix).decode()
        records.append(record)
    return pa.Table.from_pylist(records, schema=REVIEW_LOG.arrow_schema())


def scene(labels: list[Record], missing: list[tuple[float, ...]] | None = None) -> Any:
    """A batch of two images, and findings of type missing at these places of the first."""
    con = batch.database([image(1), image(2)], labels)
    for k, box in enumerate(missing or []):
        con.execute(
            """insert into findings by name
               select ? as batch, ? as finding_id, 'missing' as error_type, 1 as image_id, 1 as category_id,
                      'add' as suggested_fix, 0.9 as score, ? as x, ? as y, ? as width, ? as height,
                      1 as models_agreeing, 1 as models_total, false as saw_labels, 0.9 as p_error,
                      false as calibrated,
                      '' as reason, '1' as rule_version""",
            [batch.BATCH, f"today {k}", *box],
        )
    return con


def hashes(con: Any) -> dict[int, str]:
    sql = f"select annotation_id, {content_hash('a')} as hash from annotations a"
    return {r["annotation_id"]: r["hash"] for r in batch.rows(con, sql)}


def on_label(con: Any, annotation_id: int = 5, **fields: Any) -> Entry:
    """A verdict about a label as it is now."""
    (a,) = batch.rows(con, "from annotations where annotation_id = ?", annotation_id)
    about: Record = {k: a[k] for k in ("batch", "image_id", "category_id", "annotation_id", *BOX)}
    known = hashes(con)
    if "other_annotation_id" in fields:
        about["other_content_hash"] = known[fields["other_annotation_id"]]
    given = {"author": "ann", "error_type": "spurious", "finding_id": "f", "verdict": "reject"}
    return Entry(
        action="verdict", **about | {"content_hash": known[annotation_id]} | given | fields
    )


def on_missing(box: tuple[float, ...], **fields: Any) -> Entry:
    about: Record = {"batch": batch.BATCH, "image_id": 1, "category_id": CAT, "author": "ann"}
    about |= {"error_type": "missing", "finding_id": "f", "verdict": "reject"}
    return Entry(action="verdict", **about | dict(zip(BOX, box, strict=True)) | fields)


def attached(con: Any, *log: Entry) -> list[Record]:
    attach(con, entries(*log))
    return batch.rows(con, "from _verdicts order by seq")


def state(row: Record) -> str:
    words = [w for w in ("applied", "superseded", "disagreement") if row[w]]
    return " ".join(words) or "holds"


# One verdict about a label that was then changed, or not -----------------------------------------------------------

ACCEPT = {"verdict": "accept"}
CASES: list[tuple[str, Record, list[Record], str, int | None]] = [
    ("nothing changed", {}, [LABEL], "holds", 5),
    ("another id", {}, [{**LABEL, "id": 77}], "holds", 77),
    ("its id is another label's now", {}, [{**LABEL, "bbox": [0, 0, 9, 9]}, {**LABEL, "id": 6}], "holds", 6),
    ("another image", {}, [{**LABEL, "image_id": 2}], "superseded", None),
    ("another class", {}, [{**LABEL, "category_id": DOG}], "superseded", None),
    ("moved by a pixel", {}, [{**LABEL, "bbox": [11, 10, 40, 40]}], "superseded", None),
    ("another outline", {}, [{**LABEL, "segmentation": ellipse((10, 10, 40, 40))}], "superseded", None),
    ("gone", {}, [], "superseded", None),
    ("gone as wanted", {**ACCEPT, "fix": Fix("remove")}, [], "applied", None),
    ("not yet removed", {**ACCEPT, "fix": Fix("remove")}, [LABEL], "holds", 5),
    ("changed, not removed", {**ACCEPT, "fix": Fix("remove")}, [{**LABEL, "category_id": DOG}], "superseded", None),
    ("class as wanted", {**ACCEPT, "fix": Fix("change_class", DOG)}, [{**LABEL, "category_id": DOG}], "applied", 5),
    ("class as wanted, another id", {**ACCEPT, "fix": Fix("change_class", DOG)},
     [{**LABEL, "id": 8, "category_id": DOG}], "applied", 8),
    ("class not as wanted", {**ACCEPT, "fix": Fix("change_class", DOG)}, [{**LABEL, "category_id": 3}], "superseded", None),
    ("box as wanted", {**ACCEPT, "fix": Fix("change_box", box=(20, 20, 30, 30))},
     [{**LABEL, "bbox": [20, 20, 30, 30.2]}], "applied", 5),
    ("box not as wanted", {**ACCEPT, "fix": Fix("change_box", box=(20, 20, 30, 30))},
     [{**LABEL, "bbox": [25, 20, 30, 30]}], "superseded", None),
    ("sent to relabelling", {"verdict": "relabel"}, [LABEL], "holds", 5),
    ("relabelled", {"verdict": "relabel"}, [{**LABEL, "category_id": DOG}], "superseded", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fields", "now", "expected", "label"), CASES, ids=[c[0] for c in CASES]
)
def test_a_verdict_about_a_label(
    name: str, fields: Record, now: list[Record], expected: str, label: int | None
) -> None:
    entry = on_label(scene([LABEL]), **fields)
    (row,) = attached(scene(now), entry)
    assert (state(row), row["attached_annotation_id"]) == (expected, label)


TWIN = {**LABEL, "id": 6}
PAIR: Record = {"error_type": "duplicate", "other_annotation_id": 6, **ACCEPT, "fix": Fix("remove")}


@pytest.mark.parametrize(
    ("now", "expected", "label"),
    [
        ([LABEL, TWIN], "holds", 5),
        ([{**LABEL, "id": 11}, {**TWIN, "id": 12}], "holds", 11),
        ([TWIN], "applied", None),
        ([{**TWIN, "id": 3}], "applied", None),
        ([LABEL], "superseded", None),
        ([LABEL, {**TWIN, "category_id": DOG}], "superseded", None),
        ([], "applied", None),
    ],
)
def test_of_two_labels_of_one_content_only_one_is_taken(
    now: list[Record], expected: str, label: int | None
) -> None:
    entry = on_label(scene([LABEL, TWIN]), 5, **PAIR)
    (row,) = attached(scene(now), entry)
    assert (state(row), row["attached_annotation_id"]) == (expected, label)


def test_a_duplicate_is_decided_whichever_of_the_two_is_named_now() -> None:
    con = batch.audit(scene([LABEL, TWIN]))
    (finding,) = batch.findings(con, "error_type = 'duplicate'")
    one, other = finding["annotation_id"], finding["other_annotation_id"]
    for a, b in ((one, other), (other, one)):
        (row,) = attached(con, on_label(con, a, error_type="duplicate", other_annotation_id=b))
        assert row["attached_finding_id"] == finding["finding_id"]


# Missing labels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judged", "now", "expected"),
    [
        ((200, 100, 40, 40), [(200, 100, 40, 40)], "holds"),
        ((203, 97, 40, 40), [(200, 100, 40, 40)], "holds"),
        ((230, 100, 40, 40), [(200, 100, 40, 40)], "superseded"),
        ((200, 100, 40, 40), [(400, 100, 40, 40)], "superseded"),
    ],
)
def test_a_missing_label_is_found_by_its_place(
    judged: tuple[float, ...], now: list[tuple[float, ...]], expected: str
) -> None:
    con = scene([], now)
    (row,) = attached(con, on_missing(judged))
    assert state(row) == expected
    found = batch.findings(con, "error_type = 'missing'")
    assert row["attached_finding_id"] == (found[0]["finding_id"] if expected == "holds" else None)


def test_missing_labels_are_assigned_one_to_one_the_best_first() -> None:
    con = scene([], [(200, 100, 40, 40), (200, 120, 40, 40)])
    near = {f["y"]: f["finding_id"] for f in batch.findings(con, "error_type = 'missing'")}
    assert sorted(near) == [100, 120]
    judged = [(200, 106, 40, 40), (200, 111, 40, 40), (200, 98, 40, 40)]
    log = [on_missing(b, finding_id=f"old {k}") for k, b in enumerate(judged)]
    rows = attached(con, *log)
    # The third is nearest to the upper one; the first, judged before by the same person, is that object too.
    assert [(r["seq"], r["attached_finding_id"]) for r in rows] == [(2, near[120]), (3, near[100])]
    others = [msgspec.structs.replace(e, author=f"author {k}") for k, e in enumerate(log)]
    rows = attached(con, *others)
    assert [r["attached_finding_id"] for r in rows] == [near[100], near[120], near[100]]


def test_the_finding_that_was_shown_comes_first() -> None:
    con = scene([], [(200, 100, 40, 40)])
    (found,) = batch.findings(con, "error_type = 'missing'")
    drawn_over = on_missing((200, 100, 40, 40), finding_id=None)
    rows = attached(con, drawn_over, on_missing((190, 90, 50, 50), finding_id=found["finding_id"]))
    assert [r["attached_finding_id"] for r in rows] == [None, found["finding_id"]]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], "holds"),
        ([{**LABEL, "id": 9, "bbox": [200, 100, 40, 40]}], "applied"),
        ([{**LABEL, "id": 9, "bbox": [200, 100, 40, 40], "category_id": DOG}], "holds"),
    ],
)
def test_an_object_that_a_person_drew(labels: list[Record], expected: str) -> None:
    fix = Fix("add", CAT, (200, 100, 40, 40))
    drawn = on_missing((200, 100, 40, 40), finding_id=None, verdict="accept", fix=fix)
    (row,) = attached(scene(labels), drawn)
    assert state(row) == expected
    (row,) = attached(scene([]), msgspec.structs.replace(drawn, image_id=99))
    assert state(row) == "superseded"


# Several entries -----------------------------------------------------------------------------------------------------


def undo(seq: int, author: str = "ann") -> Entry:
    return Entry(author=author, action="undo", undoes=seq)


def test_the_latest_verdict_counts_and_an_undo_brings_the_one_before_back() -> None:
    con = scene([LABEL])
    log = [on_label(con), on_label(con, verdict="unsure"), on_label(con, verdict="relabel")]
    assert [r["verdict"] for r in attached(con, *log)] == ["relabel"]
    assert [r["verdict"] for r in attached(con, *log, undo(3))] == ["unsure"]
    assert [r["verdict"] for r in attached(con, *log, undo(3), undo(2))] == ["reject"]
    assert attached(con, *log, undo(3), undo(2), undo(1)) == []


def test_verdicts_on_two_questions_about_a_label_stand_side_by_side() -> None:
    con = scene([LABEL])
    log = [on_label(con), on_label(con, error_type="wrong_class", verdict="accept")]
    assert [(r["error_type"], state(r)) for r in attached(con, *log)] == [
        ("spurious", "holds"),
        ("wrong_class", "holds"),
    ]


BOX_FIX, OTHER_FIX = Fix("change_box", box=(9, 9, 40, 40)), Fix("change_box", box=(8, 8, 40, 40))


@pytest.mark.parametrize(
    ("ann", "bob", "expected"),
    [
        ({}, {}, False),
        ({}, ACCEPT, True),
        ({}, {"verdict": "unsure"}, False),
        ({"verdict": "relabel"}, ACCEPT, True),
        ({**ACCEPT, "fix": BOX_FIX}, {**ACCEPT, "fix": BOX_FIX}, False),
        ({**ACCEPT, "fix": BOX_FIX}, {**ACCEPT, "fix": OTHER_FIX}, True),
        ({**ACCEPT, "fix": BOX_FIX}, {**ACCEPT, "fix": Fix("change_box", box=BOX_FIX.box, model="m")}, False),
    ],
)  # fmt: skip
def test_two_people(ann: Record, bob: Record, expected: bool) -> None:
    con = scene([LABEL])
    rows = attached(con, on_label(con, **ann), on_label(con, author="bob", **bob))
    disputed = [r["disagreement"] for r in rows]
    assert disputed == [expected and r["verdict"] != "unsure" for r in rows]
    assert [r["author"] for r in rows] == ["ann", "bob"]


def test_people_who_judged_one_object_by_different_findings_disagree() -> None:
    con = scene([], [(200, 100, 40, 40)])
    rows = attached(
        con,
        on_missing((202, 100, 40, 40), finding_id="of model a"),
        on_missing((198, 100, 40, 40), finding_id="of model b", author="bob", verdict="accept"),
    )
    assert [r["disagreement"] for r in rows] == [True, True]


def test_tags() -> None:
    con = scene([LABEL])
    about: Record = {"author": "ann", "batch": batch.BATCH, "image_id": 1}
    image_tag = Entry(action="tag", kind="image", tag="dark", **about)
    label_tag = Entry(action="tag", kind="annotation", annotation_id=5, tag="dark", **about)
    removed = Entry(action="untag", kind="image", tag="dark", **about | {"author": "bob"})

    def tags(*log: Entry) -> list[tuple[str, str]]:
        attach(con, entries(*log))
        return [(r["kind"], r["author"]) for r in batch.rows(con, "from _tags order by kind")]

    assert tags(image_tag, label_tag) == [("annotation", "ann"), ("image", "ann")]
    assert tags(image_tag, label_tag, removed) == [("annotation", "ann")]
    assert tags(image_tag, removed, undo(2, "bob")) == [("image", "ann")]
    assert tags(image_tag, undo(1)) == []


def test_an_empty_log_and_an_empty_database() -> None:
    con = scene([])
    assert attached(con) == []
    (row,) = attached(con, on_missing((0, 0, 9, 9)))
    assert state(row) == "superseded"


# Everything at once ----------------------------------------------------------------------------------------------------


@settings(max_examples=4, phases=(Phase.generate,), suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1), masks=st.booleans())
def test_verdicts_outlive_another_model_moved_boxes_and_other_ids(seed: int, masks: bool) -> None:
    rng = np.random.default_rng(seed)
    images, labels, models = ordinary(8, ("old",), masks=masks)
    wrong = rng.permutation(len(labels))
    kept = [dict(a) for k, a in enumerate(labels) if k not in set(wrong[:6])]  # six are missing
    for a in rng.choice(kept, 6, replace=False):
        a["category_id"] = a["category_id"] % 5 + 1
    twins = [{**a, "id": 9000 + k} for k, a in enumerate(rng.choice(kept, 3, replace=False))]
    before = batch.audit(batch.database(images, [*kept, *twins], models, CATEGORIES))
    found = batch.findings(before)
    log = [on_finding(before, f, rng.choice(["accept", "reject", "relabel"])) for f in found]
    assert {e.error_type for e in log} >= {"missing", "wrong_class", "duplicate"}

    moved = [{**p, "bbox": jittered(rng, p["bbox"])} for p in models["old"]]
    order = rng.permutation(len(kept) + 3)
    renumbered = [{**[*kept, *twins][k], "id": 500 + n} for n, k in enumerate(order.tolist())]
    seen = {"new": [moved[k] for k in rng.permutation(len(moved)).tolist()]}
    after = batch.audit(batch.database(images, renumbered, seen, CATEGORIES))
    rows = attached(after, *log)
    assert len(rows) == len(log)
    today = {f["finding_id"]: f for f in batch.findings(after)}
    for row in rows:
        # A place where the new model sees nothing is the one thing that cannot be attached.
        assert not row["superseded"] or not near(row, today), row
        if row["annotation_id"] is not None:
            new = next(a for a in renumbered if a["id"] == row["attached_annotation_id"])
            old = next(a for a in [*kept, *twins] if a["id"] == row["annotation_id"])
            assert {**new, "id": 0} == {**old, "id": 0}
    pointed = [r["attached_finding_id"] for r in rows if r["attached_finding_id"]]
    assert len(pointed) == len(set(pointed)) > len(log) / 2


def near(row: Record, findings: dict[str, Record]) -> bool:
    """Whether a missing finding lies where the row's box is that no other verdict may claim."""
    from pycocotools import mask as coco_mask

    there = [
        [f[c] for c in BOX]
        for f in findings.values()
        if f["error_type"] == "missing" and f["image_id"] == row["image_id"]
    ]
    judged = [[row[c] for c in BOX]]
    return bool(there) and bool((coco_mask.iou(judged, there, [0] * len(there)) >= 0.5).any())


def jittered(rng: np.random.Generator, box: Any) -> list[float]:
    x, y, width, height = np.asarray(box) + rng.uniform(-3, 3, 4)
    return [max(x, 0.0), max(y, 0.0), max(width, 1.0), max(height, 1.0)]


def on_finding(con: Any, finding: Record, verdict: str) -> Entry:
    fields: Record = {"verdict": str(verdict), "finding_id": finding["finding_id"]}
    if finding["annotation_id"] is None:
        return on_missing(tuple(finding[c] for c in BOX), image_id=finding["image_id"], **fields)
    if finding["other_annotation_id"] is not None:
        fields["other_annotation_id"] = finding["other_annotation_id"]
    return on_label(con, finding["annotation_id"], error_type=finding["error_type"], **fields)
