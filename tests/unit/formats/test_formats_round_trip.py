"""COCO labels written as VOC and YOLO, as those formats are defined, come back as the same boxes and polygons."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_folders import converted, voc_file, voc_object, yolo_folder

SIDES = (640, 480)
WORDS = st.text("abcxyz äß_-&<", min_size=1, max_size=6).filter(lambda s: s == s.strip())


@st.composite
def pixel_boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Whole pixels inside of the picture: x, y, width, height."""
    x, y = (draw(st.integers(0, side - 1)) for side in SIDES)
    return x, y, draw(st.integers(1, SIDES[0] - x)), draw(st.integers(1, SIDES[1] - y))


@st.composite
def polygons(draw: st.DrawFn) -> list[float]:
    points = draw(st.integers(3, 12))
    values = draw(st.lists(st.floats(0, 1, width=32), min_size=2 * points, max_size=2 * points))
    x, y = np.array(values[0::2]) * SIDES[0], np.array(values[1::2]) * SIDES[1]
    x[0], x[1], y[0], y[1] = 1, 600, 2, 400  # neither flat nor outside
    return np.stack([x, y], axis=1).ravel().tolist()


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


@settings(max_examples=40)
@given(labels=st.lists(st.tuples(pixel_boxes(), WORDS), max_size=6))
def test_voc(labels: list) -> None:
    """VOC holds whole pixels exactly."""
    with tempfile.TemporaryDirectory() as name:
        objects = [
            voc_object((x + 1, y + 1, x + w, y + h), escape(word)) for (x, y, w, h), word in labels
        ]
        voc_file(Path(name) / "voc", "a", *objects, with_picture=False)
        done, document = converted(Path(name) / "voc", Path(name) / "out")
        assert done.refused is None
        names = {c["id"]: c["name"] for c in document["categories"]}
        found = [(tuple(a["bbox"]), names[a["category_id"]]) for a in document["annotations"]]
        assert found == labels


@settings(max_examples=40)
@given(
    boxes=st.lists(pixel_boxes(), max_size=5),
    outlines=st.lists(polygons(), max_size=3),
    digits=st.sampled_from([6, 8, 17]),
)
def test_yolo(boxes: list, outlines: list, digits: int) -> None:
    """YOLO holds as much as was written of it: a unit of its last digit, of the longer side, for each edge."""
    width, height = SIDES
    lines = [
        f"{k % 2} {(x + w / 2) / width:.{digits}g} {(y + h / 2) / height:.{digits}g} {w / width:.{digits}g} {h / height:.{digits}g}"
        for k, (x, y, w, h) in enumerate(boxes)
    ]
    for outline in outlines:
        shares = np.array(outline).reshape(-1, 2) / SIDES
        lines.append("1 " + " ".join(f"{v:.{digits}g}" for v in shares.ravel()))
    with tempfile.TemporaryDirectory() as name:
        folder = yolo_folder(Path(name) / "yolo", {"a": "\n".join(lines)})
        done, document = converted(folder, Path(name) / "out")
    assert done.refused is None
    near = 2 * width * 10.0**-digits + 1e-6
    found = document["annotations"]
    for label, box in zip(found[: len(boxes)], boxes, strict=True):
        assert label["bbox"] == pytest.approx(box, abs=near)
    for label, outline in zip(found[len(boxes) :], outlines, strict=True):
        assert label["segmentation"][0] == pytest.approx(outline, abs=near)


def test_the_boxes_of_coco_itself(shared: Path, tmp_path: Path) -> None:
    """Real labels, through YOLO's six decimals and back: within a thousandth of a pixel, and every one there."""
    source = json.loads((shared / "data/coco_val2017_subset/instances.json").read_bytes())
    images = {i["id"]: i for i in source["images"]}
    number = {c["id"]: k for k, c in enumerate(source["categories"])}
    lines: dict[int, list[str]] = {k: [] for k in images}
    kept: dict[int, list] = {k: [] for k in images}
    for label in source["annotations"]:
        image = images[label["image_id"]]
        x, y, w, h = label["bbox"]
        shares = (
            (x + w / 2) / image["width"],
            (y + h / 2) / image["height"],
            w / image["width"],
            h / image["height"],
        )
        lines[image["id"]].append(
            f"{number[label['category_id']]} " + " ".join(f"{v:.6f}" for v in shares)
        )
        kept[image["id"]].append((label["bbox"], label["category_id"]))
    folder = tmp_path / "yolo"
    (folder / "labels").mkdir(parents=True)
    (folder / "images").mkdir()
    for image in images.values():
        stem = Path(image["file_name"]).stem
        origin = shared / "data/coco_val2017_subset/images" / image["file_name"]
        (folder / "images" / f"{stem}.jpg").write_bytes(origin.read_bytes())
        (folder / "labels" / f"{stem}.txt").write_text("\n".join(lines[image["id"]]))
    names = [c["name"] for c in source["categories"]]
    (folder / "data.yaml").write_text(json.dumps({"names": names}))
    done, document = converted(folder, tmp_path / "out")
    assert done.refused is None
    back = {i["id"]: int(Path(i["file_name"]).stem) for i in document["images"]}
    assert len(document["annotations"]) == len(source["annotations"]) > 1000
    ids = {c["name"]: c["id"] for c in source["categories"]}
    found: dict[int, list] = {k: [] for k in images}
    for label in document["annotations"]:
        name = names[label["category_id"] - 1]
        found[back[label["image_id"]]].append((label["bbox"], ids[name]))
    for image_id, labels in kept.items():
        for (box, category), (box_found, category_found) in zip(
            labels, found[image_id], strict=True
        ):
            assert category_found == category
            assert box_found == pytest.approx(box, abs=1.5e-3)
