"""The files of a folder that is converted. Whatever the data says, nothing outside of the folder is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from label_quality.coco.image_files import read_header, unsafe_name
from label_quality.formats.records import ConvertError

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
MAX_TEXT = 64 << 20  # bytes of one label file; a picture with a million labels stays below
_THREADS = 8


def files_below(folder: Path) -> list[str]:
    """All files, relative to `folder` with forward slashes, sorted. Hidden ones and links that lead out are left out.

    Raises ConvertError for a name that is not UTF-8, which JSON cannot hold.
    """
    names = sorted(_walk(folder, os.path.realpath(folder)))
    odd = next((name for name in names if not name.isascii() and not _is_utf8(name)), None)
    if odd is not None:
        raise ConvertError(f"the name of the file {odd!r} is not UTF-8: rename it")
    return names


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _walk(folder: Path, root: str) -> Iterator[str]:
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(directory, name)
            if name.startswith("."):
                continue
            if path.is_symlink() and not _inside(path, root):
                continue
            yield path.relative_to(folder).as_posix()


def _inside(path: Path, root: str) -> bool:
    return os.path.commonpath([root, os.path.realpath(path)]) == root


def is_picture(name: str) -> bool:
    """Whether the file's name is that of a picture."""
    return PurePosixPath(name).suffix.lower() in PICTURES


def read_text(folder: Path, name: str) -> str:
    """A text file below `folder`, UTF-8. Raises ConvertError with a reason that does not name the file."""
    try:
        return read_bytes(folder, name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConvertError("the file is not UTF-8 text") from error


def read_bytes(folder: Path, name: str) -> bytes:
    """A file below `folder`. Raises ConvertError with a reason that does not name the file."""
    why = unsafe_name(name)
    path = folder / name
    if why is None and not _inside(path, os.path.realpath(folder)):
        why = "a link leads out of the folder"
    if why:
        raise ConvertError(f"the name is not followed: {why}")
    try:
        if path.stat().st_size > MAX_TEXT:
            raise ConvertError(f"the file is larger than {MAX_TEXT >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise ConvertError(f"the file cannot be read: {error.strerror}") from error


def sizes(folder: Path, names: Sequence[str]) -> list[tuple[int, int] | str]:
    """Width and height in px of each picture as displayed (EXIF orientation applied), or why its header cannot be read."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda name: _size(folder / name), names, chunksize=64))


def _size(path: Path) -> tuple[int, int] | str:
    try:
        width, height, orientation = read_header(str(path))
    except (
        Exception
    ) as error:  # Pillow's plugins raise whatever their format makes them stumble over
        text = str(error).replace(str(path), path.name).splitlines()
        return f"the picture's header cannot be read: {text[0] if text else type(error).__name__}"
    return (height, width) if (orientation or 1) >= 5 else (width, height)


def in_split(names: Iterable[str], split: str) -> set[str]:
    """Those that lie below a folder named `split`, as in images/train/a.jpg or train/images/a.jpg."""
    return {name for name in names if split in PurePosixPath(name).parts[:-1]}


def listed(text: str, names: Iterable[str]) -> set[str]:
    """The files of `names` that a list names, one path a line, whatever folder the paths start from."""
    known = set(names)
    found = set()
    for line in text.splitlines():
        parts = PurePosixPath(line.strip().replace("\\", "/")).parts
        tails = ("/".join(parts[k:]) for k in range(len(parts)))
        found.add(next((tail for tail in tails if tail in known), ""))
    return found - {""}
