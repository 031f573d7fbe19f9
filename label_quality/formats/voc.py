"""Pascal VOC: one XML file a picture, with objects in it. Masks (SegmentationObject) are not read.

VOC counts pixels from 1 and its boxes include both their edges: xmin 1, xmax 640 is the whole width of a picture of 640.
Tools that write the same XML with coordinates from 0 are told by a box that starts at 0, which VOC does not have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from label_quality.coco.image_files import unsafe_name
from label_quality.coco.images import MAX_SIDE
from label_quality.formats.folder import (
    files_below,
    in_split,
    is_picture,
    read_bytes,
    read_text,
    sizes,
)
from label_quality.formats.records import (
    IMAGE,
    LABEL,
    PRECISION,
    Converted,
    ConvertError,
    Refusal,
    box_faults,
    categories,
)
from label_quality.formats.voc_xml import Element, XmlError, parse

ORIGINS = ("auto", "1", "0")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = {"difficult", "truncated", "occluded"}
# Fields that COCO has a meaning for: what VOC says under such a name is kept under another.
_COCO = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"}


@dataclass
class _File:
    """A parsed XML file."""

    name: str
    root: Element
    objects: list[Element]
    picture: str = ""
    size: tuple[int, int] | None = None
    fault: str = ""


def find_voc(names: list[str]) -> list[str]:
    """The annotation files among the files of a folder: those in Annotations folders, else all XML files."""
    files = [name for name in names if name.lower().endswith(".xml")]
    return [n for n in files if "Annotations" in PurePosixPath(n).parts[:-1]] or files


def read_voc(folder: Path, *, split: str | None = None, origin: str = "auto") -> Converted:
    """Reads all annotations below `folder`, or those of a `split` (ImageSets/Main/<split>.txt, else a folder of the name).

    `origin` is "1" for VOC's own coordinates, "0" for such that count from 0 and end where the box ends, "auto" to look.
    Raises ConvertError when there are none.
    """
    names = files_below(folder)
    files = find_voc(names)
    if split is not None:
        files = _of_split(folder, names, files, split)
    if not files:
        raise ConvertError(f"{folder}: no XML annotation files")
    out = Converted("Pascal VOC")
    parsed = [one for name in files if (one := _parse(folder, name, out))]
    _find_pictures(folder, names, parsed)
    _take(parsed, origin, out)
    named = {one.picture for one in parsed}
    spare = sum(is_picture(n) and n not in named for n in names) if split is None else 0
    if spare:
        out.notes.append(f"pictures without an XML file, which are left out: {spare}")
    return out


def _of_split(folder: Path, names: list[str], files: list[str], split: str) -> list[str]:
    lists = [n for n in names if "ImageSets" in PurePosixPath(n).parts[:-1] and n.endswith(".txt")]
    chosen = [n for n in lists if PurePosixPath(n).parts[-2:] == ("Main", f"{split}.txt")]
    if not chosen:
        return sorted(in_split(files, split))
    # A line is the file's stem; in lists of one class a flag follows.
    stems = {
        line.split()[0]
        for name in chosen
        for line in read_text(folder, name).splitlines()
        if line.strip()
    }
    return [n for n in files if PurePosixPath(n).stem in stems]


def _parse(folder: Path, name: str, out: Converted) -> _File | None:
    """The file, or None and a refusal; then its objects, if it has any, are not known."""
    line: int | None = None
    try:
        root = parse(read_bytes(folder, name))
        if root.tag == "annotation":
            out.images_read += 1
            objects = list(root.all("object"))
            out.labels_read += len(objects)
            return _File(name, root, objects)
        reason, line = f"the file is a <{root.tag}>, not an <annotation>", root.line
    except XmlError as error:
        reason, line = str(error), error.line
    except ConvertError as error:
        reason = str(error)
    out.images_read += 1
    out.refused.append(Refusal(name, line, IMAGE, reason))
    return None


def _find_pictures(folder: Path, names: list[str], files: list[_File]) -> None:
    """Fills in the picture and its size, or the fault of the file."""
    by_name: dict[str, list[str]] = {}
    for name in filter(is_picture, names):
        path = PurePosixPath(name)
        by_name.setdefault(path.name, []).append(name)
        by_name.setdefault(path.stem, []).append(name)
    home = "JPEGImages/" if any(n.startswith("JPEGImages/") for n in names) else ""
    for one in files:
        element = one.root.find("filename")
        said = element.text if element else ""
        if said and (why := unsafe_name(said)):
            one.fault = f"the file name {said!r} is not followed: {why}"
            continue
        found = _nearest(one.name, said, by_name)
        one.picture = found or (home + said if said else "")
        one.size = _stated_size(one.root)
        if not one.picture:
            one.fault = "there is no filename, and no picture of the same name"
        elif one.size is None and not found:
            one.fault = f"there is no size, and no picture {one.picture!r} to take it from"
    unknown = [one for one in files if not one.fault and one.size is None]
    for one, size in zip(unknown, sizes(folder, [f.picture for f in unknown]), strict=True):
        if isinstance(size, str):
            one.fault = f"there is no size, and {size}"
        else:
            one.size = size


def _nearest(xml: str, said: str, by_name: dict[str, list[str]]) -> str | None:
    """The picture that the XML file names, else the one of the same stem; of several, the one beside it or beside its folder."""
    path = PurePosixPath(xml)
    wanted = PurePosixPath(said).name
    found = by_name.get(wanted) or by_name.get(PurePosixPath(wanted).stem) or by_name.get(path.stem)
    if not found:
        return None

    def common(name: str) -> int:
        pairs = zip(PurePosixPath(name).parts[:-1], path.parts[:-1], strict=False)
        return next((k for k, (a, b) in enumerate(pairs) if a != b), len(path.parts))

    return max(found, key=lambda name: (name.endswith(said), common(name)))


def _stated_size(root: Element) -> tuple[int, int] | None:
    element = root.find("size")
    try:
        width, height = (int(_text(element, side)) for side in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if min(width, height) > 0 and max(width, height) <= MAX_SIDE else None


def _text(element: Element | None, tag: str) -> str:
    """The text of a child. Raises ValueError, saying what is missing."""
    child = element.find(tag) if element else None
    if child is None or not child.text:
        raise ValueError(f"{element.tag if element else 'the record'} has no {tag}")
    return child.text


def _take(files: list[_File], origin: str, out: Converted) -> None:
    kept: list[tuple[Element, str, _File, int]] = []
    edges: list[list[float]] = []
    image_id = 0
    for one in files:
        if one.fault:
            out.refused.append(Refusal(one.name, one.root.line, IMAGE, one.fault))
            for element in one.objects:
                _refuse(out, one, element, f"its image was refused: {one.fault}")
            continue
        image_id += 1
        out.images.append(_image(image_id, one))
        for element in one.objects:
            try:
                name, values = _text(element, "name"), _edges(element)
            except ValueError as error:
                _refuse(out, one, element, str(error))
            else:
                kept.append((element, name, one, image_id))
                edges.append(values)
    box = _boxes(np.array(edges, dtype=np.float64).reshape(-1, 4), origin, out)
    size = np.array([one.size for _, _, one, _ in kept], dtype=np.float64).reshape(-1, 2)
    faults = box_faults(box, size)
    for k, fault in faults.items():
        _refuse(out, kept[k][2], kept[k][0], fault)
    out.categories = categories(
        sorted({name for k, (_, name, _, _) in enumerate(kept) if k not in faults})
    )
    ids = {c["name"]: c["id"] for c in out.categories}
    for k, (element, name, _, image) in enumerate(kept):
        if k not in faults:
            values = box[k].tolist()
            head = {"id": len(out.annotations) + 1, "image_id": image, "category_id": ids[name]}
            area = round(values[2] * values[3], PRECISION)
            out.annotations.append(
                head | {"bbox": values, "area": area, "iscrowd": 0} | _facts(element)
            )


def _edges(element: Element) -> list[float]:
    boxes = list(element.all("bndbox"))
    if len(boxes) != 1:
        raise ValueError(f"the object has {len(boxes) or 'no'} bndbox{'es' if boxes else ''}")
    values = []
    for edge in _EDGES:
        text = _text(boxes[0], edge)
        try:
            values.append(float(text))
        except ValueError:
            raise ValueError(f"{edge} is {text[:40]!r}, not a number") from None
    for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
        first, last = values[_EDGES.index(low)], values[_EDGES.index(high)]
        if last < first:
            raise ValueError(f"{high} {last:.10g} is less than {low} {first:.10g}")
    return values


def _boxes(edges: np.ndarray, origin: str, out: Converted) -> np.ndarray:
    """x, y, width, height from 0, float64 (n, 4) px."""
    low, high = edges[:, :2], edges[:, 2:]
    from_zero = origin == "0"
    if origin == "auto":
        from_zero = bool(((low >= 0) & (low < 1)).any())
        how = (
            "from 0, since some box starts at 0"
            if from_zero
            else "from 1 with both edges inside, as VOC has it"
        )
        out.notes.append(f"coordinates were read as counted {how} (--origin says otherwise)")
    box = np.concatenate([low, high - low] if from_zero else [low - 1, high - low + 1], axis=1)
    return np.round(box, PRECISION) + 0.0  # no negative zeros


def _image(image_id: int, one: _File) -> dict[str, Any]:
    assert one.size
    said = {
        child.tag: child.value()
        for child in one.root.children
        if child.tag not in {"object", "size", "filename", "path"}  # a path of another machine
    }
    width, height = one.size
    record = {"id": image_id, "file_name": one.picture, "width": width, "height": height}
    return record | ({"voc": said} if said else {})


def _facts(element: Element) -> dict[str, Any]:
    """Everything else that VOC says of an object: difficult, truncated, occluded, pose, parts, a tool's own fields."""
    facts: dict[str, Any] = {}
    for tag, value in element.value().items():  # type: ignore[attr-defined]  # an object with a box has children
        if tag in {"name", "bndbox"}:
            continue
        flag = tag in _FLAGS and value in {"0", "1"}
        facts[f"voc_{tag}" if tag in _COCO else tag] = int(value) if flag else value
    return facts


def _refuse(out: Converted, one: _File, element: Element, reason: str) -> None:
    original = json.dumps(element.value(), ensure_ascii=False)
    out.refused.append(Refusal(one.name, element.line, LABEL, reason, original))
