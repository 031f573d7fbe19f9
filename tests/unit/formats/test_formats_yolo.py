"""YOLO folders of several tools: boxes, polygons, keypoints, class names, layouts, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_folders import converted, picture, refused, yolo_folder

from label_quality.formats import ConvertError, convert


def test_boxes_and_polygons(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.25 0.5\n\n1 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\r\n1 0.5 0.5 0.1 0.1 0.875\n"
    folder = yolo_folder(tmp_path / "yolo", {"a": text, "b": "", "c": None})
    done, document = converted(folder, tmp_path / "out")
    box, polygon, scored = document["annotations"]
    assert (box["bbox"], box["area"], box["category_id"]) == ([240, 120, 160, 240], 38400, 1)
    assert "segmentation" not in box
    assert polygon["segmentation"] == [[64, 48, 128, 48, 128, 96, 64, 96]]
    assert (polygon["bbox"], polygon["area"]) == ([64, 48, 64, 48], 3072)
    assert scored["confidence"] == 0.875
    assert document["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert [i["file_name"] for i in document["images"]] == [f"images/{s}.jpg" for s in "abc"]
    assert done.converted.notes == [
        "pictures without a label file, which count as showing nothing: 1"
    ]


def test_a_class_is_no_share(tmp_path: Path) -> None:
    names = f"names: {[f'c{k}' for k in range(80)]}\n"
    folder = yolo_folder(tmp_path / "yolo", {"a": "79 0.5 0.5 0.1 0.1\n7.0 0.5 0.5 0.1 0.1"}, names)
    _, document = converted(folder, tmp_path / "out")
    assert [a["category_id"] for a in document["annotations"]] == [80, 8]


LINES = {
    "no number": ("0 0.5 x 0.1 0.1", "not a finite number"),
    "not a number": ("0 0.5 nan 0.1 0.1", "not a finite number"),
    "infinite": ("0 0.5 inf 0.1 0.1", "not a finite number"),
    "too few values": ("0 0.5 0.5 0.1", "neither a class with a box nor"),
    "a class alone": ("0", "neither a class with a box nor"),
    "half a point": ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "neither a class with a box nor"),
    "pixels": ("0 320 240 100 100", "labels of YOLO are normalised"),
    "flat": ("0 0.5 0.5 0 0.1", "the box is 0 × 48 pixels"),
    "a flat polygon": ("0 0.1 0.1 0.2 0.1 0.3 0.1", "the box is 128 × 0 pixels"),
    "negative sides": ("0 0.5 0.5 -0.1 0.1", "the box is -64 × 48 pixels"),
    "outside": ("0 1.5 0.5 0.1 0.1", "lies outside the image"),
    "a class too many": ("2 0.5 0.5 0.1 0.1", "none of the 2 in data.yaml"),
    "half a class": ("0.5 0.5 0.5 0.1 0.1", "not a whole number"),
    "a negative class": ("-1 0.5 0.5 0.1 0.1", "not a whole number"),
    "a class by name": ("cat 0.5 0.5 0.1 0.1", "not a finite number"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_bad_line_is_refused_by_itself(case: str, tmp_path: Path) -> None:
    line, words = LINES[case]
    good = "1 0.5 0.5 0.1 0.1"
    folder = yolo_folder(tmp_path / "yolo", {"a": f"{good}\n{line}\n{good}\n", "b": good})
    done, document = converted(folder, tmp_path / "out")
    assert [a["bbox"] for a in document["annotations"]] == [[288, 216, 64, 48]] * 3
    ((file, number, record, reason),) = refused(done)
    assert (file, number, record) == ("labels/a.txt", 2, "label")
    assert words in reason
    assert done.converted.refused[0].original == line


def test_labels_that_leave_the_picture_are_kept_for_the_audit(tmp_path: Path) -> None:
    text = "0 1.0000001 0.5 0.1 0.1\n0 -0.05 0.1 0.2 0.1 0.2 0.2\n"
    _, document = converted(yolo_folder(tmp_path / "yolo", {"a": text}), tmp_path / "out")
    assert [a["bbox"][0] for a in document["annotations"]] == [608.000064, -32]


def test_a_picture_that_cannot_be_read_is_refused_with_its_labels(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": "0 0.5 0.5 0.1 0.1", "b": "0 0.5 0.5 0.1 0.1"})
    (folder / "images" / "a.jpg").write_bytes(b"no picture")
    done, document = converted(folder, tmp_path / "out")
    assert [i["id"] for i in document["images"]] == [2]
    assert [a["image_id"] for a in document["annotations"]] == [2]
    assert [r[:3] for r in refused(done)] == [
        ("images/a.jpg", None, "image"),
        ("labels/a.txt", 1, "label"),
    ]
    assert str(tmp_path) not in refused(done)[0][3]


def test_a_label_file_without_a_picture(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": "0 0.5 0.5 0.1 0.1"})
    (folder / "labels" / "z.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    done, _ = converted(folder, tmp_path / "out")
    assert refused(done) == [
        ("labels/z.txt", 1, "label", "there is no image for it: no picture of this name")
    ]


def test_a_label_file_that_is_no_text(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": "", "b": "0 0.5 0.5 0.1 0.1"})
    (folder / "labels" / "a.txt").write_bytes(b"\xff\xfe0")
    done, document = converted(folder, tmp_path / "out")
    assert len(document["annotations"]) == 1
    assert refused(done) == [("labels/a.txt", None, "label", "the file is not UTF-8 text")]


def test_a_link_that_leads_out_is_not_read(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": None, "b": "0 0.5 0.5 0.1 0.1"})
    (tmp_path / "secret.txt").write_text("0 0.5 0.5 0.1 0.1")
    (folder / "labels" / "a.txt").symlink_to(tmp_path / "secret.txt")
    _, document = converted(folder, tmp_path / "out")
    assert len(document["annotations"]) == 1


CLASSES = {
    "a list": ("data.yaml", "names:\n- cat\n- dog\n", ["cat", "dog"]),
    "a mapping": ("data.yaml", "names:\n  0: cat\n  1: dog\n", ["cat", "dog"]),
    "a mapping of texts": ("data.yaml", "names:\n  '0': cat\n  '1': dog\n", ["cat", "dog"]),
    "a mapping with a gap": ("data.yaml", "names: {1: dog}\n", ["class 0", "dog"]),
    "numbers as names": ("data.yaml", "names: [1, 2]\n", ["1", "2"]),
    "classes.txt": ("classes.txt", "cat\ndog\n", ["cat", "dog"]),
    "obj.names": ("obj.names", "cat\r\ndog\r\n", ["cat", "dog"]),
    "among the labels": ("labels/classes.txt", "cat\ndog\n", ["cat", "dog"]),
    "none": ("readme.md", "", ["class 0", "class 1"]),
}


@pytest.mark.parametrize("case", CLASSES)
def test_the_names_of_classes(case: str, tmp_path: Path) -> None:
    file, text, wanted = CLASSES[case]
    folder = yolo_folder(tmp_path / "yolo", {"a": "1 0.5 0.5 0.1 0.1"}, names=None)
    (folder / file).write_text(text)
    done, document = converted(folder, tmp_path / "out")
    assert [c["name"] for c in document["categories"]] == wanted
    assert [a["category_id"] for a in document["annotations"]] == [2]
    assert bool(done.converted.notes) == (case == "none")


# Some lines that are a billion times "lol" once they are written out.
BOMB = "a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol,lol]\n" + "".join(
    f"{one}: &{one} [{','.join([f'*{before}'] * 10)}]\n"
    for before, one in zip("abcdefgh", "bcdefghz", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [a\n", "cannot be read"),
        ("- a\n", "it is no mapping"),
        ("names: 3\n", "neither a list nor a mapping"),
        ("names: {a: b}\n", "neither a list nor a mapping"),
        ("names: {1000000000: b}\n", "neither a list nor a mapping"),
        ("names: [a]\nkpt_shape: 17\n", "kpt_shape is not"),
        (f"{BOMB}names: *z\n", "neither a list nor a mapping"),
        (f"{BOMB}names: [a]\nkpt_shape: *z\n", "kpt_shape is not"),
        ("names: !!python/object/apply:os.system [ls]\n", "cannot be read"),
    ],
)
def test_a_bad_data_yaml(text: str, words: str, tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": ""}, names=text)
    with pytest.raises(ConvertError, match=words) as raised:
        convert(folder, tmp_path / "out")
    assert "\n" not in str(raised.value)


def test_keypoints(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.5 0.5 0.1 0.1 2 0.2 0.2 0\n0 0.5 0.5 0.5 0.5 0.1 0.1 2\n"
    names = "names: [person]\nkpt_shape: [2, 3]\n"
    done, document = converted(yolo_folder(tmp_path / "yolo", {"a": text}, names), tmp_path / "out")
    (label,) = document["annotations"]
    assert label["bbox"] == [160, 120, 320, 240]
    assert label["keypoints"] == [64, 48, 2, 128, 96, 0]
    assert label["num_keypoints"] == 1
    assert "does not have 11 values" in refused(done)[0][3]


def test_labels_beside_their_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "darknet"
    picture(folder / "obj_train_data" / "a.jpg")
    picture(folder / "obj_train_data" / "b.jpg")
    (folder / "obj_train_data" / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "obj.names").write_text("cat\n")
    (folder / "train.txt").write_text("data/obj_train_data/a.jpg\n")
    done, document = converted(folder, tmp_path / "out")
    assert (len(document["images"]), len(document["annotations"])) == (2, 1)
    assert done.refused is None
    _, document = converted(folder, tmp_path / "out", split="train")
    assert [i["file_name"] for i in document["images"]] == ["obj_train_data/a.jpg"]


SPLITS = {
    "folders below images": ("images/{split}/a.jpg", "labels/{split}/a.txt", ""),
    "said in data.yaml": ("images/{split}/a.jpg", "labels/{split}/a.txt", "val: images/val\n"),
    "with a path": (
        "coco8/images/{split}/a.jpg",
        "coco8/labels/{split}/a.txt",
        "path: coco8\nval: images/val\n",
    ),
    "as Roboflow writes it": (
        "{split}/images/a.jpg",
        "{split}/labels/a.txt",
        "val: ../val/images\n",
    ),
}


@pytest.mark.parametrize("case", SPLITS)
def test_splits(case: str, tmp_path: Path) -> None:
    image, label, said = SPLITS[case]
    folder = tmp_path / "yolo"
    for split in ("train", "val"):
        picture(folder / image.format(split=split))
        path = folder / label.format(split=split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "data.yaml").write_text(f"{said}names: [cat]\n")
    _, document = converted(folder, tmp_path / "out")
    assert (len(document["images"]), len(document["annotations"])) == (2, 2)
    done, document = converted(folder, tmp_path / "out", split="val")
    assert [i["file_name"] for i in document["images"]] == [image.format(split="val")]
    assert len(document["annotations"]) == 1
    assert done.refused is None
    with pytest.raises(ConvertError, match="no pictures"):
        convert(folder, tmp_path / "out", split="test")
