"""Pictures: what a browser shows as it is, what is converted, and what has a placeholder."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from helpers.published import publish
from helpers.review_batch import document, predictions
from PIL import Image
from review_tools import client_of

_PIXELS = np.arange(150 * 200 * 3, dtype=np.uint32).reshape(150, 200, 3).astype(np.uint8)


def served(
    tmp_path: Path, write: Callable[[Path], None], name: str = "odd.jpg", **record: object
) -> TestClient:
    folder = tmp_path / "images"
    folder.mkdir()
    write(folder / name)
    made = document()
    made["images"][0] |= {"file_name": name, **record}
    publish(tmp_path / "root", made, predictions(), images=folder)
    return client_of(tmp_path / "root")


def saved(kind: str, mode: str = "RGB", **options: object) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(_PIXELS).convert(mode).save(path, kind, **options)


@pytest.mark.parametrize(
    ("kind", "mode", "media"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("PNG", "RGBA", "image/png"),
        ("GIF", "P", "image/gif"),
        ("WEBP", "RGB", "image/webp"),
        ("JPEG", "L", "image/jpeg"),
    ],
)
def test_what_a_browser_knows_goes_out_as_it_lies_there(
    tmp_path: Path, kind: str, mode: str, media: str
) -> None:
    client = served(tmp_path, saved(kind, mode))
    answer = client.get("/api/images/batch-1/1")
    assert answer.headers["content-type"] == media
    assert answer.content == (tmp_path / "images" / "odd.jpg").read_bytes()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("TIFF", "RGB"), ("BMP", "RGB"), ("JPEG", "CMYK"), ("PPM", "RGB"), ("PNG", "I;16")],
)
def test_what_a_browser_may_not_show_is_converted(tmp_path: Path, kind: str, mode: str) -> None:
    def write(path: Path) -> None:
        picture = (
            Image.fromarray(_PIXELS[..., 0].astype(np.uint16) * 256)
            if mode == "I;16"
            else Image.fromarray(_PIXELS).convert(mode)
        )
        picture.save(path, kind)

    answer = served(tmp_path, write).get("/api/images/batch-1/1")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (200, 150)


def test_a_picture_is_turned_as_its_labels_see_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    client = served(tmp_path, saved("JPEG", exif=exif), exif_orientation=6, width=150, height=200)
    shown = Image.open(io.BytesIO(client.get("/api/images/batch-1/1").content))
    assert shown.size == (150, 200)
    assert not shown.getexif().get(0x0112)


def _header_of_a_huge_png(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(65 << 20)


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda p: None, "the file is not there"),
        (lambda p: p.write_bytes(b""), "the picture cannot be read"),
        (
            lambda p: p.write_bytes(
                b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
            ),
            "the picture cannot be read",
        ),
        (lambda p: p.write_bytes(b"<html><script>alert(1)</script>"), "the picture cannot be read"),
        (lambda p: p.mkdir(), "this is not a file"),
        (os.mkfifo, "this is not a file"),
        (_header_of_a_huge_png, "the picture is too large"),
        (_sparse, "the file is too large"),
    ],
)
@pytest.mark.parametrize("kind", ["images", "thumbnails"])
def test_what_cannot_be_shown_has_a_placeholder_that_says_why(
    tmp_path: Path, write: Callable[[Path], None], why: str, kind: str
) -> None:
    answer = served(tmp_path, write).get(f"/api/{kind}/batch-1/1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["x-placeholder"].startswith(why)
    assert "script" not in answer.text
    assert 'viewBox="0 0 200 150"' in answer.text


def test_a_picture_cut_off_half_way_is_still_answered(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        saved("JPEG")(path)
        path.write_bytes(path.read_bytes()[:2000])

    client = served(tmp_path, write)
    assert client.get("/api/images/batch-1/1").status_code == 200
    assert (
        client.get("/api/thumbnails/batch-1/1").headers["x-placeholder"]
        == "the picture cannot be read"
    )


def test_a_batch_without_images_says_so(tmp_path: Path) -> None:
    publish(tmp_path, document(), predictions())
    answer = client_of(tmp_path).get("/api/images/batch-1/1")
    assert answer.headers["x-placeholder"] == "this batch came without images"


@pytest.mark.parametrize(
    ("side", "expected"), [(64, (64, 48)), (1, (32, 24)), (100_000, (200, 150))]
)
def test_thumbnails_keep_the_shape(
    client: TestClient, side: int, expected: tuple[int, int]
) -> None:
    answer = client.get(f"/api/thumbnails/batch-1/2?side={side}")
    assert Image.open(io.BytesIO(answer.content)).size == expected
