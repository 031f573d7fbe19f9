"""Compares image records with the headers of their files. No pixel is decoded here.

No file outside the image root is ever opened, whatever a file name says.
"""

from __future__ import annotations

import os
import re
import stat
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

_ORIENTATION = 0x0112
_DRIVE = re.compile(r"[A-Za-z]:")
_BATCH = 512


@dataclass(frozen=True)
class FileCheck:
    """What the header of one image file says; sizes in pixels as displayed, None where it was not read."""

    state: str
    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    detail: str | None = None


def check_files(
    root: Path, names: Sequence[str], widths: Sequence[int], heights: Sequence[int], threads: int
) -> list[FileCheck]:
    """Checks each image file against the size that the annotation file gives, in `threads` threads."""
    real_root = os.path.realpath(root)
    records = list(zip(names, widths, heights, strict=True))
    batches = [records[k : k + _BATCH] for k in range(0, len(records), _BATCH)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # nothing is decompressed
        with ThreadPoolExecutor(threads) as pool:
            done = pool.map(lambda batch: [_check(real_root, *record) for record in batch], batches)
            return [one for batch in done for one in batch]


def unsafe_name(name: str) -> str | None:
    """Why a file name may lead out of the image root, or None if it cannot (symbolic links apart)."""
    if "\0" in name:
        return "it holds a zero character"
    if name.startswith(("/", "\\")):
        return "it starts at the root of the file system"
    if _DRIVE.match(name):
        return "it names a drive"
    if ".." in re.split(r"[/\\]", name):
        return "it leads to a parent folder"
    return None


def locate(root: str, name: str) -> tuple[str, str | None]:
    """The real path of a file below `root`, itself a real path, and why it may not be opened (None: it may)."""
    why = unsafe_name(name)
    path = root if why else os.path.realpath(f"{root}{os.sep}{name}")
    if why is None and os.path.commonpath([root, path]) != root:
        why = "a link leads out of the image folder"
    return path, why


def _check(root: str, name: str, width: int, height: int) -> FileCheck:
    path, why = locate(root, name)
    if why:
        return FileCheck("unsafe_name", detail=f"the file name {name!r} is not followed: {why}")
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return FileCheck("unreadable", detail=f"{name!r} is not a file")
        return _compare(*read_header(path), width, height)
    except (FileNotFoundError, NotADirectoryError):
        return FileCheck("missing", detail=f"there is no file {name!r}")
    except (
        Exception
    ) as error:  # Pillow's plugins raise whatever their format makes them stumble over
        why = _short(error, path, name)
        return FileCheck("unreadable", detail=f"the header of {name!r} cannot be read: {why}")


def _compare(
    file_width: int, file_height: int, orientation: int | None, width: int, height: int
) -> FileCheck:
    shown = (file_height, file_width) if (orientation or 1) >= 5 else (file_width, file_height)
    if shown == (width, height):
        return FileCheck("ok", *shown, orientation)
    detail = (
        f"the file is {shown[0]} × {shown[1]} pixels, the annotation file says {width} × {height}"
    )
    if (file_width, file_height) == (width, height):
        detail += f"; only the size as stored agrees, before EXIF orientation {orientation} turns the picture"
    return FileCheck("size_differs", *shown, orientation, detail)


def _short(error: Exception, path: str, name: str) -> str:
    text = str(error).replace(path, name).splitlines()
    return text[0] if text else type(error).__name__


def read_header(path: str) -> tuple[int, int, int | None]:
    """Stored width and height in pixels, and EXIF orientation 1 to 8 (None if absent or senseless).

    Raises whatever Pillow raises for a file that it does not know.
    """
    with Image.open(path) as image:
        if image.format == "TIFF":  # Pillow turns the size of a TIFF itself
            tags = image.tag_v2  # type: ignore[attr-defined]
            return int(tags[256]), int(tags[257]), _orientation(tags.get(_ORIENTATION))
        # Image.getexif() would decode a whole PNG to look behind its pixels; the header's own block is enough.
        block = image.info.get("exif")
        width, height = image.size
        if not block:
            return width, height, None
        exif = Image.Exif()
        try:
            exif.load(block)
            return width, height, _orientation(exif.get(_ORIENTATION))
        except Exception:  # a broken EXIF block does not make the picture unreadable
            return width, height, None


def _orientation(value: object) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= 8 else None
