"""Finds the places of a few records in a delivered file, by an id that they carry. What is done with them is decided elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from label_quality.coco import fast, scan
from label_quality.coco.document import Array
from label_quality.coco.errors import Refused
from label_quality.coco.ids import BadId, Id, canonical

_CHUNK = 8 << 20
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class Record:
    """A record: its number in the array, its canonical id, its value, and the bytes of the document that it takes."""

    index: int
    id: Id
    value: dict[str, Any]
    start: int
    end: int


@dataclass
class Located:
    """The records that were looked for, in order, and what there is to know of all.

    `end` is where the last record ends, or the place after the bracket where there is none; `largest` the largest
    integer among the ids (0 where there is none above).
    """

    hits: list[Record] = field(default_factory=list)
    count: int = 0
    last: dict[str, Any] | None = None
    end: int = 0
    largest: int = 0


def locate(array: Array, key: str, wanted: Collection[Id]) -> Located:
    """The records of `array` whose `key` (an id) is one of `wanted`, canonical ids. Positions are in ``document.bytes()``.

    Raises `UnreadableFile` for JSON that is broken.
    """
    try:
        return _fast(array, key, wanted)
    except Refused:
        return _tolerant(array, key, set(wanted))


def _fast(array: Array, key: str, wanted: Collection[Id]) -> Located:
    if array.raw is None:
        raise Refused("the file is not strict JSON")
    decoder = msgspec.json.Decoder(list[msgspec.defstruct("Keyed", [(key, int)], gc=False)])  # type: ignore[misc]
    integers = np.array([i for i in wanted if isinstance(i, int)], dtype=np.int64)
    found = Located(end=array.document.position(array.raw) + 1)
    last: tuple[memoryview, int] | None = None
    for piece in array.chunks(_CHUNK):
        records, text = fast.decode(piece, decoder)
        start = array.document.position(piece) - 1  # the text has a bracket in front
        try:
            ids = np.array(list(map(attrgetter(key), records)), dtype=np.int64)
        except OverflowError as error:
            raise Refused(str(error)) from error
        if len(ids):
            found.largest = max(found.largest, int(ids.max()))
            last = piece, start
        hits = np.flatnonzero(np.isin(ids, integers)).tolist()
        if hits:
            spans = _spans(text, hits)
            found.hits += [
                Record(found.count + k, int(ids[k]), msgspec.json.decode(raw), start + a, start + b)
                for k, (a, b, raw) in zip(hits, spans, strict=True)
            ]
        found.count += len(ids)
    if last is not None:
        text = b"".join((b"[", last[0], b"]"))
        _, end, raw = _spans(text, [-1])[0]
        found.last, found.end = msgspec.json.decode(raw), last[1] + end
    return found


def _spans(text: bytes, which: Sequence[int]) -> list[tuple[int, int, msgspec.Raw]]:
    """Start, end and bytes of some elements of the list that `text` is."""
    base = np.frombuffer(text, dtype=np.uint8).ctypes.data
    raws = _decode_raw.decode(text)
    spans = []
    for raw in (raws[k] for k in which):
        view = np.frombuffer(memoryview(raw), dtype=np.uint8)
        start = view.ctypes.data - base
        spans.append((start, start + len(view), raw))
    return spans


def _tolerant(array: Array, key: str, wanted: set[Id]) -> Located:
    text, bracket, _ = array.text()
    base = array.document.position(array.raw) if array.raw is not None else 0
    place = _Bytes(text, base)
    found = Located(end=place(bracket + 1))
    for index, span in enumerate(_elements(array)):
        found.count += 1
        found.end = span.end
        value = span.value
        if not isinstance(value, dict):
            continue
        found.last = value
        try:
            id_ = canonical(value[key])
        except (BadId, KeyError, TypeError):
            continue
        if isinstance(id_, int):
            found.largest = max(found.largest, id_)
        if id_ in wanted:
            start = place(span.start)
            found.hits.append(Record(index, id_, value, start, place(span.end)))
    if found.count:
        found.end = place(found.end)
    return found


def _elements(array: Array) -> Iterator[scan.Span]:
    text, bracket, place = array.text()
    return scan.elements(text, bracket, place)


class _Bytes:
    """Turns rising positions in a text into positions in its bytes."""

    def __init__(self, text: str, base: int) -> None:
        self._text, self._at, self._bytes = text, 0, base

    def __call__(self, at: int) -> int:
        self._bytes += len(self._text[self._at : at].encode())
        self._at = at
        return self._bytes
