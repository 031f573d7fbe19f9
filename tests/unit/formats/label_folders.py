"""Writes Pascal VOC and YOLO folders, as tools write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from label_quality.coco.labels import Labels, read_labels
from label_quality.formats import Conversion, convert

SIZE = (640, 480)


def picture(path: Path, size: tuple[int, int] = SIZE, **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path, **more)


def voc_object(box: Any, name: str = "cat", extra: str = "") -> str:
    edges = "".join(
        f"<{tag}>{value}</{tag}>"
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=False)
    )
    return f"<object>\n<name>{name}</name>{extra}<bndbox>{edges}</bndbox>\n</object>\n"


def voc_file(
    folder: Path,
    stem: str,
    *objects: str,
    size: tuple[int, int] | None = SIZE,
    filename: str | None = None,
    prologue: str = "",
    with_picture: bool = True,
) -> Path:
    path = folder / "Annotations" / f"{stem}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = f"{stem}.jpg" if filename is None else filename
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    head = f"{prologue}<annotation>\n<filename>{said}</filename>{sides}\n"
    path.write_text(f"{head}{''.join(objects)}</annotation>\n", encoding="utf-8")
    if with_picture:
        picture(folder / "JPEGImages" / f"{stem}.jpg", size or SIZE)
    return path


def yolo_folder(
    folder: Path, labels: dict[str, str | None], names: str | None = "names: [cat, dog]\n"
) -> Path:
    for stem, text in labels.items():
        picture(folder / "images" / f"{stem}.jpg")
        if text is not None:
            path = folder / "labels" / f"{stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if names is not None:
        (folder / "data.yaml").write_text(names)
    return folder


def converted(folder: Path, output: Path, **more: Any) -> tuple[Conversion, dict[str, Any]]:
    """Converts, and has our own reader read the result: what was kept is never quarantined."""
    done = convert(folder, output, **more)
    done.converted.check()
    labels = read(done)
    assert labels.quarantined_labels.num_rows == 0
    return done, json.loads(done.annotations.read_bytes())


def read(done: Conversion) -> Labels:
    return read_labels(done.annotations, "b", images=done.images, write_masks=lambda _: None)


def refused(done: Conversion) -> list[tuple[str, int | None, str, str]]:
    return [(r.file, r.line, r.record, r.reason) for r in done.converted.refused]
