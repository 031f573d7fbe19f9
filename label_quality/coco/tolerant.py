"""The tolerant reader: every record on its own, and none that is not taken without its text and the reason.

What a record of a file looks like stands in ``records``, what its values may be in ``rules``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from label_quality.coco import scan
from label_quality.coco.document import Array
from label_quality.coco.ids import BadId, Id, canonical
from label_quality.coco.quarantine import Quarantine, record_id
from label_quality.coco.records import Rle, in_plain_words

T = TypeVar("T")
BATCH_SIZE = 20_000


@dataclass
class Batch(Generic[T]):
    """Records of sound shape, with their positions in the array, their canonical ids, and their texts."""

    records: list[T]
    position: np.ndarray  # int64
    ids: dict[str, list[Any]]  # by field: Id, list[Id] or None
    names: list[str]
    source: str
    spans: list[tuple[int, int]]

    def text(self, row: int) -> str:
        """The record to the letter."""
        start, end = self.spans[row]
        return self.source[start:end]

    def segmentation(self, row: int) -> str:
        """The text of the record's segmentation; the record is known to have one."""
        text = self.text(row)
        try:
            raw = msgspec.json.decode(text, type=_Segmentation).segmentation
            return str(memoryview(raw), "utf-8")
        except msgspec.MsgspecError:  # NaN in a key that nobody reads
            return scan.member_text(text, 0, "segmentation") or ""

    def extend(self, other: Batch[T]) -> None:
        """Adds the records of a later batch of the same array."""
        self.records += other.records
        self.position = np.concatenate([self.position, other.position])
        self.names += other.names
        self.spans += other.spans
        for name, values in other.ids.items():
            self.ids[name] += values

    def quarantine(self, kind: str, reasons: dict[int, str], into: Quarantine) -> None:
        """Hands over the rows that the rules turned down."""
        for row, reason in reasons.items():
            key = self.ids["id"][row] if "id" in self.ids else None
            into.add(kind, int(self.position[row]), self.names[row], reason, self.text(row), key)


class _Segmentation(msgspec.Struct):
    segmentation: msgspec.Raw


class Reader(Generic[T]):
    """Reads the records of one array. `id_fields` are made canonical; ``id`` may stand only once in the array."""

    def __init__(self, array: Array, kind: str, shape: type[T], id_fields: Sequence[str]) -> None:
        self._text, self._start, self._place = array.text()
        self._whole = array.whole
        self._kind, self._shape, self._id_fields = kind, shape, id_fields
        self._first: dict[Id, int] = {}
        self.read = 0

    def batches(self, quarantine: Quarantine) -> Iterator[Batch[T]]:
        """All records in order, those of unsound shape handed to `quarantine`. Raises `UnreadableFile`."""
        batch = self._new_batch()
        positions: list[int] = []
        for span in self._elements():
            position = self.read
            self.read += 1
            name = record_id(span.value, position)
            try:
                record, ids = self._convert(span, position)
            except _Defect as defect:
                text = self._text[span.start : span.end]
                quarantine.add(self._kind, position, name, str(defect), text, defect.key)
                continue
            batch.records.append(record)
            batch.names.append(name)
            batch.spans.append((span.start, span.end))
            positions.append(position)
            for field_name, value in zip(self._id_fields, ids, strict=True):
                batch.ids[field_name].append(value)
            if len(positions) == BATCH_SIZE:
                batch.position = np.array(positions, dtype=np.int64)
                yield batch
                batch, positions = self._new_batch(), []
        batch.position = np.array(positions, dtype=np.int64)
        yield batch

    def integer_ids(self) -> Iterator[int]:
        """Every id of the array that is an integer, of whatever record."""
        for span in self._elements():
            key = _key(span.value)
            if isinstance(key, int):
                yield key

    def _elements(self) -> Iterator[scan.Span]:
        return scan.elements(self._text, self._start, self._place, whole=self._whole)

    def _new_batch(self) -> Batch[T]:
        ids: dict[str, list[Any]] = {name: [] for name in self._id_fields}
        return Batch([], np.zeros(0, np.int64), ids, [], self._text, [])

    def _convert(self, span: scan.Span, position: int) -> tuple[T, list[Any]]:
        key = None
        if "id" in self._id_fields and (key := _key(span.value)) is not None:
            first = self._first.setdefault(key, position)
            if first != position:
                # The id belongs to the first record, so this one's fate does not concern who refers to it.
                raise _Defect(f"the id {key} stands already in record #{first}", None)
        if twice := _read_twice(span.value, self._shape):
            raise _Defect(f'the key "{twice}" stands twice in the record', key)
        text = self._text
        if (
            text.find("\\ud", span.start, span.end) >= 0
            or text.find("\\uD", span.start, span.end) >= 0
        ):
            _check_surrogates(span.value, key)
        try:
            record = msgspec.convert(span.value, self._shape)
        except msgspec.ValidationError as error:
            raise _Defect(in_plain_words(error), key) from None
        if twice := _read_twice(span.value.get("segmentation"), Rle):
            raise _Defect(f'the key "{twice}" stands twice in the segmentation', key)
        return record, [_canonical(record, name, key) for name in self._id_fields]


def _read_twice(record: Any, shape: type) -> str | None:
    """The first key that stands twice, of those that anything reads."""
    if type(record) is not scan.Twice:
        return None
    return next((k for k in record.keys_twice if k in shape.__struct_fields__), None)  # type: ignore[attr-defined]


class _Defect(Exception):
    def __init__(self, reason: str, key: Id | None) -> None:
        super().__init__(reason)
        self.key = key


def _key(record: Any) -> Id | None:
    value = record.get("id") if isinstance(record, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return canonical(value)
    except BadId:
        return None


def _canonical(record: Any, name: str, key: Id | None) -> Any:
    value = getattr(record, name)
    try:
        if isinstance(value, list):
            return [canonical(v) for v in value]
        return None if value is None else canonical(value)
    except BadId as bad:
        raise _Defect(f"{name} {bad}", key) from None


def _check_surrogates(record: Any, key: Id | None) -> None:
    try:
        json.dumps(record, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _Defect(
            "a text in the record holds half a character (a lone \\ud... escape)", key
        ) from None
