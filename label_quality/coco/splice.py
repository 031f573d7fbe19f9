"""Writes a COCO file again with a few labels changed, and every other byte as it was delivered.

The file is never built as a whole: the places of the labels concerned are found (``locate``), and what lies between them
is copied. Which labels to change, and why, is decided in ``exports``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from label_quality.coco import scan
from label_quality.coco.document import Document
from label_quality.coco.ids import Id
from label_quality.coco.locate import Located, Record, locate

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\n\r"
_KEYS = ("id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd")
_IDS = ("id", "image_id", "category_id")
_Piece = tuple[int, int, bytes]


def _yes(_: dict[str, Any]) -> bool:
    return True


@dataclass(frozen=True)
class Edit:
    """What becomes of one label: new values of some keys, or its removal.

    `is_it` tells the record from another one that has the same id.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    remove: bool = False
    is_it: Callable[[dict[str, Any]], bool] = _yes


@dataclass
class Spliced:
    """The labels before and after, by canonical id (None after: removed), and those added, with their ids, in order."""

    before: dict[Id, dict[str, Any]] = field(default_factory=dict)
    after: dict[Id, dict[str, Any] | None] = field(default_factory=dict)
    added: list[dict[str, Any]] = field(default_factory=list)


def splice(
    document: Document,
    edits: Mapping[Id, Edit],
    additions: Sequence[dict[str, Any]],
    out: BinaryIO,
) -> Spliced:
    """Write the document to `out` with labels changed, removed and, at the end of their list, added.

    Args:
        document: an annotation file.
        edits: by the label's canonical id. What no record is about is not in the result.
        additions: records without an id; each is given one above the largest of the file, in order.
        out: where the bytes go.

    Ids are written as the file writes its own (a number, or text). Raises UnreadableFile when the file is none.
    """
    view = document.bytes()
    found = locate(document.arrays()["annotations"], "id", edits.keys())
    done = Spliced()
    pieces: list[_Piece] = []
    removed = 0
    for record in found.hits:
        edit = edits[record.id]
        if record.id in done.before or not edit.is_it(record.value):
            continue
        done.before[record.id] = record.value
        if edit.remove:
            done.after[record.id] = None
            pieces.append((*_with_comma(view, record, first=record.index == removed), b""))
            removed += 1
        else:
            text = _changed(str(view[record.start : record.end], "utf-8"), record, edit.values)
            done.after[record.id] = json.loads(text)
            pieces.append((record.start, record.end, text.encode()))
    if additions:
        done.added = [_new(a, found, k) for k, a in enumerate(additions, start=1)]
        spaced = found.count > 0 and _is_spaced(view, found)
        texts = [
            json.dumps(a, ensure_ascii=False, separators=_separators(spaced)) for a in done.added
        ]
        comma = ", " if spaced else ","
        front = comma if found.count > removed else ""
        pieces.append((found.end, found.end, (front + comma.join(texts)).encode()))
    _write(document, view, pieces, out)
    return done


def _write(document: Document, view: memoryview, pieces: list[_Piece], out: BinaryIO) -> None:
    out.write(_BOM[: document.offset])
    at = 0
    for start, end, text in pieces:
        out.write(view[at:start])
        out.write(text)
        at = end
    out.write(view[at:])


def _with_comma(view: memoryview, record: Record, *, first: bool) -> tuple[int, int]:
    """The bytes to leave out with a record: the comma in front, or behind it where all in front are left out too."""
    start, end = record.start, record.end
    if not first:
        while view[start - 1] in _BLANK:
            start -= 1
        start -= 1
        while view[start - 1] in _BLANK:
            start -= 1
        return start, end
    behind = end
    while view[behind] in _BLANK:
        behind += 1
    if view[behind] != ord(","):
        return start, end
    behind += 1
    while view[behind] in _BLANK:
        behind += 1
    return start, behind


def _changed(text: str, record: Record, values: Mapping[str, Any]) -> str:
    """The record's text with the values of some keys replaced; keys that it lacks come last."""
    spans = dict(scan.members(text, 0, scan.Place("")))
    separators = _separators(": " in text)
    made = {
        key: json.dumps(_like(key, value, record.value), ensure_ascii=False, separators=separators)
        for key, value in values.items()
    }
    for key, span in sorted(spans.items(), key=lambda item: -item[1].start):
        if key in made:
            text = text[: span.start] + made[key] + text[span.end :]
    lacking = [f"{json.dumps(k)}{separators[1]}{v}" for k, v in made.items() if k not in spans]
    if lacking:
        end = len(text[: text.rindex("}")].rstrip())
        text = text[:end] + separators[0] + separators[0].join(lacking) + text[end:]
    return text


def _new(record: Mapping[str, Any], found: Located, number: int) -> dict[str, Any]:
    """A record with a fresh id, its keys in the order of the file's last one."""
    record = {**record, "id": found.largest + number}
    last = found.last or {}
    order = [k for k in last if k in _KEYS] + [k for k in _KEYS if k not in last]
    return {k: _like(k, record[k], last) for k in order if k in record}


def _like(key: str, value: Any, other: Mapping[str, Any]) -> Any:
    """An id as text where the other record has it as text; whole numbers of a box as integers where that has only such."""
    theirs = other.get(key)
    if key in _IDS:
        return str(value) if isinstance(theirs, str) else value
    if key == "bbox" and isinstance(theirs, list) and all(isinstance(v, int) for v in theirs):
        return [int(v) if float(v).is_integer() else v for v in value]
    if key == "area" and isinstance(theirs, int) and float(value).is_integer():
        return int(value)
    return value


def _separators(spaced: bool) -> tuple[str, str]:
    return (", ", ": ") if spaced else (",", ":")


def _is_spaced(view: memoryview, found: Located) -> bool:
    """Whether the file writes a blank after colons, by its last record."""
    tail = bytes(view[max(found.end - 400, 0) : found.end])
    return re.search(rb'"\s*: ', tail) is not None
