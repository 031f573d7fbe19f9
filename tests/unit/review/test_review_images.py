"""Pictures: what a browser shows as it is, what is converted, and what has a placeholder."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from helpers.published import publish
from helpers.review_batch import document, predictions
from PIL import Image
from review_tools import client_of

Write = Callable[[Path], Any]
_PIXELS = np.arange(150 * 200 * 3, dtype=np.uint32).reshape(150, 200, 3).astype(np.uint8)


def _saved(kind: str, mode: str = "RGB", **options: object) -> Write:
    return lambda path: Image.fromarray(_PIXELS).convert(mode).save(path, kind, **options)


def _sixteen_bits(path: Path) -> None:
    Image.fromarray(_PIXELS[..., 0].astype(np.uint16) * 256).save(path, "PNG")


def _turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    _saved("JPEG", exif=exif)(path)


def _cut_off(path: Path) -> None:
    _saved("JPEG")(path)
    path.write_bytes(path.read_bytes()[:2000])


def _header_of_a_huge_png(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(65 << 20)


AS_IT_IS: dict[str, tuple[Write, str]] = {
    "jpeg": (_saved("JPEG"), "image/jpeg"),
    "grey jpeg": (_saved("JPEG", "L"), "image/jpeg"),
    "transparent png": (_saved("PNG", "RGBA"), "image/png"),
    "gif": (_saved("GIF", "P"), "image/gif"),
    "webp": (_saved("WEBP"), "image/webp"),
}
CONVERTED: dict[str, Write] = {
    "tiff": _saved("TIFF"),
    "bmp": _saved("BMP"),
    "cmyk jpeg": _saved("JPEG", "CMYK"),
    "ppm": _saved("PPM"),
    "16 bits": _sixteen_bits,
}
BROKEN: dict[str, tuple[Write, str]] = {
    "absent": (lambda _: None, "the file is not there"),
    "empty": (lambda p: p.write_bytes(b""), "the picture cannot be read"),
    "svg": (lambda p: p.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"), "the picture cannot be read"),
    "html": (lambda p: p.write_bytes(b"<html><script>alert(1)</script>"), "the picture cannot be read"),
    "folder": (lambda p: p.mkdir(), "this is not a file"),
    "pipe": (os.mkfifo, "this is not a file"),
    "huge": (_header_of_a_huge_png, "the picture is too large"),
    "heavy": (_sparse, "the file is too large"),
}  # fmt: skip
_OTHERS: dict[str, Write] = {"turned": _turned, "cut off": _cut_off}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each kind, under the name of its kind."""
    made = tmp_path_factory.mktemp("pictures")
    for name, write in _writers().items():
        write(made / name)
    return made


def _writers() -> dict[str, Write]:
    named = {k: w for k, (w, _) in (AS_IT_IS | BROKEN).items()}
    return named | CONVERTED | _OTHERS


@pytest.fixture(scope="module")
def get(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Asks for the picture of a kind: get(kind, "images" or "thumbnails")."""
    root = tmp_path_factory.mktemp("odd")
    made = document()
    ids = {name: 100 + k for k, name in enumerate(_writers())}
    made["images"] += [
        {"id": i, "file_name": n, "width": 200, "height": 150} for n, i in ids.items()
    ]
    made["images"][-2] |= {"exif_orientation": 6, "width": 150, "height": 200}
    publish(root, made, predictions(), images=folder)
    client = client_of(root)
    return lambda name, kind="images": client.get(f"/api/{kind}/batch-1/{ids[name]}")


@pytest.mark.parametrize("name", AS_IT_IS)
def test_what_a_browser_knows_goes_out_as_it_lies_there(get: Any, folder: Path, name: str) -> None:
    answer = get(name)
    assert answer.headers["content-type"] == AS_IT_IS[name][1]
    assert answer.content == (folder / name).read_bytes()


@pytest.mark.parametrize("name", CONVERTED)
def test_what_a_browser_may_not_show_is_converted(get: Any, name: str) -> None:
    answer = get(name)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (200, 150)


def test_a_picture_is_turned_as_its_labels_see_it(get: Any) -> None:
    shown = Image.open(io.BytesIO(get("turned").content))
    assert shown.size == (150, 200)
    assert not shown.getexif().get(0x0112)


@pytest.mark.parametrize("kind", ["images", "thumbnails"])
@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_shown_has_a_placeholder_that_says_why(
    get: Any, name: str, kind: str
) -> None:
    answer = get(name, kind)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["x-placeholder"].startswith(BROKEN[name][1])
    assert "script" not in answer.text
    assert 'viewBox="0 0 200 150"' in answer.text


def test_a_picture_cut_off_half_way_is_still_answered(get: Any) -> None:
    assert get("cut off").status_code == 200
    assert get("cut off", "thumbnails").headers["x-placeholder"] == "the picture cannot be read"


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
