"""What all machines of a deployment share: tables, manifests, deliveries. Below the root, or on an object store.

Files are named by their path below that place, such as ``tables/images/b1/run.parquet``. A version of a table and a delivered
file are never changed once they can be seen, JSON documents are replaced as a whole. The database, locks and scratch
files are no business of this module: they are always below the root.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from label_quality.store.files import TEMPORARY, locked, read_json, replacing, write_json
from label_quality.store.keeping import KeptFile, keep

if TYPE_CHECKING:
    from upath import UPath

T = TypeVar("T")


class Shared(Protocol):
    """The place, and all that is done to it."""

    def local(self, name: str) -> Path:
        """Where a file that never changes can be read on this machine. It is not there if `name` is not."""

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    def names(self, pattern: str) -> list[str]:
        """The names of all files that a glob pattern fits, sorted; none that starts with a dot."""

    def replacing(self, name: str) -> AbstractContextManager[Path]:
        """Yields a path to write to; when the block ends without an error it becomes the file, at once and as a whole."""

    def link(self, source: str, name: str) -> None:
        """Make the bytes of one file those of another name too."""

    def remove(self, name: str) -> None:
        """Remove the file, if it is there."""

    def remove_leftovers(self, pattern: str) -> list[str]:
        """Remove what was half written into the folders that a glob pattern fits; returns it."""

    def read(self, name: str, type: type[T]) -> T | None:
        """A JSON document; None when it is not there, StoreError when it is not what it should be."""

    def read_all(self, folder: str, type: type[T]) -> dict[str, T]:
        """All JSON documents right in `folder`, by their names without the suffix, in order; none that starts with a dot."""

    def write(self, name: str, value: object) -> None:
        """Replace a JSON document. For those that have one writer at a time."""

    def update(self, name: str, type: type[T], change: Callable[[T | None], T | None]) -> None:
        """Replace a JSON document by what `change` makes of it (None: leave it), whoever else does so at the same time.

        `change` may be called more than once.
        """

    def keep(self, path: Path | UPath) -> KeptFile:
        """Keep a copy of a user's file in ``deliveries`` under its content's name. StoreError when that cannot be done."""

    def images(self, place: str) -> Path:
        """The folder on this machine that has the images of a folder that was delivered."""


class LocalFolder:
    """The root itself. See `Shared`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def local(self, name: str) -> Path:
        return self.root / name

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def names(self, pattern: str) -> list[str]:
        found = (p for p in self.root.glob(pattern) if not p.name.startswith("."))
        return sorted(p.relative_to(self.root).as_posix() for p in found)

    def replacing(self, name: str) -> AbstractContextManager[Path]:
        return replacing(self.root / name)

    def link(self, source: str, name: str) -> None:
        with replacing(self.root / name) as temporary:
            try:
                os.link(self.root / source, temporary)
            except OSError:  # a file system without hard links
                shutil.copyfile(self.root / source, temporary)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def remove_leftovers(self, pattern: str) -> list[str]:
        found = list(self.root.glob(f"{pattern}/.*{TEMPORARY}"))
        for path in found:
            path.unlink(missing_ok=True)
        return [path.relative_to(self.root).as_posix() for path in found]

    def read(self, name: str, type: type[T]) -> T | None:
        return read_json(self.root / name, type)

    def read_all(self, folder: str, type: type[T]) -> dict[str, T]:
        paths = sorted((self.root / folder).glob("[!.]*.json"))
        return {p.stem: found for p in paths if (found := read_json(p, type)) is not None}

    def write(self, name: str, value: object) -> None:
        write_json(self.root / name, value)

    def update(self, name: str, type: type[T], change: Callable[[T | None], T | None]) -> None:
        with locked(self.root / "locks" / "register.lock"):
            after = change(read_json(self.root / name, type))
            if after is not None:
                write_json(self.root / name, after)

    def keep(self, path: Path | UPath) -> KeptFile:
        folder = self.root / "deliveries"
        folder.mkdir(parents=True, exist_ok=True)
        return keep(folder, path)

    def images(self, place: str) -> Path:
        if "://" not in place:
            return Path(place)
        from label_quality.store.objects import image_folder  # noqa: PLC0415

        return image_folder(place, self.root / "cache")


def open_shared(root: Path, url: str) -> Shared:
    """What lies at `url`, or below `root` where that is empty."""
    if not url:
        return LocalFolder(root)
    # Here, so that nothing of it is imported where files are local.
    from label_quality.store.objects import ObjectStore  # noqa: PLC0415

    return ObjectStore(url, root / "cache")
