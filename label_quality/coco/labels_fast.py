"""The fast reader of annotation files: strict types, whole chunks, two threads. It refuses rather than decides."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec
import numpy as np
import pyarrow as pa

from label_quality.coco import columns, fast, segments, uniform
from label_quality.coco.columns import ImageSizes, Objects, Placed
from label_quality.coco.document import SEPARATOR, Array
from label_quality.coco.errors import Refused
from label_quality.coco.ids import Numbering
from label_quality.coco.images import take_categories, take_images
from label_quality.coco.label_chunks import LISTS, Chunk, Note, Taken
from label_quality.coco.records import Annotation, Category, Image
from label_quality.coco.sinks import Restartable, Texts
from label_quality.coco.verdict import Verdict
from label_quality.workers import in_threads

CHUNK_BYTES = 2 << 20
_Part = tuple[np.ndarray, dict[str, np.ndarray], pa.Table, list[Note]]


def read(arrays: dict[str, Array], batch: str, sink: Restartable) -> Taken:
    """Reads all three arrays; masks go to `sink`. Raises `Refused` for whatever is not plainly sound."""
    taken, sizes = _images_and_categories(arrays)
    work = partial(_part, batch=batch, taken=taken, sizes=sizes)
    ids: list[np.ndarray] = []
    start = 0
    for part_ids, columns_, masks, notes in in_threads(work, _texts(arrays["annotations"])):
        ids.append(part_ids)
        taken.add(columns_, notes, start)
        sink(masks)
        start += len(part_ids)
    in_order = np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))
    if (in_order[1:] == in_order[:-1]).any():
        raise Refused("an id stands twice")
    taken.read["annotations"] = start
    return taken


def _texts(array: Array) -> Iterator[bytes]:
    for piece in array.chunks(CHUNK_BYTES):
        text = bytes(piece)
        array.document.forget(piece)
        yield text


def _part(text: bytes, batch: str, taken: Taken, sizes: ImageSizes) -> _Part:
    """The labels of a chunk: ids of all, columns and masks of those taken, warnings. Positions count from the chunk's."""
    chunk = _alike(text, taken, sizes) or _any(*fast.decode(text, _DECODER), taken, sizes)
    part, masks = chunk.judge(taken, batch)
    _refuse_if_any(chunk.verdict)
    return chunk.ids, part, masks, chunk.notes(taken)


_DECODER = msgspec.json.Decoder(list[Annotation])


def _refuse_if_any(verdict: Verdict) -> None:
    if verdict.reasons:
        raise Refused(next(iter(verdict.reasons.values())))


def _images_and_categories(arrays: dict[str, Array]) -> tuple[Taken, ImageSizes]:
    category_records = fast.decode_array(arrays["categories"], Category)
    image_records = fast.decode_array(arrays["images"], Image)
    category_ids, image_ids = [r.id for r in category_records], [r.id for r in image_records]
    for ids in (category_ids, image_ids):
        columns.integers(ids)
        if len(set(ids)) != len(ids):
            raise Refused("an id stands twice")
    lists = {name: [getattr(r, name) for r in image_records] for name in LISTS}
    for one in lists.values():
        columns.integers([value for values in one if values is not None for value in values])
    category_verdict, image_verdict = Verdict(len(category_ids)), Verdict(len(image_ids))
    numbering = Numbering(())  # there are only integers
    categories = take_categories(category_records, category_ids, numbering, category_verdict)
    images, sizes = take_images(
        image_records, image_ids, lists, numbering, categories, image_verdict
    )
    _refuse_if_any(category_verdict)
    _refuse_if_any(image_verdict)
    taken = Taken(categories, images, images.kept)
    taken.read |= {"categories": len(category_ids), "images": len(image_ids)}
    taken.note_rows("category", category_verdict, category_ids, np.arange(len(category_ids)))
    taken.note_rows("image", image_verdict, image_ids, np.arange(len(image_ids)))
    return taken, sizes


def _alike(text: bytes, taken: Taken, sizes: ImageSizes) -> Chunk | None:
    """A chunk of labels that are written alike, which most tools' are, or None. Lets other threads run."""
    found = SEPARATOR.search(text)
    parts = uniform.cut(text)
    if parts is None:
        return None
    rest, segmentations = parts
    table = uniform.read(rest, found.group() if found else b"},{", uniform.LABEL)
    if table is None or table.num_rows != len(segmentations):
        return None
    texts = Texts(segmentations)
    try:
        segments_ = segments.from_texts(texts, sound=False)
        fast.check_mask_keys(texts, segments_)
    except (Refused, ValueError, RecursionError):
        return None  # what is odd about them is found out by whoever reads any text
    all_ = np.ones(table.num_rows, dtype=bool)
    objects = Objects.labels(
        _placed(table["image_id"].to_numpy(), table["category_id"].to_numpy(), taken, sizes),
        np.stack([table[name].to_numpy() for name in "xywh"], axis=1) + 0.0,
        all_,
        segments_,
        area=table["area"].to_numpy() + 0.0,
        has_area=all_,
        crowd=table["iscrowd"].to_numpy().astype(np.float64),
    )
    return _chunk(table["id"].to_numpy(), objects, texts)


def _any(records: list[Annotation], text: bytes, taken: Taken, sizes: ImageSizes) -> Chunk:
    """A chunk of labels as a decoder gives them. Raises `Refused`."""
    placed = _placed(
        columns.integers([r.image_id for r in records]),
        columns.integers([r.category_id for r in records]),
        taken,
        sizes,
    )
    texts = Texts([bytes(r.segmentation) for r in records])
    found = segments.from_texts(texts)
    objects = columns.labels(records, placed, found)
    present = {
        "id": len(records),
        "image_id": len(records),
        "category_id": len(records),
        "bbox": int(objects.has_box.sum()),
        "area": int(objects.has_area.sum()),
        "iscrowd": sum(r.iscrowd is not None for r in records),
    }
    fast.check_object_keys(text, present, texts, found)
    return _chunk(columns.integers([r.id for r in records]), objects, texts)


def _chunk(ids: np.ndarray, objects: Objects, texts: Texts) -> Chunk:
    return Chunk(ids, None, np.arange(len(ids)), objects, texts.column, Verdict(len(ids)))


def _placed(
    image_ids: np.ndarray, category_ids: np.ndarray, taken: Taken, sizes: ImageSizes
) -> Placed:
    """What labels refer to. Raises `Refused` if it is not there."""
    image_row = taken.images.references.rows_of_integers(image_ids)
    category_row = taken.categories.references.rows_of_integers(category_ids)
    if (image_row < 0).any() or (category_row < 0).any():
        raise Refused("a label refers to an image or a category that is not there")
    return sizes.place(image_row, category_row)
