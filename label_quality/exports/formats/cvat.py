"""Annotations for CVAT ("CVAT for images 1.1"): the labels with all suggestions taken, which are marked as automatic.

Boxes, polygons and masks, each with the id of the label that it stands for and the reason of the suggestion. CVAT's masks
are run lengths of rows inside the box that starts at `left`, `top`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import numpy as np
from pycocotools import mask as coco_mask

from label_quality.coco.masks import to_rle
from label_quality.exports.proposals import Shape, Task, tasks
from label_quality.exports.registry import Exporter, Result
from label_quality.exports.xml_text import xml_text
from label_quality.store.files import replacing

if TYPE_CHECKING:
    from label_quality.exports.source import Source

_ATTRIBUTES = ("annotation_id", "reason", "model", "p_error")


def write(source: Source, folder: Path) -> Result:
    """``annotations.xml`` to upload to a task of these images, ``labels.json`` for the task's constructor."""
    made = tasks(source)
    names = source.rows(
        "select distinct name from categories where batch in (select unnest(?)) order by 1",
        source.batches,
    )
    labels = folder / "labels.json"
    labels.write_text(json.dumps([_label(r["name"]) for r in names], indent=1), "utf-8")
    file = folder / "annotations.xml"
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
        xml = XMLGenerator(out, "utf-8", short_empty_elements=True)
        xml.startDocument()
        _open(xml, "annotations", {})
        _text(xml, "version", "1.1")
        _meta(xml, [r["name"] for r in names])
        for number, task in enumerate(made):
            _image(xml, number, task)
        xml.endElement("annotations")
        xml.endDocument()
    return Result([file, labels], [f"{len(made)} images"])


def _label(name: str) -> dict[str, Any]:
    text = {"mutable": True, "input_type": "text", "default_value": "", "values": [""]}
    return {"name": name, "attributes": [{"name": a, **text} for a in _ATTRIBUTES]}


def _meta(xml: XMLGenerator, names: list[str]) -> None:
    """The labels of the task: CVAT takes them from the task itself, other readers of the format from here."""
    for element in ("meta", "task", "labels"):
        _open(xml, element, {})
    for name in names:
        label = _label(name)
        _open(xml, "label", {})
        _text(xml, "name", label["name"])
        _open(xml, "attributes", {})
        for attribute in label["attributes"]:
            _open(xml, "attribute", {})
            for key in ("name", "mutable", "input_type", "default_value"):
                _text(xml, key, str(attribute[key]))
            xml.endElement("attribute")
        xml.endElement("attributes")
        xml.endElement("label")
    for element in ("labels", "task", "meta"):
        xml.endElement(element)


def _image(xml: XMLGenerator, number: int, task: Task) -> None:
    size = {"width": str(task.width), "height": str(task.height)}
    _open(xml, "image", {"id": str(number), "name": task.file_name, **size})
    about = {
        r["annotation_id"]: r["reason"] for r in task.findings if r["annotation_id"] is not None
    }
    missing = [r["reason"] for r in task.findings if r["annotation_id"] is None]
    for shape in task.proposed:
        reason = about.get(shape.annotation_id)
        if shape.annotation_id is None and missing:
            reason = missing.pop(0)
        _shape(xml, task, shape, reason)
    xml.endElement("image")


def _shape(xml: XMLGenerator, task: Task, shape: Shape, reason: str | None) -> None:
    fixed = {
        "label": shape.category,
        "source": "manual" if shape.model is None else "auto",
        "occluded": "0",
        "z_order": "0",
    }
    values = {
        "annotation_id": shape.annotation_id,
        "reason": reason,
        "model": shape.model,
        "p_error": None if shape.score is None else f"{shape.score:.3f}",
    }
    for name, places in _places(task, shape):
        _open(xml, name, fixed | places)
        for key, value in values.items():
            if value is not None:
                _text(xml, "attribute", str(value), name=key)
        xml.endElement(name)


def _places(task: Task, shape: Shape) -> list[tuple[str, dict[str, str]]]:
    """The elements of an object: a box, one polygon or more, or a mask."""
    if isinstance(shape.segmentation, list) and shape.segmentation:
        return [("polygon", {"points": _points(part)}) for part in shape.segmentation]
    if shape.segmentation:
        return [("mask", _mask(shape.segmentation, task.height, task.width))]
    x, y, width, height = shape.box
    ends = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
    return [("box", {k: f"{v:.2f}" for k, v in ends.items()})]


def _points(part: list[float]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in zip(part[::2], part[1::2], strict=False))


def _mask(segmentation: Any, height: int, width: int) -> dict[str, str]:
    rle = to_rle(json.dumps(segmentation), height, width)
    left, top, across, down = (int(v) for v in coco_mask.toBbox(rle))
    inside = coco_mask.decode(rle)[top : top + down, left : left + across].ravel()
    changes = np.flatnonzero(np.diff(inside)) + 1
    runs = np.diff(np.concatenate([[0], changes, [inside.size]]))
    counts = (
        [0, *runs.tolist()] if inside[:1].any() else runs.tolist()
    )  # the background comes first
    place = {"left": left, "top": top, "width": across, "height": down}
    return {"rle": ", ".join(map(str, counts))} | {k: str(v) for k, v in place.items()}


def _open(xml: XMLGenerator, element: str, attributes: dict[str, str]) -> None:
    xml.startElement(element, AttributesImpl({k: xml_text(v) for k, v in attributes.items()}))


def _text(xml: XMLGenerator, element: str, text: str, **attributes: str) -> None:
    _open(xml, element, attributes)
    xml.characters(xml_text(text))
    xml.endElement(element)


EXPORTER = Exporter(
    "cvat", "Annotations for CVAT with the suggestions as automatic pre-annotations.", write
)
