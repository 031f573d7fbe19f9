"""Files kept by their content: ``<folder>/<sha256>.json``. Which delivery they belong to is in ``deliveries``; nothing is parsed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from label_quality.store.errors import StoreError
from label_quality.store.files import temporary_name

if TYPE_CHECKING:
    from upath import UPath

_CHUNK = 4 << 20


class KeptFile(msgspec.Struct, frozen=True):
    """A kept file: its name as the user knows it, the SHA-256 of its content, its size in bytes."""

    name: str
    sha256: str
    bytes: int


def keep(folder: Path, path: Path | UPath) -> KeptFile:
    """Copy a file to its content's name, hashing on the way; only read it when it may be here already.

    Raises StoreError when it cannot be read or written.
    """
    try:
        size = path.stat().st_size
        if any(kept.stat().st_size == size for kept in folder.glob("*.json")):
            with _unbuffered(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if _is_whole(folder / f"{digest}.json", size):
                return KeptFile(path.name, digest, size)
        temporary = temporary_name(folder / "incoming.json")
        try:
            digest, size = copy_hashing(path, temporary)
            temporary.replace(folder / f"{digest}.json")
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be kept in {folder}: {error.strerror or error}") from error
    return KeptFile(path.name, digest, size)


def _is_whole(kept: Path, size: int) -> bool:
    return kept.is_file() and kept.stat().st_size == size


def copy_hashing(source: Path | UPath, target: Path) -> tuple[str, int]:
    """Copy in one pass; the hash and the size are those of the bytes written, even if the source changes meanwhile."""
    digest, size = hashlib.sha256(), 0
    # The writer is buffered: an unbuffered one may write a part only, where the disk is nearly full, and say so in passing.
    with _unbuffered(source) as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _unbuffered(source: Path | UPath) -> Any:
    return source.open("rb", buffering=0) if isinstance(source, Path) else source.open("rb")
