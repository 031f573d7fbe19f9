"""What lies in a YOLO folder: pictures, the label file of each, and the names of the classes. No label is read here.

Layouts: images/ beside labels/ (Ultralytics, Roboflow, Label Studio), or label files beside their pictures (Darknet, CVAT).
Names come from data.yaml, obj.names or classes.txt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from label_quality.formats.folder import files_below, in_split, is_picture, listed, read_text
from label_quality.formats.records import ConvertError

_YAML = ("data.yaml", "data.yml", "dataset.yaml")
_NAMES = ("obj.names", "classes.txt", "labels.txt", "classes.names", "_darknet.labels")
_MAX_CLASSES = 100_000


@dataclass
class YoloFolder:
    """Pictures with their label files, all relative to the folder. A picture without labels has none: it shows nothing."""

    pictures: list[str]
    label_of: dict[str, str | None]
    orphans: list[str]  # label files without a picture
    names: list[str] | None  # of the classes, from class 0
    names_file: str | None
    keypoints: tuple[int, int] | None = None  # number, and values of each: 2 or 3
    notes: list[str] = field(default_factory=list)


def looks_like_yolo(names: list[str]) -> bool:
    """Whether some file of the folder is one that only YOLO has."""
    known = {*_YAML, *_NAMES}
    return any(PurePosixPath(name).name in known for name in names) or any(
        "labels" in PurePosixPath(name).parts[:-1] and name.endswith(".txt") for name in names
    )


def find_yolo(folder: Path, split: str | None = None) -> YoloFolder:
    """Looks through `folder`. Raises ConvertError when there is no picture, or when the names cannot be read."""
    names = files_below(folder)
    config, config_name = _config(folder, names)
    pictures = [name for name in names if is_picture(name)]
    wanted = _wanted(folder, names, pictures, config, split)
    texts = {name for name in names if name.endswith(".txt")}
    label_of = {name: next((t for t in _twins(name) if t in texts), None) for name in pictures}
    used = set(label_of.values())
    homes = {str(PurePosixPath(twin).parent) for name in pictures for twin in _twins(name)}
    orphans = [
        name
        for name in sorted(texts - used)
        if _may_hold_labels(PurePosixPath(name), homes)
        and (split is None or split in PurePosixPath(name).parts[:-1])
    ]
    if not wanted and not orphans:
        where = f"{folder}, split {split!r}" if split else str(folder)
        raise ConvertError(f"{where}: no pictures; YOLO's labels mean nothing without them")
    classes, classes_name = _classes(folder, names, config, config_name)
    found = YoloFolder(
        wanted, label_of, orphans, classes, classes_name, _keypoints(config, config_name)
    )
    bare = sum(label_of[name] is None for name in wanted)
    if bare:
        found.notes.append(f"pictures without a label file, which count as showing nothing: {bare}")
    return found


def _twins(picture: str) -> list[str]:
    """Where the labels of a picture may lie: in the last "images" of its path turned to "labels", or beside it."""
    path = PurePosixPath(picture).with_suffix(".txt")
    parts = list(path.parts)
    folders = [k for k, part in enumerate(parts[:-1]) if part == "images"]
    if not folders:
        return [str(path)]
    parts[folders[-1]] = "labels"
    return [str(PurePosixPath(*parts)), str(path)]


def _may_hold_labels(path: PurePosixPath, homes: set[str]) -> bool:
    lists = {"train.txt", "val.txt", "valid.txt", "test.txt", "notes.txt", "requirements.txt"}
    if path.name in {*_NAMES, *lists} or path.name.lower().startswith("readme"):
        return False
    return str(path.parent) in homes or "labels" in path.parts[:-1]


def _config(folder: Path, names: list[str]) -> tuple[dict[str, Any], str]:
    """What data.yaml says; the one nearest to the top counts."""
    found = [name for name in names if PurePosixPath(name).name in _YAML]
    if not found:
        return {}, ""
    name = min(found, key=lambda n: (n.count("/"), n))
    try:
        value = yaml.safe_load(read_text(folder, name))
    except (yaml.YAMLError, ConvertError, RecursionError) as error:
        raise ConvertError(f"{name} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise ConvertError(f"{name} holds no names: it is no mapping")
    return value, name


def _classes(
    folder: Path, names: list[str], config: dict[str, Any], config_name: str
) -> tuple[list[str] | None, str | None]:
    if config.get("names") is not None:
        return _listed_classes(config["names"], config_name), config_name
    found = [name for name in names if PurePosixPath(name).name in _NAMES]
    if not found:
        return None, None
    name = min(found, key=lambda n: (n.count("/"), _NAMES.index(PurePosixPath(n).name), n))
    try:
        lines = read_text(folder, name).rstrip().splitlines()
    except ConvertError as error:
        raise ConvertError(f"{name} cannot be read: {error}") from error
    return [line.strip() or f"class {k}" for k, line in enumerate(lines)], name


def _listed_classes(value: object, file: str) -> list[str]:
    """The names of data.yaml: a list, or a mapping from class number to name, which may have gaps."""
    entries = list(value.values()) if isinstance(value, dict) else value
    # A nested value is refused without a look: with YAML's aliases, a few lines of it can be gigabytes of text.
    if isinstance(entries, list) and all(isinstance(n, str | int | float) for n in entries):
        names = [str(name) for name in entries]
        if not isinstance(value, dict):
            return names
        keys = [int(k) if isinstance(k, str) and k.isdecimal() and len(k) < 9 else k for k in value]
        if all(type(key) is int and 0 <= key < _MAX_CLASSES for key in keys):
            numbered = dict(zip(keys, names, strict=True))
            return [numbered.get(k, f"class {k}") for k in range(max(numbered, default=-1) + 1)]
    raise ConvertError(f"{file}: names is neither a list nor a mapping from class numbers to names")


def _keypoints(config: dict[str, Any], file: str) -> tuple[int, int] | None:
    match config.get("kpt_shape"):
        case None:
            return None
        case [int() as number, int() as values] if number > 0 and values in (2, 3):
            return number, values
    raise ConvertError(f"{file}: kpt_shape is not a number of points and then 2 or 3 values")


def _wanted(
    folder: Path,
    names: list[str],
    pictures: list[str],
    config: dict[str, Any],
    split: str | None,
) -> list[str]:
    """The pictures of a split: as data.yaml says, as <split>.txt lists them, or those below a folder of the name."""
    if split is None:
        return pictures
    said = config.get(split)
    entries = said if isinstance(said, list) else [said]
    places = [one for one in entries if isinstance(one, str)]
    chosen: set[str] = set()
    for place in [*places, f"{split}.txt"]:
        # Roboflow writes "../train/images" for train/images: a path that leads out is read as one that does not.
        parts = [p for p in PurePosixPath(place.replace("\\", "/")).parts if p not in ("..", "/")]
        inside = "/".join(parts)
        if inside in names and inside.endswith(".txt"):
            chosen |= listed(read_text(folder, inside), pictures)
        elif parts:
            path = config.get("path")
            base = path.strip("./") if isinstance(path, str) else ""
            starts = (f"{inside}/", f"{base}/{inside}/" if base else f"{inside}/")
            chosen.update(name for name in pictures if name.startswith(starts))
    return sorted(chosen or in_split(pictures, split))
