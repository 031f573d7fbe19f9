"""Opens a delivered file and finds the arrays of records in it. What a record is belongs in ``records``.

The fast way finds the bounds of an array with one strict pass over the mapped bytes and cuts it at record boundaries.
A cut is a guess that proves itself: if the bytes before it decode as complete records, the cut is where a record ends,
because a JSON reader that has read complete records inside an array can only be between two of them. Were the cut
inside a string, an object or a nested list, the bytes before it would not decode.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np

from label_quality.coco import scan
from label_quality.coco.errors import Refused, UnreadableFile

_BLANK = b" \t\n\r"
SEPARATOR = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*\{")
_MAGIC = {
    b"\x1f\x8b": "is compressed with gzip: unpack it first",
    b"PK\x03\x04": "is a zip archive: unpack it first",
    b"\xff\xfe": "is encoded as UTF-16, and JSON has to be UTF-8",
    b"\xfe\xff": "is encoded as UTF-16, and JSON has to be UTF-8",
}


class _Top(msgspec.Struct):
    images: msgspec.Raw = msgspec.Raw(b"")
    annotations: msgspec.Raw = msgspec.Raw(b"")
    categories: msgspec.Raw = msgspec.Raw(b"")
    predictions: msgspec.Raw = msgspec.Raw(b"")


_ANNOTATIONS = re.compile(rb'"annotations"[ \t\n\r]*:[ \t\n\r]*\[')
_END = re.compile(rb"\}[ \t\n\r]*\]")
_BRACKET = ord("[")
_BLOCK = 1 << 18  # bytes compared at a time, so that they stay in the processor's cache
ARRAYS = ("images", "annotations", "categories", "predictions")


class Document:
    """A delivered file, mapped into memory. Raises `UnreadableFile` for what is no JSON at first sight."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise UnreadableFile(f"{name}, line 1, column 1: the file is empty") from None
        except OSError as error:
            raise UnreadableFile(f"{name} cannot be opened: {error.strerror}") from None
        head = self._map[:4]
        for magic, what in _MAGIC.items():
            if head.startswith(magic):
                raise UnreadableFile(f"{name}, byte 0: the file {what}")
        if b"\0" in head:
            raise UnreadableFile(
                f"{name}, byte {head.index(0)}: a zero byte; JSON has to be text in UTF-8"
            )
        self.offset = 3 if head.startswith(b"\xef\xbb\xbf") else 0
        found = re.compile(rb"[^ \t\n\r]").search(self._map, self.offset)
        if found is None:
            raise UnreadableFile(f"{name}, line 1, column 1: the file holds only white space")
        self.first = found.group()
        self.first_at = found.start()

    def __enter__(self) -> Document:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Where a view of it is still alive somewhere (in a traceback), it is unmapped with the last one.
        with suppress(BufferError):
            self._map.close()

    def bytes(self) -> memoryview:
        """The whole file without its byte order mark."""
        return memoryview(self._map)[self.offset :]

    def position(self, view: memoryview) -> int:
        """Where a part of `bytes()` starts in it."""
        return _offset(view, self._map) - self.offset

    def forget(self, view: memoryview) -> None:
        """Tells the system that these bytes will not be read again soon, so that they do not count as memory used."""
        if not hasattr(mmap, "MADV_DONTNEED") or not len(view):
            return
        start = _offset(view, self._map) // mmap.PAGESIZE * mmap.PAGESIZE
        length = _offset(view, self._map) + len(view) - start
        self._map.madvise(mmap.MADV_DONTNEED, start, length)

    def text(self, view: memoryview) -> tuple[str, scan.Place]:
        """A part of the file as text, and its place in the file. Raises `UnreadableFile` if it is not UTF-8."""
        start = _offset(view, self._map) if len(view) else 0
        try:
            text = str(view, "utf-8")
        except UnicodeDecodeError as bad:
            raise UnreadableFile(
                f"{self.name}, byte {start + bad.start}: the byte {view[bad.start]:#04x} "
                "is not part of a UTF-8 character; JSON has to be UTF-8"
            ) from None
        return text, self._place(start)

    def _place(self, start: int) -> scan.Place:
        before = self._map[self.offset : start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8", "replace")) + 1
        return scan.Place(self.name, before.count(b"\n") + 1, column)

    def error(self, what: str) -> UnreadableFile:
        """The error for the place where the JSON of the file starts."""
        return self._place(self.first_at).error("", 0, what)

    def arrays(self) -> dict[str, Array]:
        """The arrays of the file's top-level object by key; other values are left out.

        Raises `UnreadableFile` for broken JSON, and where one of the keys stands twice.
        """
        if self.first != b"{":
            raise self.error("the JSON should start with { here")
        views = self._top_level(self.bytes())
        return self._arrays_by_scan() if views is None else self._as_arrays(views)

    def arrays_at_a_glance(self) -> dict[str, Array] | None:
        """`arrays`, but the annotations are not looked at, and None where that cannot be.

        Where they end is a guess. It is right if all their chunks decode: a list of whole records ends at its bracket.
        """
        found = _ANNOTATIONS.search(self._map, self.offset)
        if self.first != b"{" or found is None:
            return None
        start = found.end() - 1
        end = self._end_of_records(start)
        rest = self._map[self.offset : start] + b"0" + self._map[end:]
        views = self._top_level(memoryview(rest))
        if views is None or bytes(views["annotations"]) != b"0":
            return None
        return self._as_arrays(views | {"annotations": memoryview(self._map)[start:end]})

    def _end_of_records(self, start: int) -> int:
        """Where the first ``}]`` at or after `start` ends, `start` if there is none."""
        whole = np.frombuffer(self._map, dtype=np.uint8)
        for at in range(start, len(whole), _BLOCK):
            block = whole[at : at + _BLOCK + 1]
            found = (block[:-1] == ord("}")) & (block[1:] == ord("]"))
            if found.any():
                return at + int(found.argmax()) + 2
        last = _END.search(self._map, start)
        return last.end() if last else start

    def _as_arrays(self, views: dict[str, memoryview]) -> dict[str, Array]:
        return {key: Array(self, raw=v) for key, v in views.items() if v and v[0] == _BRACKET}

    def _top_level(self, text: memoryview) -> dict[str, memoryview] | None:
        """The values of the keys that matter, None where the text is not strict JSON."""
        try:
            top = msgspec.json.decode(text, type=_Top)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        views = {key: memoryview(getattr(top, key)) for key in ARRAYS}
        # What is left of the file without the arrays is small; a second array of the same key is still in it.
        spans = sorted((_offset(v, text), len(v)) for v in views.values() if len(v))
        rest, at = bytearray(), 0
        for start, length in spans:
            rest += bytes(text[at:start]) + b"0"
            at = start + length
        rest += text[at:]
        try:
            keys = [key for key, _ in json.loads(rest, object_pairs_hook=list)]
        except (ValueError, RecursionError):
            return None
        for key in ARRAYS:
            if keys.count(key) > 1:
                raise self.error(f'the key "{key}" stands twice in this object')
        return views

    def _arrays_by_scan(self) -> dict[str, Array]:
        text, place = self.text(self.bytes())
        found = scan.top_level(text, place, ARRAYS)
        return {
            key: Array(self, scanned=(text, found[key].start, place))
            for key in ARRAYS
            if key in found and text[found[key].start] == "["
        }

    def top_list(self) -> Array:
        """The array that is the whole file; whether it ends well is for its reader to find out."""
        end = len(self._map)
        while self._map[end - 1 : end] in _BLANK:
            end -= 1
        return Array(self, raw=memoryview(self._map)[self.first_at : end], whole=True)


def _offset(view: memoryview, whole: memoryview | mmap.mmap) -> int:
    """Where a part of a buffer starts in it."""
    return int(_address(view) - _address(whole))


def _address(buffer: memoryview | mmap.mmap) -> int:
    return int(np.frombuffer(buffer, dtype=np.uint8).ctypes.data)


@dataclass
class Array:
    """An array of records in a document: its bytes where the fast way found them, else its place in the text.

    `whole` says that the array is all there should be in the file.
    """

    document: Document
    raw: memoryview | None = None
    scanned: tuple[str, int, scan.Place] | None = None
    whole: bool = False

    def text(self) -> tuple[str, int, scan.Place]:
        """The text that holds the array, the position of its bracket, and where the text comes from."""
        if self.scanned is None:
            assert self.raw is not None
            text, place = self.document.text(self.raw)
            return text, 0, place
        return self.scanned

    def first_record_has(self, key: str) -> bool:
        """Whether the first record is an object with this key."""
        text, start, place = self.text()
        first = next(scan.elements(text, start, place), None)
        return first is not None and isinstance(first.value, dict) and key in first.value

    def chunks(self, size: int) -> Iterator[memoryview]:
        """Pieces of about `size` bytes, cut where records seem to end (see the module), without the separators.

        Raises `Refused` where the bounds of the array are not known.
        """
        if self.raw is None or bytes(self.raw[-1:]) != b"]":
            raise Refused("the file is not strict JSON")
        body = self.raw[1:-1]
        at = 0
        while len(body) - at > size:
            cut = SEPARATOR.search(body, at + size)
            if cut is None:
                break
            yield body[at : cut.start() + 1]
            at = cut.end() - 1
        if at or bytes(body).strip(_BLANK):
            yield body[at:]
