"""The fast reader's decoding: strict types, whole chunks, and `Refused` for whatever is not plainly sound.

It never decides that a record is bad: it leaves that to the tolerant reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, TypeVar

import msgspec

from label_quality.coco.document import Array
from label_quality.coco.errors import Refused
from label_quality.coco.segments import Segments

T = TypeVar("T")


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
        name: sum(getattr(record, name) is not None for record in records)
        for name in shape.__struct_fields__  # type: ignore[attr-defined]
    }
    check_keys(text, present)
    return records


def check_keys(text: bytes, present: dict[str, int]) -> None:
    """Raises `Refused` if one of the keys of `present` stands twice in a record; decoders keep the last silently.

    `present` says how many records have each key. Where the text holds just so many, none can stand twice.
    """
    counts_agree = all(
        len(re.findall(b'"%s"[ \t\n\r]*:' % key.encode(), text)) == n for key, n in present.items()
    )
    if not counts_agree or b"\\u" in text:  # an escape could hide a key
        _refuse_twice(text, present.keys())


def check_object_keys(
    text: bytes, present: dict[str, int], segmentations: list[bytes], found: Segments
) -> None:
    """`check_keys` for labels or predictions, whose segmentations were decoded to `found`.

    Every key has a colon, so where the text holds no more colons than keys are known, none can stand twice.
    """
    present = present | {"segmentation": len(segmentations) - segmentations.count(b"")}
    masks = b"[" + b",".join([segmentations[k] for k in found.rle_row.tolist()]) + b"]"
    in_masks = masks.count(b":")
    in_counts = "".join([r.counts for r in found.rles if isinstance(r.counts, str)]).count(":")
    if in_masks != 2 * len(found.rles) + in_counts:
        _refuse_twice(masks, ("size", "counts"))
    if text.count(b":") != sum(present.values()) + in_masks:
        check_keys(text, present)


def _refuse_twice(text: bytes, read: Collection[str]) -> None:
    def count(pairs: list[tuple[str, Any]]) -> set[str]:
        keys = [key for key, _ in pairs if key in read]
        return {key for key in keys if keys.count(key) > 1}

    if any(json.loads(text, object_pairs_hook=count)):
        raise Refused("a key stands twice in a record")
