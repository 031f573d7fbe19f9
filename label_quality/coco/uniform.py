"""Files in which every record is written alike, read as a table of numbers.

That is how tools write them: the same keys in the same order with the same blanks, and only the numbers differ.
Without the characters of numbers, such a text is one skeleton over and over, which a comparison proves; what is taken
out is then read by Arrow's CSV reader, more than twice as fast as by a JSON reader. Anything else is left to others.

Labels differ in their segmentations too. Those are cut out first and ``null`` is put in their place: if that is sound
JSON, and so is each of them, the record was.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

_OF_NUMBERS = b"0123456789.-"
# The columns that the value of each key makes.
_Keys = dict[str, tuple[str, ...]]
PREDICTION: _Keys = {
    "image_id": ("image_id",),
    "category_id": ("category_id",),
    "score": ("score",),
    "bbox": tuple("xywh"),
}
LABEL: _Keys = {
    "id": ("id",),
    "image_id": ("image_id",),
    "category_id": ("category_id",),
    "area": ("area",),
    "iscrowd": ("iscrowd",),
    "bbox": tuple("xywh"),
    "segmentation": ("null",),  # cut out
}
_TYPES = dict.fromkeys(("id", "image_id", "category_id", "iscrowd"), pa.int64())

# Which character may follow which. A high bit of the one and the same low bit of the other have to be set:
_TO_DIGIT, _TO_MINUS, _AFTER_DIGIT, _PLAIN = 1, 2, 4, 8
_DIGIT = (_TO_DIGIT | _AFTER_DIGIT) << 4 | _TO_DIGIT
_POINT = _TO_DIGIT << 4 | _AFTER_DIGIT
_FOLLOWS = np.full(256, _PLAIN << 4 | _PLAIN, dtype=np.uint8)
_FOLLOWS[list(b" :[,")] |= (_TO_DIGIT | _TO_MINUS) << 4
_FOLLOWS[list(b",]}")] |= _AFTER_DIGIT
_FOLLOWS[list(b"0123456789")] = _DIGIT
_FOLLOWS[ord(".")] = _POINT
_FOLLOWS[ord("-")] = _TO_DIGIT << 4 | _TO_MINUS
_FOLLOWS_TABLE = _FOLLOWS.tobytes()

_BLOCK = 1 << 16  # characters at a time, so that they stay in the processor's cache
_TO_CSV = bytes.maketrans(b"}", b"\n")
_NOT_IN_CSV = bytes(set(range(256)) - set(_OF_NUMBERS + b",}"))


def read(text: bytes, separator: bytes, keys: _Keys = PREDICTION) -> pa.Table | None:
    """The columns of `keys` (but not ``null``) of records of just these keys, or None if they are not alike.

    `text` holds records with `separator` (``}, {`` or the like) between them.
    """
    names = _columns(text[: text.find(b"}") + 1], keys)
    if names is None or not _alike(text, separator[1:-1]) or not _numbers_in_place(text):
        return None
    lines = b"," + text.translate(
        _TO_CSV, _NOT_IN_CSV
    )  # every line starts with the comma between two records
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(lines),
            read_options=pa_csv.ReadOptions(
                use_threads=False, column_names=["", *names], block_size=len(lines) + 1
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=[name for name in names if name != "null"],
                column_types={name: _TYPES.get(name, pa.float64()) for name in names},
                null_values=[],
            ),
        )
    except pa.ArrowInvalid:
        return None
    return None if any(column.null_count for column in table.columns) else table


def cut(text: bytes) -> tuple[bytes, list[bytes]] | None:
    """The text of labels with ``null`` for each segmentation, and the segmentations; None if they are not alike.

    A record has two values in brackets, the box and the segmentation. That no bracket stood in a quoted text shows when
    what is left, and what was cut out, is read.
    """
    if not text.isascii():
        return None
    characters = np.frombuffer(text, dtype=np.uint8)
    folded = characters | 0x20  # a square bracket becomes a curly one
    brackets = np.flatnonzero((folded == ord("{")) | (folded == ord("}")))
    opens = characters[brackets] & 2 != 0
    depth = np.cumsum(np.where(opens, 1, -1))
    starts = brackets[opens & (depth == 2)]
    ends = brackets[~opens & (depth == 1)] + 1
    records = brackets[~opens & (depth == 0)] + 1
    if not len(records) or not len(starts) == len(ends) == 2 * len(records):
        return None
    try:
        pairs: list[tuple[str, Any]] = json.loads(text[: records[0]], object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    # A nested object is a list of pairs here.
    nested = [key for key, value in pairs if isinstance(value, list)]
    if sorted(nested) != ["bbox", "segmentation"]:
        return None
    which = nested.index("segmentation")
    begin, end = starts[which::2].tolist(), ends[which::2].tolist()
    between = zip([0, *end], [*begin, len(text)], strict=True)
    rest = b"null".join([text[a:b] for a, b in between])
    return rest, [text[a:b] for a, b in zip(begin, end, strict=True)]


def _columns(record: bytes, keys: _Keys) -> list[str] | None:
    """The numbers of a record in order, None if it does not have just these keys."""
    try:
        pairs: list[tuple[str, Any]] = json.loads(record, object_pairs_hook=list)
    except ValueError:
        return None
    names: list[str] = []
    for key, value in pairs:
        values = value if key == "bbox" else [value]
        if key not in keys or type(values) is not list or len(values) != len(keys[key]):
            return None
        if key == "segmentation":
            if value is not None:
                return None
        elif not all(type(v) in (int, float) for v in values):
            return None
        names += keys[key]
    return names if sorted(names) == sorted(n for k in keys.values() for n in k) else None


def _alike(text: bytes, between: bytes) -> bool:
    """Whether the text is the first record again and again, numbers left out."""
    skeleton = text.translate(None, _OF_NUMBERS) + between
    unit = skeleton[: skeleton.index(b"}") + 1] + between
    return skeleton == unit * (len(skeleton) // len(unit))


def _numbers_in_place(text: bytes) -> bool:
    """Whether every run of number characters stands where a value does, and is written as JSON has numbers.

    Behind a blank, colon, bracket or comma and before a comma or a closing bracket there is room for one value, and
    none for a key. Two points in one number are left for the CSV reader to refuse.
    """
    characters = np.frombuffer(text, dtype=np.uint8)
    kinds = np.frombuffer(text.translate(_FOLLOWS_TABLE), dtype=np.uint8)
    for start in range(0, len(text) - 2, _BLOCK):
        kind = kinds[start : start + _BLOCK + 2]
        if not ((kind[:-1] >> 4) & kind[1:]).min():
            return False
        zero = characters[start + 1 : start + 1 + len(kind) - 2] == ord("0")
        before = kind[:-2]
        if (zero & (kind[2:] == _DIGIT) & (before != _DIGIT) & (before != _POINT)).any():
            return False
    return True
