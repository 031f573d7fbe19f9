from __future__ import annotations

import os
from pathlib import Path

import pytest
from coco_documents import Document, read
from PIL import Image

from label_quality.coco.image_files import read_header, unsafe_name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    picture = Image.new("RGB", (100, 80))
    picture.save(folder / "a.png")
    picture.save(folder / "sub" / "b.jpg")
    picture.save(folder / "c.webp")
    picture.save(folder / "d.tif")
    picture.save(tmp_path / "outside.png")
    for orientation in (1, 3, 6, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(folder / f"turned{orientation}.jpg", exif=exif)
    exif[0x0112] = 8
    for suffix in ("png", "webp", "tif"):
        picture.save(folder / f"turned.{suffix}", exif=exif)
    (folder / "text.png").write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:20])
    whole = (folder / "sub" / "b.jpg").read_bytes()
    (folder / "late.jpg").write_bytes(whole[: len(whole) - 100])
    (folder / "empty.jpg").touch()
    (folder / "folder.png").mkdir()
    return folder


def states(root: Path | None, names: list[str], width: int = 100, height: int = 80):
    document = Document(
        images=[
            {"id": k, "file_name": name, "width": width, "height": height}
            for k, name in enumerate(names)
        ]
    )
    return read(document, images=root)


@pytest.mark.parametrize(
    ("name", "state", "size", "orientation"),
    [
        ("a.png", "ok", (100, 80), None),
        ("sub/b.jpg", "ok", (100, 80), None),
        ("./sub/b.jpg", "ok", (100, 80), None),
        ("c.webp", "ok", (100, 80), None),
        ("d.tif", "ok", (100, 80), None),
        ("turned1.jpg", "ok", (100, 80), 1),
        ("turned3.jpg", "ok", (100, 80), 3),
        ("turned9.jpg", "ok", (100, 80), None),
        ("late.jpg", "ok", (100, 80), None),  # cut off behind its header: found where pixels are decoded
        ("turned6.jpg", "size_differs", (80, 100), 6),
        ("turned.png", "size_differs", (80, 100), 8),
        ("turned.webp", "size_differs", (80, 100), 8),
        ("turned.tif", "size_differs", (80, 100), 8),
        ("no.png", "missing", (None, None), None),
        ("a.png/b.png", "missing", (None, None), None),
        ("text.png", "unreadable", (None, None), None),
        ("cut.png", "unreadable", (None, None), None),
        ("empty.jpg", "unreadable", (None, None), None),
        ("folder.png", "unreadable", (None, None), None),
        ("sub", "unreadable", (None, None), None),
        ("x" * 300 + ".png", "unreadable", (None, None), None),
        ("../outside.png", "unsafe_name", (None, None), None),
        ("sub/../../outside.png", "unsafe_name", (None, None), None),
        ("..\\outside.png", "unsafe_name", (None, None), None),
        ("sub\\..\\a.png", "unsafe_name", (None, None), None),
        ("/etc/passwd", "unsafe_name", (None, None), None),
        ("\\\\host\\share\\a.png", "unsafe_name", (None, None), None),
        ("C:\\a.png", "unsafe_name", (None, None), None),
        ("c:a.png", "unsafe_name", (None, None), None),
        ("a.png\0.jpg", "unsafe_name", (None, None), None),
    ],
)  # fmt: skip
def test_state_of_a_file(root, name, state, size, orientation):
    found = states(root, [name])
    row = found.rows("images")[0]
    assert (row["file_state"], row["file_width"], row["file_height"]) == (state, *size)
    assert row["exif_orientation"] == orientation
    assert found.labels.images_checked
    issues = {
        "missing": "file_missing",
        "unreadable": "file_unreadable",
        "unsafe_name": "unsafe_file_name",
    }
    assert found.issues() == ([] if state == "ok" else [("image", 0, issues.get(state, state))])
    for row in found.rows("ingest_warnings"):
        assert str(root) not in row["detail"]


def test_a_picture_that_exif_turns_has_the_size_that_is_shown(root):
    names = ["turned6.jpg", "turned.png", "turned.webp", "turned.tif"]
    found = states(root, names, width=80, height=100)
    assert {r["file_state"] for r in found.rows("images")} == {"ok"}
    detail = states(root, names[:1]).rows("ingest_warnings")[0]["detail"]
    assert "80 × 100 pixels, the annotation file says 100 × 80" in detail
    assert "only the size as stored agrees, before EXIF orientation 6 turns the picture" in detail
    detail = states(root, names[:1], width=7).rows("ingest_warnings")[0]["detail"]
    assert "as stored" not in detail


@pytest.mark.skipif(os.name != "posix", reason="symbolic links and pipes as POSIX has them")
def test_links_and_pipes(root):
    (root / "inside.png").symlink_to(root / "a.png")
    (root / "out.png").symlink_to(root.parent / "outside.png")
    (root / "up").symlink_to(root.parent)
    (root / "gone.png").symlink_to(root / "nothing.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    os.mkfifo(root / "pipe.png")  # opening it would wait for ever
    names = ["inside.png", "out.png", "up/outside.png", "gone.png", "loop.png", "pipe.png"]
    found = [r["file_state"] for r in states(root, names).rows("images")]
    assert found == ["ok", "unsafe_name", "unsafe_name", "missing", "unreadable", "unreadable"]
    linked = root.parent / "linked"
    linked.symlink_to(root)
    assert states(linked, ["a.png"]).rows("images")[0]["file_state"] == "ok"


def test_an_unsafe_name_is_never_opened(root, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "label_quality.coco.image_files.read_header",
        lambda path: opened.append(path) or (100, 80, None),
    )
    (root / "out.png").symlink_to(root.parent / "outside.png")
    states(root, ["../outside.png", "out.png", "/etc/passwd", "a.png"])
    assert opened == [str(root / "a.png")]


def test_no_pixel_is_decoded(root, monkeypatch):
    def load(self):
        raise AssertionError("pixels were decoded")

    for image in (
        Image.Image,
        Image.open(root / "a.png").__class__,
        Image.open(root / "c.webp").__class__,
    ):
        monkeypatch.setattr(image, "load", load)
    for name in ("a.png", "turned.png", "turned6.jpg", "c.webp", "turned.webp", "turned.tif"):
        assert read_header(str(root / name))[:2] == (100, 80)


def test_without_images_nothing_is_checked():
    found = states(None, ["../a.png"])
    row = found.rows("images")[0]
    assert (row["file_state"], row["file_width"], row["exif_orientation"]) == (
        "not_checked",
        None,
        None,
    )
    assert not found.labels.images_checked


def test_a_root_that_is_not_there(tmp_path):
    assert states(tmp_path / "no", ["a.png"]).rows("images")[0]["file_state"] == "missing"


@pytest.mark.parametrize("name", ["a.png", "sub/a.png", "a..b.png", "...", "ab:c.png", "ab\\c.png"])
def test_names_that_are_safe(name):
    assert unsafe_name(name) is None
