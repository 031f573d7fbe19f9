"""What a folder of the inbox holds: annotations, images and results files by their names. It lists, it never parses.

Layout: ``inbox/<batch>/annotations.json`` (or the folder's only other JSON file), ``images/`` (optional) and
``predictions/<model>.json`` (optional).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_ANNOTATION_NAMES = ("annotations.json", "instances.json")


@dataclass(frozen=True)
class Found:
    """A delivery in the inbox."""

    annotations: Path
    images: Path | None
    predictions: dict[str, Path]
    fingerprint: str
    newest: float


def find_delivery(folder: Path) -> Found | str:
    """What lies in `folder`, or why it is no delivery (yet). The fingerprint is over names, sizes and times."""
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
    watched = [annotations, *predictions.values(), *([images] if images.is_dir() else [])]
    try:
        stats = [(p.relative_to(folder).as_posix(), p.stat()) for p in watched]
    except OSError as error:
        return f"it changed while it was being looked at ({error.strerror})"
    text = "\n".join(f"{name}\t{stat.st_size}\t{stat.st_mtime_ns}" for name, stat in stats)
    return Found(
        annotations,
        images if images.is_dir() else None,
        predictions,
        hashlib.sha256(text.encode()).hexdigest()[:16],
        max(stat.st_mtime for _, stat in stats),
    )
