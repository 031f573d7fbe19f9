"""The other formats: what is in them, and that names from the data cannot break out of theirs.

That the tools' own libraries load them says ``docs/load_exports.py``: they are too heavy for these tests.
"""

from __future__ import annotations

import csv
import json
import shutil
import xml.etree.ElementTree as ElementTree
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_tools import BATCH, Record, decide, export, publish
from pycocotools import mask as coco_mask

from label_quality.exports import Exporter, found
from label_quality.exports.registry import _files
from label_quality.store import Store, StoreError
from label_quality.store.entries import Entry

ODD = "cat <b>\"&' ü"
TRIANGLE = [[10.0, 10.0, 30.0, 10.0, 10.0, 30.0]]
MASK = np.zeros((40, 60), np.uint8, order="F")
MASK[5:20, 10:35] = 1
MASK[5, 10] = 0
RLE = coco_mask.encode(MASK)
DOCUMENT: Record = {
    "images": [
        {"id": 1, "file_name": f"{ODD}.jpg", "width": 60, "height": 40},
        {"id": 2, "file_name": "=2.jpg", "width": 60, "height": 40, "extra": 1.50},
        {"id": 3, "file_name": "c.jpg", "width": 60, "height": 40},
    ],
    "annotations": [
        {"id": 5, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "segmentation": TRIANGLE, "area": 200},
        {"id": 6, "image_id": 2, "category_id": 2, "bbox": [6, 4, 30, 20], "extra": 1.50},
        {"id": 7, "image_id": 1, "category_id": 2, "bbox": [0, 0, 60, 40], "iscrowd": 1,
         "segmentation": {"size": [40, 60], "counts": [0, 2400]}},
    ],
    "categories": [{"id": 1, "name": ODD}, {"id": 2, "name": "dog"}],
}  # fmt: skip


def finding(id_: str, kind: str, image_id: int, box: tuple[float, ...], **more: Any) -> Record:
    names = ("x", "y", "width", "height")
    suggested = {f"suggested_{n}": float(v) for n, v in zip(names, box, strict=True)}
    own = dict(zip(names, map(float, box), strict=True))
    about = {"finding_id": id_, "error_type": kind, "image_id": image_id, "category_id": 1}
    return about | own | suggested | {"reason": f"=why {ODD}", "p_error": 0.75} | more


FINDINGS = [
    finding("new", "missing", 1, (10, 5, 25, 15), annotation_id=None, model="m", prediction_id=4,
            suggested_fix="add", suggested_category_id=2),
    finding("class", "wrong_class", 1, (10, 10, 20, 20), annotation_id=5, suggested_fix="change_class",
            suggested_category_id=2, p_error=0.5),
    finding("gone", "spurious", 2, (6, 4, 30, 20), annotation_id=6, suggested_fix="remove", category_id=2,
            suggested_category_id=None, p_error=0.25),
]  # fmt: skip
PREDICTION_MASKS = [
    {"model": "m", "prediction_id": 4,
     "segmentation": json.dumps({"size": [40, 60], "counts": RLE["counts"].decode()})},
]  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    publish(folder, json.dumps(DOCUMENT), FINDINGS, PREDICTION_MASKS)
    return folder


@pytest.fixture
def store(published: Path, tmp_path: Path) -> Store:
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return Store(tmp_path / "root")


def test_each_file_of_formats_is_an_exporter() -> None:
    assert found().problems == ()
    assert len(found().exporters) == len(list(_files()))
    for name, exporter in found().exporters.items():
        assert isinstance(exporter, Exporter)
        assert name == exporter.name
        assert exporter.description.endswith(".")


@pytest.mark.parametrize("form", sorted(found().exporters))
@pytest.mark.parametrize("select", ["relabel", "queue"])
def test_every_format_is_the_same_twice_and_writes_what_it_says(
    store: Store, tmp_path: Path, form: str, select: str
) -> None:
    decide(store, 5, finding_id="class")
    one = export(store, form, tmp_path / "one", select=select)
    two = export(store, form, tmp_path / "two", select=select)
    for a, b in zip(one.files, two.files, strict=True):
        assert a.read_bytes() == b.read_bytes()
    written = {p for p in (tmp_path / "one").rglob("*") if p.is_file()}
    assert written == set(one.files)
    assert one.says


def test_batches_and_authors_that_are_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no batch x has been published; these are: b"):
        export(store, "tags", tmp_path / "out", batches=["x"])
    with pytest.raises(StoreError, match="'eve' has decided nothing"):
        export(store, "tags", tmp_path / "out", author="eve")


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_relabelling_list(store: Store, tmp_path: Path) -> None:
    decide(store, 5, finding_id="class", note="+look")
    decide(store, None, (40, 5, 9, 9), image_id=2, category_id=2, finding_id=None)
    export(store, "relabel-csv", tmp_path / "out")
    one, other = table(tmp_path / "out/relabel.csv")
    assert one["annotation_id"] == "5"
    assert (one["category"], one["suggested_category"]) == (ODD, "dog")
    assert (one["reason"], one["note"]) == (f"'=why {ODD}", "'+look")  # no formula to a spreadsheet
    assert (one["author"], one["finding_id"]) == ("ann", "class")
    assert (other["file_name"], other["suggested_x"]) == ("'=2.jpg", "40.0")


def test_the_queue_is_what_nobody_decided(store: Store, tmp_path: Path) -> None:
    decide(store, 5, finding_id="class", verdict="reject")
    decide(store, 6, finding_id="gone", verdict="unsure", error_type="spurious")
    export(store, "relabel-csv", tmp_path / "out", select="queue")
    assert [r["finding_id"] for r in table(tmp_path / "out/relabel.csv")] == ["new", "gone"]
    export(store, "relabel-csv", tmp_path / "out", select="queue", limit=1)
    assert [r["finding_id"] for r in table(tmp_path / "out/relabel.csv")] == ["new"]


def test_the_coco_subset_has_the_records_to_the_letter(store: Store, tmp_path: Path) -> None:
    decide(store, 6, finding_id="gone")
    export(store, "relabel-coco", tmp_path / "out")
    text = (tmp_path / "out/b.json").read_text()
    subset = json.loads(text)
    assert subset["images"] == DOCUMENT["images"][1:2]
    assert subset["annotations"] == DOCUMENT["annotations"][1:2]
    assert subset["categories"] == DOCUMENT["categories"]
    assert text.count('"extra": 1.5') == 2


def test_tags(store: Store, tmp_path: Path) -> None:
    about: Record = {"author": "ann", "batch": BATCH, "image_id": 2, "tag": "dark"}
    with closing(store.review_log()) as log:
        log.add([Entry(action="tag", kind="image", **about)])
        log.add([Entry(action="tag", kind="annotation", annotation_id=6, **about)])
    export(store, "tags", tmp_path / "out")
    rows = table(tmp_path / "out/tags.csv")
    assert [(r["kind"], r["file_name"], r["annotation_id"]) for r in rows] == [
        ("annotation", "'=2.jpg", "6"),  # no formula to a spreadsheet
        ("image", "'=2.jpg", ""),
    ]


def test_label_studio(store: Store, tmp_path: Path) -> None:
    export(store, "label-studio", tmp_path / "out", select="queue", image_url="http://files/")
    config = ElementTree.fromstring((tmp_path / "out/label_config.xml").read_text())
    assert [e.get("value") for e in config.iter("Label")] == [ODD, "dog"] * 2
    controls = {e.get("name") for e in config if e.get("toName") == "image"}
    first, second = json.loads((tmp_path / "out/tasks.json").read_text())
    assert first["data"]["image"] == "http://files/cat%20%3Cb%3E%22%26%27%20%C3%BC.jpg"
    (label,) = first["annotations"][0]["result"]
    assert label["value"]["polygonlabels"] == [ODD]
    np.testing.assert_allclose(label["value"]["points"][1], [50, 25])
    changed, new = first["predictions"][0]["result"]
    assert changed["value"] == label["value"] | {"polygonlabels": ["dog"]}
    assert new["value"]["rectanglelabels"] == ["dog"]
    assert [new["value"][k] for k in ("x", "y", "width", "height")] == pytest.approx(
        [100 * 10 / 60, 100 * 5 / 40, 100 * 25 / 60, 100 * 15 / 40]
    )
    assert {r["from_name"] for r in (label, changed, new)} <= controls
    assert first["predictions"][0]["score"] == 0.75
    assert second["predictions"][0]["result"] == []  # the label is suggested to be removed
    assert len(second["annotations"][0]["result"]) == 1


def test_cvat(store: Store, tmp_path: Path) -> None:
    export(store, "cvat", tmp_path / "out", select="queue")
    root = ElementTree.parse(tmp_path / "out/annotations.xml").getroot()
    images = root.findall("image")
    assert [i.get("name") for i in images] == [f"{ODD}.jpg", "=2.jpg"]
    polygon, mask = images[0]
    assert (polygon.tag, polygon.get("label"), polygon.get("source")) == ("polygon", "dog", "auto")
    assert polygon.get("points") == "10.00,10.00;30.00,10.00;10.00,30.00"
    assert {a.get("name"): a.text for a in mask}["reason"] == f"=why {ODD}"
    box = {k: int(mask.get(k, "")) for k in ("left", "top", "width", "height")}
    assert box == {"left": 10, "top": 5, "width": 25, "height": 15}
    counts = [int(n) for n in mask.get("rle", "").split(",")]
    values = np.repeat(np.arange(len(counts)) % 2, counts).reshape(15, 25)
    np.testing.assert_array_equal(values, MASK[5:20, 10:35])
    assert list(images[1]) == []
    labels = json.loads((tmp_path / "out/labels.json").read_text())
    assert [label["name"] for label in labels] == [ODD, "dog"]
    assert [e.findtext("name") for e in root.iter("label")] == [ODD, "dog"]


def test_fiftyone(store: Store, tmp_path: Path) -> None:
    decide(store, 5, finding_id="class", verdict="reject")
    with closing(store.review_log()) as log:
        about: Record = {"author": "ann", "batch": BATCH, "image_id": 1, "kind": "image"}
        log.add([Entry(action="tag", tag=ODD, **about), Entry(action="tag", tag="a", **about)])
    result = export(store, "fiftyone", tmp_path / "out")
    assert "version" not in json.loads((tmp_path / "out/b/metadata.json").read_text())
    samples = json.loads((tmp_path / "out/b/samples.json").read_text())["samples"]
    assert [s["filepath"] for s in samples] == [i["file_name"] for i in DOCUMENT["images"]]
    assert "rel_dir" in result.says[-1]  # it came without images
    assert [s["tags"] for s in samples] == [["a", ODD], [], []]
    labels = samples[0]["ground_truth"]["detections"]
    assert [(d["label"], d["annotation_id"], d["iscrowd"]) for d in labels] == [(ODD, 5, False), ("dog", 7, True)]  # fmt: skip
    assert labels[0]["bounding_box"] == pytest.approx([10 / 60, 10 / 40, 20 / 60, 20 / 40])
    found_ = samples[0]["findings"]["detections"]
    assert [(d["label"], d["verdict"]) for d in found_] == [("missing", None), ("wrong_class", "reject")]  # fmt: skip
    assert samples[2]["ground_truth"]["detections"] == []
