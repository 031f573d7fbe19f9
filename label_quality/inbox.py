"""What a folder of the inbox holds, and which deliveries were asked for already. It lists and stats, it never parses.

Layout: ``inbox/<batch>/annotations.json`` (or the folder's only other JSON file), ``images/`` (optional),
``predictions/<model>.json`` (optional) and ``.done`` (optional; written last, it says that the delivery is complete).
"""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from label_quality.store.files import read_json, write_json

_ANNOTATION_NAMES = ("annotations.json", "instances.json")
DONE = ".done"


@dataclass(frozen=True)
class Found:
    """A delivery in the inbox.

    `labels` and `results` are fingerprints of its two parts (annotations and images; results files), over names, sizes
    and times. `newest` is when anything of it was last written, in seconds since 1970; `done` whether the marker is
    there and is the last thing that was written.
    """

    annotations: Path
    images: Path | None
    predictions: dict[str, Path]
    labels: str
    results: str
    newest: float
    done: bool


def find_delivery(folder: Path) -> Found | str:
    """What lies in `folder`, or why it is no delivery (yet)."""
    files = sorted(p for p in folder.glob("*.json") if p.is_file())
    annotations = next((folder / n for n in _ANNOTATION_NAMES if folder / n in files), None)
    if annotations is None:
        if len(files) != 1:
            return "it needs annotations.json, instances.json, or exactly one other .json file"
        annotations = files[0]
    images = folder / "images"
    predictions = {
        p.stem: p for p in sorted((folder / "predictions").glob("*.json")) if p.is_file()
    }
    try:
        labels = _stats(folder, [annotations, *_folders(images)])
        results = _stats(folder, list(predictions.values()))
        marker = _stats(folder, [folder / DONE]) if (folder / DONE).exists() else []
    except OSError as error:
        return f"it changed while it was being looked at ({error.strerror})"
    newest = max(stat.written for stat in (*labels, *results))
    return Found(
        annotations,
        images if images.is_dir() else None,
        predictions,
        _fingerprint(labels),
        _fingerprint(results),
        newest,
        bool(marker) and marker[0].written >= newest,
    )


class _Stat(NamedTuple):
    name: str
    bytes: int
    modified: int
    written: float


def _stats(folder: Path, paths: list[Path]) -> list[_Stat]:
    """`written` is the inode's time too: a copy that keeps the old times of its files is new all the same."""
    found = [(p.relative_to(folder).as_posix(), p.stat()) for p in paths]
    return [_Stat(name, s.st_size, s.st_mtime_ns, max(s.st_mtime, s.st_ctime)) for name, s in found]


def _folders(images: Path) -> list[Path]:
    """The image folder and those in it: their times change when an image comes, goes or is replaced."""
    return [Path(name) for name, _, _ in os.walk(images)]


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
    def peek(cls, root: Path) -> Memory:
        """The memory of the inbox of `root`, without making one."""
        return read_json(_file(root), cls) or cls()

    @classmethod
    def load(cls, root: Path) -> Memory:
        """The memory of the inbox of `root`; a new one, on disk already, where there is none."""
        found = read_json(_file(root), cls)
        if found is None:
            found = cls()
            found.save(root)
        return found

    def save(self, root: Path) -> None:
        """Replace the file atomically."""
        write_json(_file(root), self)


def _file(root: Path) -> Path:
    return root / "deliveries" / "inbox.json"
