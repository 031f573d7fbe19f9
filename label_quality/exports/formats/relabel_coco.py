"""The images to relabel with their labels as a COCO file of its own: every record as it was delivered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.coco.document import Document
from label_quality.coco.locate import locate
from label_quality.coco.scan import Place, end_of_array
from label_quality.exports.proposals import selected
from label_quality.exports.registry import Exporter, Result
from label_quality.store.files import replacing

if TYPE_CHECKING:
    from label_quality.coco.ids import Id
    from label_quality.exports.source import Source


def write(source: Source, folder: Path) -> Result:
    """``<batch>.json`` for each batch that has something to relabel."""
    wanted: dict[str, set[int]] = {}
    for row in selected(source):
        wanted.setdefault(row["batch"], set()).add(row["image_id"])
    result = Result()
    for batch, images in wanted.items():
        rows = source.rows(
            "select image_id, original_id from images where batch = ? and image_id in (select unnest(?))",
            batch,
            sorted(images),
        )
        ids: set[Id] = {
            r["image_id"] if r["original_id"] is None else r["original_id"] for r in rows
        }
        file = folder / f"{batch}.json"
        with source.delivered(batch) as document, replacing(file) as temporary:
            temporary.write_bytes(subset(document, ids))
        result.files.append(file)
        result.says.append(f"{batch}: {len(ids)} images to relabel")
    if not wanted:
        result.says.append("nothing to relabel")
    return result


def subset(document: Document, images: set[Id]) -> bytes:
    """A COCO file of these images (canonical ids), their labels and all categories, each record to the letter."""
    arrays = document.arrays()
    view = document.bytes()
    parts = []
    for key, field in (("images", "id"), ("annotations", "image_id")):
        found = locate(arrays[key], field, images)
        records = b",\n".join(bytes(view[r.start : r.end]) for r in found.hits)
        parts.append(b'"%s": [\n%s\n]' % (key.encode(), records))
    text, start, _ = arrays["categories"].text()
    end = end_of_array(text, start, Place(document.name))
    parts.append(b'"categories": ' + text[start:end].encode())
    return b"{" + b",\n".join(parts) + b"}\n"


EXPORTER = Exporter(
    "relabel-coco", "The images to relabel and their labels as COCO, as they were delivered.", write
)
