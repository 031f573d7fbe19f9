"""Tasks for Label Studio: the labels as annotations, the labels with all suggestions taken as predictions.

Boxes as rectangles, polygons as polygons; a label or suggestion whose outline is run lengths goes as its box, since Label
Studio's own run lengths are another format. Values are per cent of the picture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from label_quality.exports.proposals import Shape, Task, tasks
from label_quality.exports.registry import Exporter, Result
from label_quality.exports.xml_text import xml_text
from label_quality.store.files import replacing

if TYPE_CHECKING:
    from label_quality.exports.source import Source

IMAGE_URL = "/data/local-files/?d="
"""What Label Studio's local storage has in front of file names."""


def write(source: Source, folder: Path) -> Result:
    """``tasks.json`` to import, and ``label_config.xml`` for the project."""
    made = tasks(source)
    names = source.rows(
        "select distinct name from categories where batch in (select unnest(?)) order by 1",
        source.batches,
    )
    prefix = source.image_url or IMAGE_URL
    config, file = folder / "label_config.xml", folder / "tasks.json"
    config.write_text(label_config([r["name"] for r in names]), "utf-8")
    with replacing(file) as temporary:
        temporary.write_text(
            json.dumps([_task(t, prefix) for t in made], ensure_ascii=False, indent=1), "utf-8"
        )
    return Result([file, config], [f"{len(made)} tasks"])


def label_config(categories: list[str]) -> str:
    """The labelling interface that the tasks are for."""
    labels = "".join(f"    <Label value={quoteattr(xml_text(name))}/>\n" for name in categories)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        '  <Text name="why" value="$why"/>\n'
        f'  <RectangleLabels name="box" toName="image">\n{labels}  </RectangleLabels>\n'
        f'  <PolygonLabels name="polygon" toName="image">\n{labels}  </PolygonLabels>\n</View>\n'
    )


def _task(task: Task, prefix: str) -> dict[str, Any]:
    why = [r["reason"] or r["note"] or r["error_type"] or "to relabel" for r in task.findings]
    models = sorted({s.model for s in task.proposed if s.model}) or ["label_quality"]
    scores = [s.score for s in task.proposed if s.score is not None]
    return {
        "data": {
            "image": prefix + quote(task.file_name),
            "why": "\n".join(why),
            "batch": task.batch,
            "image_id": task.image_id,
            "finding_ids": [r["finding_id"] for r in task.findings],
        },
        "annotations": [{"result": _results(task, task.labels, "label")}],
        "predictions": [
            {
                "model_version": ", ".join(models),
                "score": max(scores, default=0.0),
                "result": _results(task, task.proposed, "suggestion"),
            }
        ],
    }


def _results(task: Task, shapes: list[Shape], word: str) -> list[dict[str, Any]]:
    return [
        result
        for number, shape in enumerate(shapes)
        for result in _shape(task, shape, f"{word}-{number}")
    ]


def _shape(task: Task, shape: Shape, id_: str) -> list[dict[str, Any]]:
    """One result of a box or polygon; an object of several polygons is several, of one group."""
    fixed = {
        "to_name": "image",
        "original_width": task.width,
        "original_height": task.height,
        "image_rotation": 0,
        "meta": {"annotation_id": shape.annotation_id},
    } | ({} if shape.score is None else {"score": shape.score})
    if not isinstance(shape.segmentation, list) or not shape.segmentation:
        x, y, width, height = shape.box
        across, down = 100 / task.width, 100 / task.height
        box = {"x": x * across, "y": y * down, "width": width * across, "height": height * down}
        value = {**box, "rotation": 0, "rectanglelabels": [xml_text(shape.category)]}
        return [{**fixed, "id": id_, "from_name": "box", "type": "rectanglelabels", "value": value}]
    out = []
    for number, part in enumerate(shape.segmentation):
        points = [
            [100 * x / task.width, 100 * y / task.height]
            for x, y in zip(part[::2], part[1::2], strict=False)
        ]
        value = {"points": points, "closed": True, "polygonlabels": [xml_text(shape.category)]}
        polygon = {**fixed, "from_name": "polygon", "type": "polygonlabels", "value": value}
        out.append(
            {**polygon, "id": f"{id_}-{number}"} | ({"parentID": f"{id_}-0"} if number else {})
        )
    return out


EXPORTER = Exporter(
    "label-studio",
    "Tasks for Label Studio with the labels and, as pre-annotations, the suggestions.",
    write,
)
