"""Corrected COCO: which fixes are carried out, what they make of a label, and what is told of the rest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from export_tools import Record, decide, export, publish
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from label_quality.store import Store
from label_quality.store.entries import Fix, Rle

SQUARE = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
DOCUMENT: Record = {
    "info": {"year": 2026, "odd": [1.50, None]},
    "images": [{"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}],
    "annotations": [
        {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 10], "extra": {"k": "ü"}},
        {"id": 9, "image_id": 1, "category_id": 2, "bbox": [2, 2, 10, 10], "segmentation": SQUARE, "area": 100.0},
        {"id": 4, "image_id": 1, "category_id": 1, "bbox": [0, 0, 60, 40], "iscrowd": 1,
         "segmentation": {"size": [40, 60], "counts": [0, 2400]}, "area": 2400},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 7, "name": "bus"}],
}  # fmt: skip
MASK = np.zeros((40, 60), np.uint8, order="F")
MASK[5:20, 10:35] = 1


def rle(mask: np.ndarray = MASK) -> Rle:
    encoded = coco_mask.encode(np.asfortranarray(mask))
    return Rle(tuple(encoded["size"]), encoded["counts"].decode())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    publish(folder, DOCUMENT)
    return folder


@pytest.fixture
def store(published: Path, tmp_path: Path) -> Store:
    """A root of the test's own: publishing takes most of a second."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return Store(tmp_path / "root")


def corrected(store: Store, tmp_path: Path, **options: Any) -> tuple[dict[int, Record], Record]:
    export(store, "coco", tmp_path / "out", **options)
    document = json.loads((tmp_path / "out/b.json").read_bytes())
    log = json.loads((tmp_path / "out/b.changes.json").read_bytes())
    return {a["id"]: a for a in document["annotations"]}, log


def before(id_: int) -> Record:
    return next(a for a in DOCUMENT["annotations"] if a["id"] == id_)


def reasons(log: Record) -> list[str]:
    return [one["reason"] for one in log["not_carried_out"]]


def test_without_verdicts_it_is_the_delivered_file(store: Store, tmp_path: Path) -> None:
    corrected(store, tmp_path)
    assert (tmp_path / "out/b.json").read_bytes() == (tmp_path / "labels.json").read_bytes()


@pytest.mark.parametrize(
    ("id_", "fix", "changed"),
    [
        (3, Fix("change_class", 7), {"category_id": 7}),
        (3, Fix("change_box", box=(4.5, 5, 20, 10)), {"bbox": [4.5, 5, 20, 10], "area": 200.0}),
        (9, Fix("change_box", box=(4, 5, 20, 10)), {"bbox": [4, 5, 20, 10]}),
        (
            9,
            Fix("change_mask", box=(0, 0, 1, 1), segmentation=rle()),
            {
                "segmentation": {"size": [40, 60], "counts": rle().counts},
                "bbox": [10.0, 5.0, 25.0, 15.0],
                "area": 375.0,
            },
        ),
        (
            3,
            Fix("change_mask", segmentation=[[5.0, 5.0, 15.0, 5.0, 15.0, 10.0, 5.0, 10.0]]),
            {
                "segmentation": [[5.0, 5.0, 15.0, 5.0, 15.0, 10.0, 5.0, 10.0]],
                "bbox": [5, 5, 10, 5],
                "area": 50.0,
            },
        ),
    ],
)
def test_a_label_changes_as_it_was_decided(
    store: Store, tmp_path: Path, id_: int, fix: Fix, changed: Record
) -> None:
    entry = decide(store, id_, fix=fix, note="see")
    labels, log = corrected(store, tmp_path)
    assert labels[id_] == before(id_) | changed
    assert {i: labels[i] for i in labels if i != id_} == {i: before(i) for i in labels if i != id_}
    (change,) = log["changes"]
    assert change["after"] == changed
    assert change["before"] == {k: before(id_).get(k) for k in changed}
    assert change["verdicts"][0] | {"at": ""} == {
        "seq": entry.seq, "author": "ann", "at": "", "error_type": "wrong_class", "finding_id": None, "note": "see",
    }  # fmt: skip
    COCO(tmp_path / "out/b.json")


def test_a_label_is_removed_and_objects_are_added(store: Store, tmp_path: Path) -> None:
    decide(store, 3, fix=Fix("remove"))
    decide(store, None, (30, 10, 8, 8), fix=Fix("add", 7, (30, 10, 8, 8)))
    decide(store, None, (1, 1, 4, 4), fix=Fix("add", 2, (1, 1, 4, 4), rle()))
    labels, log = corrected(store, tmp_path)
    assert sorted(labels) == [4, 9, 10, 11]
    new = {"image_id": 1, "category_id": 7, "iscrowd": 0}
    assert labels[10] == new | {"id": 10, "bbox": [30, 10, 8, 8], "area": 64.0, "segmentation": []}
    assert labels[11]["bbox"] == [10, 5, 25, 15]
    assert [c["action"] for c in log["changes"]] == ["remove", "add", "add"]
    loaded = COCO(tmp_path / "out/b.json")
    assert loaded.annToMask(loaded.anns[11]).sum() == loaded.anns[11]["area"] == 375


def test_applying_again_gives_the_same_file(store: Store, tmp_path: Path) -> None:
    decide(store, 3, fix=Fix("change_class", 7))
    decide(store, None, (1, 1, 4, 4), fix=Fix("add", 2, (1, 1, 4, 4), rle()))
    export(store, "coco", tmp_path / "one")
    export(store, "coco", tmp_path / "two")
    for name in ("b.json", "b.changes.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


CLASS, OTHER_CLASS = Fix("change_class", 7), Fix("change_class", 2)
SHIFTED, REMOVE = Fix("change_box", box=(1, 2, 10, 12)), Fix("remove")


@pytest.mark.parametrize(
    ("decisions", "after", "left"),
    [
        # class and box of one label go together, whoever decided them
        ([("ann", CLASS, "wrong_class"), ("ann", SHIFTED, "inaccurate")],
         {"category_id": 7, "bbox": [1, 2, 10, 12], "area": 120}, []),
        ([("ann", CLASS, "wrong_class"), ("bob", SHIFTED, "inaccurate")],
         {"category_id": 7, "bbox": [1, 2, 10, 12], "area": 120}, []),
        # one author: the latest counts, and the older one is told
        ([("ann", CLASS, "wrong_class"), ("ann", OTHER_CLASS, None)], {"category_id": 2},
         ["its author decided otherwise later (entry 2)"]),
        ([("ann", REMOVE, "spurious"), ("ann", CLASS, "wrong_class")], {"category_id": 7},
         ["its author decided otherwise later (entry 2)"]),
        ([("ann", CLASS, "wrong_class"), ("ann", REMOVE, "spurious")], None,
         ["its author decided otherwise later (entry 2)"]),
        # two authors: only what both want
        ([("ann", CLASS, "wrong_class"), ("bob", CLASS, "wrong_class")], {"category_id": 7}, []),
        ([("ann", CLASS, "wrong_class"), ("bob", OTHER_CLASS, "wrong_class")], {}, ["people disagree about it"] * 2),
        ([("ann", CLASS, "wrong_class"), ("bob", OTHER_CLASS, None)], {},
         ["people want different things of this label"] * 2),
        ([("ann", REMOVE, "spurious"), ("bob", CLASS, "wrong_class")], {},
         ["people want different things of this label"] * 2),
        ([("ann", CLASS, "wrong_class"), ("bob", None, "wrong_class")], {}, ["people disagree about it"]),
    ],
)  # fmt: skip
def test_what_happens_when_decisions_meet(
    store: Store, tmp_path: Path, decisions: Any, after: Record | None, left: list[str]
) -> None:
    for author, fix, error_type in decisions:
        verdict = "accept" if fix else "reject"
        decide(store, 3, author=author, fix=fix, error_type=error_type, verdict=verdict)
    labels, log = corrected(store, tmp_path)
    assert labels.get(3) == (None if after is None else before(3) | after)
    assert reasons(log) == left


@pytest.mark.parametrize(
    ("one", "other", "added", "left"),
    [
        (("ann", (5, 5, 10, 10)), ("bob", (5, 5, 10, 10)), 1, []),
        (("ann", (5, 5, 10, 10)), ("bob", (6, 5, 10, 10)), 0, ["people added this object differently"] * 2),
        (("ann", (5, 5, 10, 10)), ("bob", (30, 5, 10, 10)), 2, []),
        (("ann", (5, 5, 10, 10)), ("ann", (5.2, 5, 10, 10)), 1, ["its author added this object again later"]),
        (("ann", (5, 5, 10, 10)), ("ann", (8, 5, 10, 10)), 2, []),
    ],
)  # fmt: skip
def test_objects_that_were_added_twice(
    store: Store, tmp_path: Path, one: Any, other: Any, added: int, left: list[str]
) -> None:
    for author, box in (one, other):
        decide(store, None, box, author=author, fix=Fix("add", 7, box))
    labels, log = corrected(store, tmp_path)
    assert len(labels) == len(DOCUMENT["annotations"]) + added
    assert reasons(log) == left


@pytest.mark.parametrize(
    ("id_", "fields", "reason"),
    [
        (4, {"fix": REMOVE}, "crowd regions are not changed"),
        (3, {"verdict": "accept"}, "it was accepted without a fix"),
        (3, {"fix": REMOVE, "content_hash": "another"}, "the label is no longer as it was when it was judged"),
        (3, {"fix": Fix("change_class", 99)}, "the category 99 is not in the file"),
        (3, {"fix": Fix("change_mask", segmentation=[[1.0, 1.0, 2.0, 2.0]])},
         "the mask has a polygon of less than three points"),
        (3, {"fix": Fix("change_mask", segmentation=Rle((9, 9), [81]))}, "the mask is of 9 x 9 pixels, the image of 60 x 40"),
        (3, {"fix": Fix("change_mask", segmentation=Rle((40, 60), [5]))}, "the mask has run lengths that do not fill the image"),
        (3, {"fix": Fix("change_mask", segmentation=Rle((40, 60), "~~"))}, "the mask has run lengths that do not fill the image"),
        (3, {"fix": Fix("change_mask", segmentation=Rle((40, 60), [2400]))}, "the mask is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_told(
    store: Store, tmp_path: Path, id_: int, fields: Record, reason: str
) -> None:
    entry = decide(store, id_, **fields)
    _, log = corrected(store, tmp_path)
    assert (tmp_path / "out/b.json").read_bytes() == (tmp_path / "labels.json").read_bytes()
    assert [(o["reason"], o["verdict"]["seq"]) for o in log["not_carried_out"]] == [
        (reason, entry.seq)
    ]


def test_what_was_fixed_already_is_not_fixed_again(tmp_path: Path) -> None:
    store = publish(tmp_path, DOCUMENT)
    decide(store, 3, fix=CLASS)
    decide(store, 9, fix=REMOVE)
    decide(store, None, (30, 10, 8, 8), fix=Fix("add", 7, (30, 10, 8, 8)))
    export(store, "coco", tmp_path / "out")
    exported = (tmp_path / "out/b.json").read_text()
    publish(tmp_path, exported)
    labels, log = corrected(store, tmp_path)
    assert (tmp_path / "out/b.json").read_text() == exported
    assert (log["changes"], log["not_carried_out"], log["in_the_labels_already"]) == ([], [], 3)
    assert sorted(labels) == [3, 4, 10]


def test_one_persons_decisions(store: Store, tmp_path: Path) -> None:
    decide(store, 3, fix=CLASS)
    decide(store, 3, fix=OTHER_CLASS, author="bob")
    labels, _ = corrected(store, tmp_path, author="bob")
    assert labels[3]["category_id"] == 2


def test_ids_of_text_stay_text(tmp_path: Path) -> None:
    text = json.dumps(DOCUMENT)
    for old, new in [('"id": 3', '"id": "c-3"'), ('"category_id": 1', '"category_id": "1"'), ('"image_id": 1', '"image_id": "1"')]:  # fmt: skip
        text = text.replace(old, new)
    store = publish(tmp_path, text)
    with duckdb.connect(str(store.database), read_only=True) as con:
        sql = "select annotation_id from annotations where original_id = 'c-3'"
        ((with_text,),) = con.execute(sql).fetchall()
    decide(store, with_text, fix=CLASS)
    decide(store, None, (30, 10, 8, 8), fix=Fix("add", 7, (30, 10, 8, 8)))
    labels, log = corrected(store, tmp_path)
    assert labels["c-3"] == before(3) | {"id": "c-3", "image_id": "1", "category_id": "7"}  # type: ignore[index]
    assert (labels[10]["image_id"], labels[10]["category_id"]) == ("1", "7")
    assert log["changes"][0]["annotation_id"] == "c-3"
