"""The fast reader of results files: strict types, whole chunks, two threads. It refuses rather than decides.

Records without masks are read by Arrow, which lets other threads run (see also ``uniform``); records with masks by
msgspec, which keeps the text of the mask. Both are strict about types.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from label_quality.coco import columns, fast, segments, uniform
from label_quality.coco.columns import Objects
from label_quality.coco.document import SEPARATOR, Array
from label_quality.coco.errors import Refused
from label_quality.coco.prediction_chunks import Chunk, Target
from label_quality.coco.records import Prediction
from label_quality.coco.segments import NONE, Segments
from label_quality.coco.sinks import Texts
from label_quality.coco.verdict import Verdict
from label_quality.workers import in_threads

CHUNK_BYTES = 2 << 20
_SCHEMA = pa.schema(
    [
        ("image_id", pa.int64()),
        ("category_id", pa.int64()),
        ("score", pa.float64()),
        ("bbox", pa.list_(pa.float64())),
    ]
)
# What makes a chunk one for msgspec: masks, escapes that could hide a key, NaN or Inf, which Arrow takes, and null,
# which crashes Arrow 26 where a record should stand.
_NOT_PLAIN = (b'"segmentation"', b"\\", b"N", b"I", b"null")
_decoder = msgspec.json.Decoder(list[Prediction])


def read(array: Array, target: Target) -> int:
    """Reads the file and hands its rows to `target`. Raises `Refused` for whatever is not plainly sound.

    Returns the number of records.
    """

    def work(piece: memoryview) -> tuple[int, pa.Table, pa.Table]:
        text = bytes(piece)
        array.document.forget(piece)
        objects, texts = _plain(text, target) or _any(text, target)
        chunk = Chunk(
            np.arange(len(objects)),
            objects,
            texts.column,
            Verdict(len(objects)),
        )
        rows, masks = chunk.judge(target)
        if chunk.verdict.reasons:
            raise Refused(next(iter(chunk.verdict.reasons.values())))
        return len(objects), rows, masks

    total = 0
    for n, rows, masks in in_threads(work, array.chunks(CHUNK_BYTES)):
        target.rows(_moved(rows, total))
        target.masks(_moved(masks, total))
        total += n
    return total


def _moved(table: pa.Table, by: int) -> pa.Table:
    """The table of a chunk, in which predictions are counted from the chunk's first, counted from the file's first."""
    at = table.schema.get_field_index("prediction_id")
    moved = pa.array(table.column(at).to_numpy() + by, pa.int64())
    return table.set_column(at, table.schema.field(at), moved)


def _plain(text: bytes, target: Target) -> tuple[Objects, Texts] | None:
    """A chunk of records without masks, or None if it is not plainly that. Raises `Refused`."""
    found = SEPARATOR.search(text)
    separator = found.group() if found else b"},{"
    table = uniform.read(text, separator)
    if table is not None:
        boxes = np.stack([table[name].to_numpy() for name in "xywh"], axis=1)
    else:
        table = _by_arrow(text, separator)
        if table is None:
            return None
        boxes = table["bbox"].combine_chunks().flatten().to_numpy().reshape(-1, 4)
    n = table.num_rows
    image_row, category_row = _rows(
        table["image_id"].to_numpy(), table["category_id"].to_numpy(), target
    )
    objects = Objects.predictions(
        target.sizes.place(image_row, category_row),
        boxes + 0.0,
        np.ones(n, dtype=bool),
        Segments(np.full(n, NONE, dtype=np.uint8)),
        table["score"].to_numpy() + 0.0,
    )
    return objects, Texts([])


def _by_arrow(text: bytes, separator: bytes) -> pa.Table | None:
    """Records that have a box each and no mask, or None if they are not plainly that. Raises `Refused`."""
    if any(mark in text for mark in _NOT_PLAIN) or not text.isascii():
        return None
    lines = text.replace(separator, b"}\n{")
    try:
        table = pa_json.read_json(
            pa.BufferReader(lines),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
            parse_options=pa_json.ParseOptions(
                explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid as error:
        raise Refused(str(error)) from error
    # Arrow reads one record after another, whatever white space is between. That there was a separator between each
    # two follows from their number: one inside a text or a list, cut in two, would not have been read.
    if text.count(separator) != table.num_rows - 1:
        return None
    boxes = table["bbox"].combine_chunks()
    lengths = boxes.value_lengths().to_numpy(zero_copy_only=False)
    nulls = sum(c.null_count for c in (*table.columns, boxes.flatten()))
    return None if nulls or (lengths != 4).any() else table.select(_SCHEMA.names)


def _any(text: bytes, target: Target) -> tuple[Objects, Texts]:
    """A chunk of records with the texts of their masks. Raises `Refused`."""
    records, text = fast.decode(text, _decoder)
    image_row, category_row = _rows(
        columns.integers([r.image_id for r in records]),
        columns.integers([r.category_id for r in records]),
        target,
    )
    texts = Texts([bytes(r.segmentation) for r in records])
    found = segments.from_texts(texts)
    objects = columns.predictions(records, target.sizes.place(image_row, category_row), found)
    present = dict.fromkeys(("image_id", "category_id", "score"), len(records))
    present["bbox"] = int(objects.has_box.sum())
    fast.check_object_keys(text, present, texts, found)
    return objects, texts


def _rows(
    image_ids: np.ndarray, category_ids: np.ndarray, target: Target
) -> tuple[np.ndarray, np.ndarray]:
    image_row = target.images.rows_of_integers(image_ids)
    category_row = target.categories.rows_of_integers(category_ids)
    if (image_row < 0).any() or (category_row < 0).any():
        raise Refused("a prediction refers to an image or a category that is not there")
    return image_row, category_row
