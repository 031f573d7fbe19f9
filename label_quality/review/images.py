"""The image endpoint: pictures that the database knows, by batch and id, or a placeholder that says why there is none.

No name of a file comes in from outside. What a browser shows as it is goes out as it lies there; the rest is made a JPEG.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

from fastapi import APIRouter
from PIL import Image
from starlette.responses import Response

from label_quality.coco.image_files import locate
from label_quality.metrics.picture import UnreadablePicture, decode
from label_quality.pictures import jpeg
from label_quality.review.answers import Database, ImageId, Refused
from label_quality.review.database import Published, Row
from label_quality.store import StoreError

router = APIRouter()

MOST_PIXELS = 80_000_000
MOST_BYTES = 64 << 20
_AS_IT_IS = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_PLAIN_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "YCbCr"}
_THUMBNAILS = 512  # kept in memory, about 10 KB each
_KEEP = {"cache-control": "private, max-age=600"}


class _NoPicture(Exception):
    """Why there is no picture; shown in its place."""


@router.get("/api/images/{batch}/{image_id}")
def image(batch: str, image_id: ImageId, db: Database) -> Response:
    """The picture as labels see it: turned by its EXIF orientation."""
    row = image_row(db, batch, image_id)
    try:
        data, orientation = _read(db, row)
        kind = _checked(data)
        if kind is not None and (orientation or 1) == 1:
            return Response(data, media_type=kind, headers=_KEEP)
        return Response(_converted(data, orientation), media_type="image/jpeg", headers=_KEEP)
    except _NoPicture as why:
        return placeholder(row["width"], row["height"], str(why))


@router.get("/api/thumbnails/{batch}/{image_id}")
def thumbnail(batch: str, image_id: ImageId, db: Database, side: int = 256) -> Response:
    """The picture as a JPEG whose longer side is at most `side` pixels, 32 to 1024."""
    row = image_row(db, batch, image_id)
    try:
        path = _path(db, row)
        made = _thumbnail(
            path, path.stat().st_mtime_ns, row["exif_orientation"], min(max(side, 32), 1024)
        )
        return Response(made, media_type="image/jpeg", headers=_KEEP)
    except OSError:
        return placeholder(row["width"], row["height"], "the file is not there")
    except _NoPicture as why:
        return placeholder(row["width"], row["height"], str(why))


def image_row(db: Published, batch: str, image_id: int) -> Row:
    """The row of ``images``; Refused where there is none."""
    with db.view() as view:
        row = view.row("select * from images where batch = ? and image_id = ?", [batch, image_id])
    if row is None:
        raise Refused("there is no such image", 404)
    return row


def placeholder(width: int, height: int, why: str) -> Response:
    """A picture in place of one that cannot be shown, of the same shape."""
    width, height = min(max(width, 1), 100_000), min(max(height, 1), 100_000)
    size = max(min(width, height) / 16, 1)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect width="100%" height="100%" fill="#8884"/>'
        f'<text x="50%" y="50%" font-family="sans-serif" font-size="{size:.1f}" text-anchor="middle" fill="#888">'
        f"{escape(why)}</text></svg>"
    )
    headers = {
        "x-placeholder": why.encode("ascii", "replace").decode(),
        "cache-control": "no-store",
    }
    return Response(svg, media_type="image/svg+xml", headers=headers)


def _path(db: Published, row: Row) -> Path:
    try:
        folder = db.store.delivery(row["batch"]).images
    except StoreError:
        folder = None
    if folder is None:
        raise _NoPicture("this batch came without images")
    path, why = locate(os.path.realpath(folder), row["file_name"])
    if why:
        raise _NoPicture("the name of the file is not followed")
    return Path(path)


def _read(db: Published, row: Row) -> tuple[bytes, int | None]:
    """The bytes of the file, and the EXIF orientation in which the labels see it."""
    path = _path(db, row)
    return _bytes(path), row["exif_orientation"]


def _bytes(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise _NoPicture("this is not a file")
        if found.st_size > MOST_BYTES:
            raise _NoPicture(f"the file is too large: {found.st_size >> 20} MB")
        return path.read_bytes()
    except OSError:
        raise _NoPicture("the file is not there") from None


def _checked(data: bytes) -> str | None:
    """The media type of what a browser shows as it is, None for what has to be converted; _NoPicture for neither."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as opened:
                width, height = opened.size
                kind, mode = opened.format or "", opened.mode
    except Image.DecompressionBombError:
        raise _NoPicture("the picture is too large") from None
    except Exception:  # Pillow's plugins raise whatever makes them stumble
        raise _NoPicture("the picture cannot be read") from None
    if width * height > MOST_PIXELS:
        raise _NoPicture(f"the picture is too large: {width} × {height}")
    return _AS_IT_IS.get(kind) if mode in _PLAIN_MODES else None


def _converted(data: bytes, orientation: int | None, side: int | None = None) -> bytes:
    try:
        picture = decode(data, orientation).image.convert("RGB")
    except UnreadablePicture:
        raise _NoPicture("the picture cannot be read") from None
    if side is not None:
        picture.thumbnail((side, side))
    return jpeg(picture, 80 if side else 92)


@lru_cache(_THUMBNAILS)
def _thumbnail(path: Path, changed: int, orientation: int | None, side: int) -> bytes:
    """`changed`, the time of the file's last change, tells versions of a file apart."""
    data = _bytes(path)
    _checked(data)
    return _converted(data, orientation, side)
