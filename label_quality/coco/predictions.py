"""Reads a COCO results file: fast and strict first, record by record where anything is amiss.

The rules stand in ``records`` and ``rules``; here is the order in which they are applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from label_quality.coco import columns, fast, segments
from label_quality.coco.columns import ImageSizes, Objects
from label_quality.coco.document import Array, Document
from label_quality.coco.errors import Refused
from label_quality.coco.ids import References
from label_quality.coco.pipeline import in_order
from label_quality.coco.quarantine import Quarantine, to_table
from label_quality.coco.records import LoosePrediction, Prediction
from label_quality.coco.rules import dangling, judge
from label_quality.coco.segments import NONE
from label_quality.coco.sinks import Restartable, strings
from label_quality.coco.tolerant import Reader
from label_quality.coco.verdict import Verdict

CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class Predictions:
    """What was taken of a results file. Read = kept + quarantined."""

    quarantined: pa.Table
    read: int
    kept: int
    quarantined_count: int
    reader: str


@dataclass
class _Target:
    """The images and categories that predictions refer to, and where the rows go."""

    batch: str
    model: str
    image_ids: np.ndarray
    category_ids: np.ndarray
    images: References
    categories: References
    sizes: ImageSizes
    rows: Restartable
    masks: Restartable


@dataclass
class _Chunk:
    position: np.ndarray  # int64
    objects: Objects
    mask_texts: Callable[[np.ndarray], list[bytes]]
    verdict: Verdict


def read_predictions(
    path: Path,
    batch: str,
    model: str,
    *,
    images: pa.Table,
    categories: pa.Table,
    write: Callable[[pa.Table], None],
    write_masks: Callable[[pa.Table], None],
    reader: str = "auto",
    file_name: str | None = None,
) -> Predictions:
    """Reads and validates a results file against the `images` and `categories` of its batch.

    Rows of ``imported_predictions`` go to `write` and rows of ``prediction_masks`` to `write_masks`, in chunks and in
    the order of the file (neither is called where there are none). The other arguments are those of `read_labels`.

    Raises `UnreadableFile` for a file that cannot be read at all, and `Refused` if "fast" is forced and refuses.
    """
    name = file_name or path.name
    target = _target(batch, model, images, categories, Restartable(write), Restartable(write_masks))
    quarantine = Quarantine()
    with Document(path, name) as document:
        array = results_array(document)
        used, read = "fast", None
        if reader != "tolerant":
            try:
                read = _fast(array, target)
            except Refused:
                if reader == "fast":
                    raise
                target.rows.restart()
                target.masks.restart()
        if read is None:
            used, read = "tolerant", _tolerant(array, target, quarantine)
    out = len(quarantine.rows)
    table = quarantine.table("quarantined_predictions", batch, name)
    return Predictions(table, read, read - out, out, used)


def results_array(document: Document) -> Array:
    """The list of records of a results file. Raises `UnreadableFile` if it is none."""
    if document.first == b"[":
        return document.top_list()
    arrays = document.arrays()
    found = [arrays[key] for key in ("predictions", "annotations") if key in arrays]
    if not found:
        raise document.error(
            "a results file is a list, or an object with a list predictions or annotations"
        )
    if {"images", "categories"} & arrays.keys() and not found[0].first_record_has("score"):
        raise document.error(
            "this looks like an annotation file (images, categories, no scores), not like a results file"
        )
    return found[0]


def _target(
    batch: str,
    model: str,
    images: pa.Table,
    categories: pa.Table,
    rows: Restartable,
    masks: Restartable,
) -> _Target:
    image_ids = images["image_id"].to_numpy()
    category_ids = categories["category_id"].to_numpy()
    return _Target(
        batch,
        model,
        image_ids,
        category_ids,
        References(image_ids, images["original_id"].to_pylist()),
        References(category_ids, categories["original_id"].to_pylist()),
        ImageSizes(images["width"].to_numpy(), images["height"].to_numpy()),
        rows,
        masks,
    )


def _fast(array: Array, target: _Target) -> int:
    decoder = msgspec.json.Decoder(list[Prediction])

    def decoded() -> Iterator[tuple[int, list[Prediction], bytes]]:
        start = 0
        for piece in array.chunks(CHUNK_BYTES):
            records, text = fast.decode(piece, decoder)
            array.document.forget(piece)
            yield start, records, text
            start += len(records)

    def work(item: tuple[int, list[Prediction], bytes]) -> tuple[int, pa.Table, pa.Table]:
        chunk = _fast_chunk(*item, target)
        tables = _judged(chunk, target)
        if chunk.verdict.reasons:
            raise Refused(next(iter(chunk.verdict.reasons.values())))
        return len(chunk.objects), *tables

    read = 0
    for n, rows, masks in in_order(work, decoded()):
        target.rows(rows)
        target.masks(masks)
        read += n
    return read


def _fast_chunk(start: int, records: list[Prediction], text: bytes, target: _Target) -> _Chunk:
    image_row = target.images.rows_of_integers(columns.integers([r.image_id for r in records]))
    category_row = target.categories.rows_of_integers(
        columns.integers([r.category_id for r in records])
    )
    if (image_row < 0).any() or (category_row < 0).any():
        raise Refused("a prediction refers to an image or a category that is not there")
    texts = [bytes(r.segmentation) for r in records]
    found = segments.from_texts(texts)
    objects = columns.predictions(records, image_row, category_row, target.sizes, found)
    present = dict.fromkeys(("image_id", "category_id", "score"), len(records))
    present["bbox"] = int(objects.has_box.sum())
    fast.check_object_keys(text, present, texts, found)

    def mask_texts(rows: np.ndarray) -> list[bytes]:
        return texts if len(rows) == len(texts) else [texts[k] for k in rows.tolist()]

    position = np.arange(start, start + len(records))
    return _Chunk(position, objects, mask_texts, Verdict(len(records)))


def _tolerant(array: Array, target: _Target, quarantine: Quarantine) -> int:
    reader = Reader(array, "prediction", LoosePrediction, ["image_id", "category_id"])
    for group in reader.batches(quarantine):
        objects = columns.predictions(
            group.records,
            target.images.rows(group.ids["image_id"]),
            target.categories.rows(group.ids["category_id"]),
            target.sizes,
            segments.from_values([r.segmentation for r in group.records]),
        )
        verdict = Verdict(len(objects))
        dangling(objects, group.ids, quarantine.ids, verdict)
        chunk = _Chunk(
            group.position,
            objects,
            lambda rows, group=group: [group.segmentation(k).encode() for k in rows.tolist()],  # type: ignore[misc]
            verdict,
        )
        rows, masks = _judged(chunk, target)
        group.quarantine("prediction", verdict.reasons, quarantine)
        target.rows(rows)
        target.masks(masks)
    return reader.read


def _judged(chunk: _Chunk, target: _Target) -> tuple[pa.Table, pa.Table]:
    objects = chunk.objects
    judge(objects, chunk.verdict)
    assert objects.score is not None
    rows = np.flatnonzero(chunk.verdict.kept)
    box, kind = objects.box[rows], objects.segments.kind[rows]
    table: dict[str, Any] = {
        "model": pa.repeat(target.model, len(rows)),
        "prediction_id": chunk.position[rows],
        "image_id": target.image_ids[objects.image_row[rows]],
        "category_id": target.category_ids[objects.category_row[rows]],
        "score": objects.score[rows],
        "x": box[:, 0],
        "y": box[:, 1],
        "width": box[:, 2],
        "height": box[:, 3],
        "has_mask": kind != NONE,
    }
    masked = rows[kind != NONE]
    masks = {
        "model": pa.repeat(target.model, len(masked)),
        "prediction_id": chunk.position[masked],
        "segmentation": strings(chunk.mask_texts(masked)),
    }
    return (
        to_table("imported_predictions", target.batch, table),
        to_table("prediction_masks", target.batch, masks),
    )
