"""YOLO's label files: a line a label, `class cx cy width height` or `class x1 y1 x2 y2 …`, as shares of the picture's sides.

All lines of all files become one array of numbers; what is a bad line is said of that line alone. Values that leave the
picture are kept, as labels that leave it: only what cannot be a share of a side at all is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from label_quality.coco.segments import POLYGON, Segments, polygon_geometry
from label_quality.formats.folder import read_text, sizes
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
from label_quality.formats.yolo_files import YoloFolder, find_yolo

_BOX, _SCORED = 5, 6  # values of a line: a box, and a box with the confidence of whatever wrote it
_REACH = (-1.0, 2.0)  # a share beyond is a pixel, not a share


@dataclass
class _Lines:
    """All lines of all label files: where each stands, its values, and why it cannot be taken."""

    file: list[str]
    number: list[int]
    text: list[str]
    image: np.ndarray  # int64 (n,): row of the picture
    count: np.ndarray  # int64 (n,): values in the line
    start: np.ndarray  # int64 (n,): where they begin in `values`
    values: np.ndarray  # float64; NaN for what is no number
    fault: dict[int, str]

    def refuse(self, rows: np.ndarray, reason: str) -> None:
        """The first reason counts."""
        for k in np.flatnonzero(rows).tolist():
            self.fault.setdefault(k, reason)

    def sound(self) -> np.ndarray:
        """The rows that have no fault, int64."""
        return np.setdiff1d(np.arange(len(self.text)), list(self.fault))


def read_yolo(folder: Path, *, split: str | None = None) -> Converted:
    """Reads all labels below `folder`, or those of a `split`. Raises ConvertError when it is no YOLO folder."""
    found = find_yolo(folder, split)
    out = Converted("YOLO", notes=found.notes)
    sized = _sizes(folder, found, out)
    lines = _lines(folder, found, sized, out)
    points = found.keypoints
    single = 1 + 4 + points[0] * points[1] if points else 0
    _judge_values(lines, single)
    names = _judge_classes(lines, found, out)
    out.categories = categories(names)
    # A row of its own for lines without a picture, whose fault is known by now.
    known = [s if isinstance(s, tuple) else (1, 1) for s in sized.values()] or [(1, 1)]
    size = np.array(known, dtype=np.float64)
    box, area, polygons = _geometry(lines, size, single)
    for k, fault in box_faults(box, size[lines.image]).items():
        lines.fault.setdefault(k, fault)
    _write(lines, box, area, polygons, size=size, points=points, out=out)
    return out


def _sizes(folder: Path, found: YoloFolder, out: Converted) -> dict[str, tuple[int, int] | str]:
    """The size of each picture, or why it was refused; makes the records of the images. Their id is their row + 1."""
    sized = dict(zip(found.pictures, sizes(folder, found.pictures), strict=True))
    out.images_read = len(sized)
    for row, (name, size) in enumerate(sized.items(), start=1):
        if isinstance(size, str):
            out.refused.append(Refusal(name, None, IMAGE, size))
        else:
            record = {"id": row, "file_name": name, "width": size[0], "height": size[1]}
            out.images.append(record)
    return sized


def _lines(
    folder: Path,
    found: YoloFolder,
    sized: dict[str, tuple[int, int] | str],
    out: Converted,
) -> _Lines:
    files: list[str] = []
    numbers: list[int] = []
    texts: list[str] = []
    images: list[int] = []
    fault: dict[int, str] = {}
    sources = [(found.label_of[name], row, size) for row, (name, size) in enumerate(sized.items())]
    for label, row, size in [*sources, *((o, 0, "no picture of this name") for o in found.orphans)]:
        if label is None:
            continue
        try:
            content = read_text(folder, label)
        except ConvertError as error:
            out.labels_read += 1
            out.refused.append(Refusal(label, None, LABEL, str(error)))
            continue
        for number, line in enumerate(content.split("\n"), start=1):
            if not line.strip():
                continue
            if isinstance(size, str):
                fault[len(texts)] = f"there is no image for it: {size}"
            files.append(label)
            numbers.append(number)
            texts.append(line.strip())
            images.append(row)
    out.labels_read += len(texts)
    tokens = [text.split() for text in texts]
    count = np.array([len(one) for one in tokens], dtype=np.int64)
    flat = pd.Series([value for one in tokens for value in one], dtype=str)
    values = pd.to_numeric(flat, errors="coerce").to_numpy(np.float64)
    image = np.array(images, dtype=np.int64)
    return _Lines(files, numbers, texts, image, count, np.cumsum(count) - count, values, fault)


def _judge_values(lines: _Lines, single: int) -> None:
    """Faults of the numbers themselves. `single` is the number of values of a line with keypoints, 0 without."""
    if not len(lines.count):
        return
    finite = np.isfinite(lines.values)
    lines.refuse(~np.logical_and.reduceat(finite, lines.start), "a value is not a finite number")
    count = lines.count
    if single:
        lines.refuse(count != single, f"the line does not have {single} values, as kpt_shape says")
    polygon = (count > _SCORED) & (count % 2 == 1)
    if not single:
        odd = (count != _BOX) & (count != _SCORED) & ~polygon
        lines.refuse(
            odd, "the line is neither a class with a box nor one with three points or more"
        )
    share = (lines.values >= _REACH[0]) & (lines.values <= _REACH[1])
    share[lines.start] = True  # the class
    if single and single > _BOX:
        share |= _visibilities(lines, single)
    lines.refuse(
        ~np.logical_and.reduceat(share, lines.start),
        "a value is not a share of the image's sides: labels of YOLO are normalised",
    )


def _visibilities(lines: _Lines, single: int) -> np.ndarray:
    """Where a value is the visibility of a keypoint (0, 1 or 2), for lines of `single` values."""
    place = np.arange(len(lines.values)) - np.repeat(lines.start, lines.count)
    seen: np.ndarray = (place >= _BOX) & (lines.values >= 0) & (lines.values <= 2)
    return seen


def _judge_classes(lines: _Lines, found: YoloFolder, out: Converted) -> list[str]:
    """Faults of the classes; returns the names."""
    given = lines.values[lines.start] if len(lines.start) else np.zeros(0)
    whole = np.isfinite(given) & (given == np.floor(given)) & (given >= 0) & (given < 1e5)
    lines.refuse(~whole, "the class is not a whole number from 0")
    if found.names is None:
        highest = int(given[whole].max()) if whole.any() else -1
        out.notes.append("there is no file with the names of the classes: they are named by number")
        return [f"class {k}" for k in range(highest + 1)]
    lines.refuse(
        given >= len(found.names),
        f"the class is none of the {len(found.names)} in {found.names_file}",
    )
    return found.names


def _geometry(
    lines: _Lines, size: np.ndarray, single: int
) -> tuple[np.ndarray, np.ndarray, dict[int, list[float]]]:
    """Boxes, float64 (n, 4) px, areas, (n,) px², and the outlines that there are, by row; senseless for lines with a fault."""
    box = np.ones((len(lines.text), 4))
    sound = lines.sound()
    outlined = (lines.count[sound] > _SCORED) & (not single)
    rows = sound[~outlined]
    if len(rows):
        shares = lines.values[lines.start[rows][:, None] + np.arange(1, 5)]
        sides = shares[:, 2:] * size[lines.image[rows]]
        centre = shares[:, :2] * size[lines.image[rows]]
        box[rows] = np.concatenate([centre - sides / 2, sides], axis=1)
    area = box[:, 2] * box[:, 3]
    rows = sound[outlined]
    polygons: dict[int, list[float]] = {}
    if len(rows):
        length = lines.count[rows] - 1
        ends = np.cumsum(length)
        within = np.arange(int(ends[-1])) - np.repeat(ends - length, length)
        scale = size[np.repeat(lines.image[rows], length), within % 2]
        at = np.repeat(lines.start[rows] + 1, length) + within
        points = np.round(lines.values[at] * scale, PRECISION)
        kind = np.full(len(rows), POLYGON, dtype=np.uint8)
        area[rows], extent = polygon_geometry(Segments(kind, np.arange(len(rows)), length, points))
        box[rows] = np.concatenate([extent[:, :2], extent[:, 2:] - extent[:, :2]], axis=1)
        flat = points.tolist()
        polygons = {
            row: flat[end - n : end]
            for row, end, n in zip(rows.tolist(), ends.tolist(), length.tolist(), strict=True)
        }
    return np.round(box, PRECISION) + 0.0, np.round(area, PRECISION), polygons


def _write(
    lines: _Lines,
    box: np.ndarray,
    area: np.ndarray,
    polygons: dict[int, list[float]],
    *,
    size: np.ndarray,
    points: tuple[int, int] | None,
    out: Converted,
) -> None:
    for k in sorted(lines.fault):
        place = (lines.file[k], lines.number[k])
        out.refused.append(Refusal(*place, LABEL, lines.fault[k], lines.text[k]))
    kept = lines.sound()
    heads = zip(
        kept.tolist(),
        (lines.image[kept] + 1).tolist(),
        (lines.values[lines.start[kept]].astype(np.int64) + 1).tolist(),
        box[kept].tolist(),
        area[kept].tolist(),
        lines.count[kept].tolist(),
        strict=True,
    )
    for number, (k, image, category, values, covers, count) in enumerate(heads, start=1):
        record: dict[str, Any] = {"id": number, "image_id": image, "category_id": category}
        record |= {"bbox": values, "area": covers, "iscrowd": 0}
        if k in polygons:
            record["segmentation"] = [polygons[k]]
        elif points:
            rest = lines.values[lines.start[k] + _BOX : lines.start[k] + count]
            record |= _keypoints(rest, points, size[image - 1])
        elif count == _SCORED:
            record["confidence"] = float(lines.values[lines.start[k] + _BOX])
        out.annotations.append(record)


def _keypoints(values: np.ndarray, shape: tuple[int, int], size: np.ndarray) -> dict[str, Any]:
    """COCO's keypoints: x, y in px and the visibility, 2 where YOLO gives none."""
    table = values.reshape(shape)
    seen = table[:, 2] if shape[1] == 3 else np.full(shape[0], 2.0)
    points = np.column_stack([np.round(table[:, :2] * size, PRECISION), seen])
    return {
        "keypoints": points.ravel().tolist(),
        "num_keypoints": int((seen > 0).sum()),
    }
