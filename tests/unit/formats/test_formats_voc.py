"""Pascal VOC as written by VOC itself and by tools: coordinates, facts of objects, pictures, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from label_folders import converted, picture, read, refused, voc_file, voc_object

from label_quality.formats import ConvertError, convert

BOXES = {
    "the whole picture": ((1, 1, 640, 480), "auto", [0, 0, 640, 480]),
    "a single pixel": ((5, 6, 5, 6), "auto", [4, 5, 1, 1]),
    "sub-pixel, as in VOC 2011": ((10.25, 20.5, 30.75, 40.125), "auto", [9.25, 19.5, 21.5, 20.625]),
    "it starts at 0, so it is not VOC's count": ((0, 0, 640, 480), "auto", [0, 0, 640, 480]),
    "0, and VOC's count all the same": ((0, 1, 640, 480), "1", [-1, 0, 641, 480]),
    "counted from 0": ((1, 1, 639, 479), "0", [1, 1, 638, 478]),
    "it leaves the picture: kept, for the audit to see": ((-9, 1, 700, 9), "1", [-10, 0, 710, 9]),
}


@pytest.mark.parametrize("case", BOXES)
def test_boxes(case: str, tmp_path: Path) -> None:
    box, origin, wanted = BOXES[case]
    voc_file(tmp_path / "voc", "a", voc_object(box))
    done, document = converted(tmp_path / "voc", tmp_path / "out", origin=origin)
    (label,) = document["annotations"]
    assert label["bbox"] == wanted
    assert label["area"] == pytest.approx(wanted[2] * wanted[3])
    assert done.refused is None
    assert bool(done.converted.notes) == (origin == "auto")


def test_the_facts_of_an_object_are_kept(tmp_path: Path) -> None:
    extra = (
        "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>1</occluded><area>x</area>"
        "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><part><name>hand</name></part>"
        "<attributes><attribute><name>colour</name><value>red</value></attribute></attributes>"
    )
    voc_file(tmp_path / "voc", "a", voc_object((1, 1, 10, 10), extra=extra))
    _, document = converted(tmp_path / "voc", tmp_path / "out")
    (label,) = document["annotations"]
    wanted = {
        "pose": "Left",
        "truncated": 1,
        "difficult": 0,
        "occluded": 1,
        "voc_area": "x",
        "part": [{"name": "head", "bndbox": {"xmin": "1"}}, {"name": "hand"}],
        "attributes": {"attribute": {"name": "colour", "value": "red"}},
    }
    assert {k: label[k] for k in wanted} == wanted
    assert label["area"] == 100


OBJECTS = {
    "no number": ((1, 1, "x", 9), "xmax is 'x', not a number"),
    "not a number": ((1, 1, "nan", 9), "not a finite number"),
    "infinite": ((1, 1, "1e999", 9), "not a finite number"),
    "huge": ((1, 1, 1e12, 9), "too large"),
    "turned round": ((9, 1, 1, 9), "xmax 1 is less than xmin 9"),
    "outside": ((700, 1, 710, 9), "lies outside the image of 640 × 480 pixels"),
    "an edge too few": ((1, 1, 9), "bndbox has no ymax"),
    "an empty edge": ((1, 1, 9, ""), "bndbox has no ymax"),
}


@pytest.mark.parametrize("case", OBJECTS)
def test_a_bad_object_is_refused_by_itself_with_its_line(case: str, tmp_path: Path) -> None:
    box, words = OBJECTS[case]
    voc_file(tmp_path / "voc", "a", voc_object((1, 1, 9, 9)), voc_object(box))
    done, document = converted(tmp_path / "voc", tmp_path / "out")
    assert len(document["annotations"]) == 1
    ((file, line, record, reason),) = refused(done)
    assert (file, line, record) == ("Annotations/a.xml", 6, "label")
    assert words in reason
    (row,) = csv.DictReader(done.refused.open())
    assert (row["file"], row["line"]) == ("Annotations/a.xml", "6")
    assert '"name": "cat"' in row["original"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<object><name>cat</name></object>", "no bndbox"),
        ("<object><bndbox><xmin>1</xmin></bndbox></object>", "object has no name"),
        ("<object/>", "object has no name"),
        ("<object><name>c</name><bndbox/><bndbox/></object>", "2 bndboxes"),
    ],
)
def test_an_object_without_what_it_needs(text: str, words: str, tmp_path: Path) -> None:
    voc_file(tmp_path / "voc", "a", text)
    done, document = converted(tmp_path / "voc", tmp_path / "out")
    assert document["annotations"] == []
    assert words in refused(done)[0][3]


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>\n'
THIEF = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>\n'
FILES = {
    "cut off": (b"<annotation><object>", 1, "no XML"),
    "empty": (b"", 1, "no XML"),
    "binary": (b"\x00\xff\xd8", 1, "no XML"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="klingon"?><annotation/>', 1, "no XML"),
    "something else": (b"<svg/>", 1, "the file is a <svg>"),
    "an entity bomb": (f"{BOMB}<annotation>&c;</annotation>".encode(), 1, "declares entities"),
    "an external entity": (f"{THIEF}<annotation>&b;</annotation>".encode(), 1, "declares entities"),
    "very deep": (b"<annotation>" + b"<a>" * 9999, 1, "nested deeper"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused_by_itself(case: str, tmp_path: Path) -> None:
    content, line, words = FILES[case]
    voc_file(tmp_path / "voc", "a", voc_object((1, 1, 9, 9)))
    (tmp_path / "voc" / "Annotations" / "b.xml").write_bytes(content)
    done, document = converted(tmp_path / "voc", tmp_path / "out")
    assert len(document["annotations"]) == 1
    ((file, where, record, reason),) = refused(done)
    assert (file, where, record) == ("Annotations/b.xml", line, "image")
    assert words in reason


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "C:\\a.jpg", "x/../../a.jpg"])
def test_a_file_name_that_leads_out_is_not_followed(name: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    voc_file(tmp_path / "voc", "a", voc_object((1, 1, 9, 9)), filename=name)
    done, document = converted(tmp_path / "voc", tmp_path / "out")
    assert document["images"] == document["annotations"] == []
    assert [r[2] for r in refused(done)] == ["image", "label"]
    assert all("is not followed" in r[3] for r in refused(done))


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    voc_file(tmp_path / "voc", "a", size=None, with_picture=False)
    picture(tmp_path / "outside.jpg")
    voc_file(tmp_path / "voc", "b")
    (tmp_path / "voc" / "JPEGImages" / "a.jpg").symlink_to(tmp_path / "outside.jpg")
    done, document = converted(tmp_path / "voc", tmp_path / "out")
    assert [i["file_name"] for i in document["images"]] == ["JPEGImages/b.jpg"]
    assert "there is no size" in refused(done)[0][3]


def test_where_pictures_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "voc"
    voc_file(folder, "named")
    voc_file(folder, "bare", filename="bare")  # without its suffix
    voc_file(folder, "absent", with_picture=False)
    voc_file(folder, "unsaid", filename="")
    voc_file(folder, "measured", size=None)
    picture(folder / "JPEGImages" / "spare.jpg")
    done, document = converted(folder, tmp_path / "out")
    names = {i["file_name"]: (i["width"], i["height"]) for i in document["images"]}
    stems = ("named", "bare", "absent", "unsaid", "measured")
    assert names == {f"JPEGImages/{stem}.jpg": (640, 480) for stem in stems}
    assert "pictures without an XML file, which are left out: 1" in done.converted.notes
    warned = read(done).ingest_warnings.to_pylist()
    assert [w["issue"] for w in warned] == ["file_missing"]


def test_the_size_is_that_of_the_picture_as_displayed(tmp_path: Path) -> None:
    voc_file(tmp_path / "voc", "a", voc_object((1, 1, 9, 400)), size=None, with_picture=False)
    turned = picture_exif()
    picture(tmp_path / "voc" / "JPEGImages" / "a.jpg", (400, 300), exif=turned)
    _, document = converted(tmp_path / "voc", tmp_path / "out")
    assert (document["images"][0]["width"], document["images"][0]["height"]) == (300, 400)


def picture_exif() -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


@pytest.mark.parametrize("size", [(0, 480), (-1, 480), ("", ""), ("640.5", 480), (10**12, 480)])
def test_a_senseless_size_is_taken_from_the_picture(size: tuple, tmp_path: Path) -> None:
    voc_file(tmp_path / "voc", "a", size=size, with_picture=False)
    picture(tmp_path / "voc" / "JPEGImages" / "a.jpg")
    _, document = converted(tmp_path / "voc", tmp_path / "out")
    assert (document["images"][0]["width"], document["images"][0]["height"]) == (640, 480)


def test_splits(tmp_path: Path) -> None:
    folder = tmp_path / "voc"
    for stem in "abc":
        voc_file(folder, stem)
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("a\nc\n")
    (lists / "cat_val.txt").write_text("b -1\n")
    _, document = converted(folder, tmp_path / "out", split="val")
    assert [i["file_name"] for i in document["images"]] == ["JPEGImages/a.jpg", "JPEGImages/c.jpg"]
    with pytest.raises(ConvertError, match="no XML annotation files"):
        convert(folder, tmp_path / "out", form="voc", split="test")


def test_pictures_of_one_name_in_several_folders(tmp_path: Path) -> None:
    for split, size in (("train", (10, 20)), ("valid", (30, 40))):
        (tmp_path / "voc" / split).mkdir(parents=True)
        picture(tmp_path / "voc" / split / "a.jpg", size)
        (tmp_path / "voc" / split / "a.xml").write_text(
            "<annotation><filename>a.jpg</filename></annotation>"
        )
    _, document = converted(tmp_path / "voc", tmp_path / "out")
    assert {i["file_name"]: i["width"] for i in document["images"]} == {
        "train/a.jpg": 10,
        "valid/a.jpg": 30,
    }
