"""The fast reader's decoding: strict types, whole chunks, and `Refused` for whatever is not plainly sound.

It never decides that a record is bad: it leaves that to the tolerant reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
import numpy as np

from label_quality.coco.document import Array
from label_quality.coco.errors import Refused
from label_quality.coco.segments import Segments
from label_quality.coco.sinks import Texts

T = TypeVar("T")
_COLON = ord(":")


def decode(
    piece: memoryview | bytes, decoder: msgspec.json.Decoder[list[T]]
) -> tuple[list[T], bytes]:
    """The records of a piece of an array, and the bytes they were decoded from. Raises `Refused`."""
    text = b"".join((b"[", piece, b"]"))
    try:
        if not text.isascii():
            text.decode("utf-8")
        return decoder.decode(text), text
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused(str(error)) from error


def decode_array(array: Array, shape: type[T]) -> list[T]:
    """All records of an array that is not large. Raises `Refused`."""
    if array.raw is None:
        raise Refused("the file is not strict JSON")
    records, text = decode(array.raw[1:-1], msgspec.json.Decoder(list[shape]))  # type: ignore[valid-type]
    present = {
        name: len(records) - list(map(attrgetter(name), records)).count(None)
        for name in shape.__struct_fields__  # type: ignore[attr-defined]
    }
    check_keys(text, present)
    return records


def check_keys(text: bytes, present: dict[str, int]) -> None:
    """Raises `Refused` if one of the keys of `present` stands twice in a record; decoders keep the last silently.

    `present` says how many records have each key. Where the text holds just so many, none can stand twice.
    """
    if b"\\u" in text or any(not _stands(key.encode(), text, n) for key, n in present.items()):
        _refuse_twice(text, present.keys())  # an escape could hide a key


def _stands(key: bytes, text: bytes, times: int) -> bool:
    """Whether `text`, which holds this key `times` times or more, holds it just so often."""
    quoted = b'"%s"' % key
    if text.count(quoted) == times:  # as a key or as a value
        return True
    return len(re.findall(quoted + b"[ \t\n\r]*:", text)) == times


def check_object_keys(text: bytes, present: dict[str, int], texts: Texts, found: Segments) -> None:
    """`check_keys` for labels or predictions, whose segmentations `texts` were decoded to `found`.

    Every key has a colon, so where the text holds no more colons than keys are known, none can stand twice.
    """
    present = present | {"segmentation": int(np.count_nonzero(texts.lengths))}
    in_masks = check_mask_keys(texts, found)
    colons = np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _COLON)
    if colons != sum(present.values()) + in_masks:
        check_keys(text, present)


def check_mask_keys(texts: Texts, found: Segments) -> int:
    """Raises `Refused` if a key stands twice in run lengths. Returns how many colons these hold."""
    masks = b"[" + b",".join([texts[k] for k in found.rle_row.tolist()]) + b"]"
    colons = masks.count(b":")
    in_counts = "".join([r.counts for r in found.rles if isinstance(r.counts, str)]).count(":")
    if colons != 2 * len(found.rles) + in_counts:
        _refuse_twice(masks, ("size", "counts"))
    return colons


def _refuse_twice(text: bytes, read: Collection[str]) -> None:
    def count(pairs: list[tuple[str, Any]]) -> set[str]:
        keys = [key for key, _ in pairs if key in read]
        return {key for key in keys if keys.count(key) > 1}

    if any(json.loads(text, object_pairs_hook=count)):
        raise Refused("a key stands twice in a record")
