"""What a folder of the inbox holds, and which deliveries were asked for already. It lists and stats, it never parses.

Layout: ``inbox/<batch>/annotations.json`` (or the folder's only other JSON file), ``images/`` (optional),
``predictions/<model>.json`` (optional) and ``.done`` (optional; written last, it says that the delivery is complete). The
inbox is a folder, or lies on an object store.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from label_quality.store.shared import Shared

if TYPE_CHECKING:
    from upath import UPath

    Folder = Path | UPath

_ANNOTATION_NAMES = ("annotations.json", "instances.json")
DONE = ".done"
_FILE = "deliveries/inbox.json"


@dataclass(frozen=True)
class Found:
    """A delivery in the inbox.

    `labels` and `results` are fingerprints of its two parts (annotations and images; results files), over names, sizes
    and times. `newest` is when anything of it was last written, in seconds since 1970; `done` whether the marker is
    there and is the last thing that was written.
    """

    annotations: Folder
    images: Folder | None
    predictions: dict[str, Folder]
    labels: str
    results: str
    newest: float
    done: bool


class _Stat(NamedTuple):
    """A file or folder by its name below the delivery. `modified` tells two states of it apart, `written` is a time."""

    name: str
    bytes: int
    modified: int | str
    written: float


class _Listing(NamedTuple):
    """What lies in a folder: JSON files, those in ``predictions``, what tells of changes in ``images``, and the marker."""

    files: list[_Stat]
    results: list[_Stat]
    images: list[_Stat]
    marker: list[_Stat]


def folders(inbox: Folder) -> list[Folder]:
    """The folders of the inbox that may be deliveries, by name; none where there is no inbox yet."""
    if isinstance(inbox, Path):
        return sorted(p for p in inbox.glob("[!.]*") if p.is_dir())
    try:
        listed = inbox.fs.ls(inbox.path, detail=True)
    except FileNotFoundError:
        return []
    names = sorted(
        e["name"].rstrip("/").rpartition("/")[2] for e in listed if e["type"] == "directory"
    )
    return [inbox / name for name in names if not name.startswith(".")]


def find_delivery(folder: Folder) -> Found | str:
    """What lies in `folder`, or why it is no delivery (yet)."""
    try:
        listing = _on_disk(folder) if isinstance(folder, Path) else _on_object_store(folder)
    except OSError as error:
        return f"it changed while it was being looked at ({error.strerror})"
    by_name = {stat.name: stat for stat in listing.files}
    chosen = next((by_name[n] for n in _ANNOTATION_NAMES if n in by_name), None)
    if chosen is None:
        if len(listing.files) != 1:
            return "it needs annotations.json, instances.json, or exactly one other .json file"
        chosen = listing.files[0]
    labels = [chosen, *listing.images]
    newest = max(stat.written for stat in (*labels, *listing.results))
    return Found(
        folder / chosen.name,
        folder / "images" if listing.images else None,
        {PurePosixPath(stat.name).stem: folder / stat.name for stat in listing.results},
        _fingerprint(labels),
        _fingerprint(listing.results),
        newest,
        bool(listing.marker) and listing.marker[0].written >= newest,
    )


def _on_disk(folder: Path) -> _Listing:
    files = sorted(p for p in folder.glob("*.json") if p.is_file())
    results = sorted(p for p in (folder / "predictions").glob("*.json") if p.is_file())
    # The image folder and those in it: their times change when an image comes, goes or is replaced.
    images = [Path(name) for name, _, _ in os.walk(folder / "images")]
    marker = [p for p in [folder / DONE] if p.exists()]
    return _Listing(*(_stats(folder, paths) for paths in (files, results, images, marker)))


def _stats(folder: Path, paths: list[Path]) -> list[_Stat]:
    """`written` is the inode's time too: a copy that keeps the old times of its files is new all the same."""
    found = [(p.relative_to(folder).as_posix(), p.stat()) for p in paths]
    return [_Stat(name, s.st_size, s.st_mtime_ns, max(s.st_mtime, s.st_ctime)) for name, s in found]


def _on_object_store(folder: UPath) -> _Listing:
    """One listing, a request for each thousand objects: folders have no times there, so every image is looked at."""
    found = [
        _Stat(
            key.removeprefix(f"{folder.path.rstrip('/')}/"),
            entry["size"],
            entry["ETag"],
            entry["LastModified"].timestamp(),
        )
        for key, entry in sorted(folder.fs.find(folder.path, detail=True).items())
    ]
    parts = [(PurePosixPath(stat.name), stat) for stat in found]
    return _Listing(
        [s for p, s in parts if len(p.parts) == 1 and p.suffix == ".json"],
        [s for p, s in parts if p.parts[:-1] == ("predictions",) and p.suffix == ".json"],
        [s for p, s in parts if p.parts[0] == "images" and len(p.parts) > 1],
        [s for p, s in parts if s.name == DONE],
    )


def _fingerprint(stats: list[_Stat]) -> str:
    text = "\n".join(f"{s.name}\t{s.bytes}\t{s.modified}" for s in stats)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Asked(msgspec.Struct, frozen=True):
    """What a run was last asked for: the fingerprints of the two parts, and the how-manieth request of the folder it was."""

    labels: str
    results: str
    number: int = 1


class Memory(msgspec.Struct):
    """Which deliveries of an inbox were asked for, by folder. `id` tells this inbox from others in run keys.

    It is kept beside the register of deliveries rather than in the sensor's cursor, because Dagster writes a copy of
    the cursor into the record of every tick.
    """

    id: str = msgspec.field(default_factory=lambda: uuid.uuid4().hex[:8])
    folders: dict[str, Asked] = {}

    @classmethod
    def peek(cls, shared: Shared) -> Memory:
        """The memory of the inbox, without making one."""
        return shared.read(_FILE, cls) or cls()

    @classmethod
    def load(cls, shared: Shared) -> Memory:
        """The memory of the inbox; a new one, on disk already, where there is none."""
        found = shared.read(_FILE, cls)
        if found is None:
            found = cls()
            found.save(shared)
        return found

    def save(self, shared: Shared) -> None:
        """Replace the file atomically."""
        shared.write(_FILE, self)
