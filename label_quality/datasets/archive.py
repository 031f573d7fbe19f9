"""Takes files out of a downloaded zip, each verified by its CRC. Names in it decide nothing but which file is meant."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from label_quality.coco.image_files import unsafe_name
from label_quality.datasets.fetch import DownloadError
from label_quality.store.files import replacing

MAX_IMAGE = 256 << 20  # bytes unpacked; the largest of COCO has less than one MB
MAX_ANNOTATIONS = 8 << 30


def unpack_member(archive: Path, member: str, target: Path) -> None:
    """One file. Raises DownloadError when it is not in the archive or is damaged."""
    with _opened(archive) as file:
        try:
            info = file.getinfo(member)
        except KeyError:
            raise DownloadError(f"{archive.name} holds no {member}") from None
        _unpack(file, info, target, MAX_ANNOTATIONS)


def unpack_images(
    archive: Path, folder: Path, wanted: set[str], advance: Callable[[int], None]
) -> set[str]:
    """The files of these names, whatever folders of the archive they lie in, to `folder`; returns those that it has.

    Raises DownloadError for a name that leads out of the archive, and for a damaged file. What is there already in the
    right size is not unpacked again.
    """
    found = set()
    with _opened(archive) as file:
        for info in file.infolist():
            if why := unsafe_name(info.filename):
                raise DownloadError(f"{archive.name} holds {info.filename!r}, and {why}")
            name = info.filename.rsplit("/", 1)[-1]
            if info.is_dir() or name not in wanted:
                continue
            found.add(name)
            target = folder / name
            if not target.exists() or target.stat().st_size != info.file_size:
                _unpack(file, info, target, MAX_IMAGE)
            advance(1)
    return found


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{archive.name} is no zip file: {error}") from None


def _unpack(file: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, most: int) -> None:
    if info.file_size > most:
        raise DownloadError(f"{info.filename} would have {info.file_size:,} bytes unpacked")
    try:
        with replacing(target) as temporary, file.open(info) as source, temporary.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DownloadError(
            f"{info.filename} in {Path(str(file.filename)).name}: {error}"
        ) from None
