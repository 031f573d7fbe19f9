"""The tolerant reader of annotation files: every record on its own; what is not taken is quarantined with the reason."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from label_quality.coco import columns, segments
from label_quality.coco.columns import ImageSizes
from label_quality.coco.document import Array
from label_quality.coco.ids import Id, Numbering
from label_quality.coco.images import take_categories, take_images
from label_quality.coco.label_chunks import LISTS, Chunk, Taken
from label_quality.coco.quarantine import Quarantine
from label_quality.coco.records import LooseAnnotation, LooseCategory, LooseImage
from label_quality.coco.rules import dangling
from label_quality.coco.sinks import Restartable
from label_quality.coco.tolerant import Batch, Reader
from label_quality.coco.verdict import Verdict

T = TypeVar("T")


def read(arrays: dict[str, Array], batch: str, sink: Restartable) -> Taken:
    """Reads all three arrays; masks go to `sink`. Raises `UnreadableFile` for JSON that is broken."""
    quarantine = Quarantine()
    reader = Reader(arrays["categories"], "category", LooseCategory, ["id"])
    group = _whole(reader, quarantine)
    verdict = Verdict(len(group.records))
    numbering = Numbering(reader.integer_ids())
    categories = take_categories(group.records, group.ids["id"], numbering, verdict)
    taken = Taken(categories, categories, categories.kept, quarantine=quarantine)
    taken.read["categories"] = reader.read
    _note(taken, "category", verdict, group, numbering)

    image_reader = Reader(arrays["images"], "image", LooseImage, ["id", *LISTS])
    images = _whole(image_reader, quarantine)
    verdict = Verdict(len(images.records))
    numbering = Numbering(image_reader.integer_ids())
    taken.images, sizes = take_images(
        images.records, images.ids["id"], images.ids, numbering, categories, verdict
    )
    taken.image_position = images.position[taken.images.kept]
    taken.read["images"] = image_reader.read
    _note(taken, "image", verdict, images, numbering)
    _annotations(arrays["annotations"], batch, sink, taken, sizes)
    return taken


def _whole(reader: Reader[T], quarantine: Quarantine) -> Batch[T]:
    batches = list(reader.batches(quarantine))
    first = batches[0]
    for batch in batches[1:]:
        first.extend(batch)
    return first


def _note(
    taken: Taken, kind: str, verdict: Verdict, group: Batch[Any], numbering: Numbering
) -> None:
    group.quarantine(kind, verdict.reasons, taken.quarantine)
    taken.note_rows(kind, verdict, [numbering(i) for i in group.ids["id"]], group.position)


def _annotations(
    array: Array, batch: str, sink: Restartable, taken: Taken, sizes: ImageSizes
) -> None:
    reader = Reader(array, "annotation", LooseAnnotation, ["id", "image_id", "category_id"])
    numbering: Numbering | None = None
    for group in reader.batches(taken.quarantine):
        ids: list[Id] = group.ids["id"]
        if numbering is None and any(isinstance(i, str) for i in ids):
            numbering = Numbering(reader.integer_ids())  # the whole array is looked through, once
        chunk = _chunk(group, [numbering(i) if numbering else i for i in ids], taken, sizes)
        part, masks = chunk.judge(taken, batch)
        group.quarantine("annotation", chunk.verdict.reasons, taken.quarantine)
        taken.add(part, chunk.notes(taken))
        sink(masks)
    taken.read["annotations"] = reader.read


def _chunk(
    group: Batch[LooseAnnotation], numbers: list[Id], taken: Taken, sizes: ImageSizes
) -> Chunk:
    objects = columns.labels(
        group.records,
        sizes.place(
            taken.images.references.rows(group.ids["image_id"]),
            taken.categories.references.rows(group.ids["category_id"]),
        ),
        segments.from_values([r.segmentation for r in group.records]),
    )
    verdict = Verdict(len(objects))
    dangling(objects, group.ids, taken.quarantine.ids, verdict)
    return Chunk(
        np.array(numbers, dtype=np.int64),
        [i if isinstance(i, str) else None for i in group.ids["id"]],
        group.position,
        objects,
        lambda rows: pa.array([group.segmentation(k) for k in rows.tolist()], pa.string()),
        verdict,
    )
