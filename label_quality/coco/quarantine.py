"""Collects the records that are not taken and the warnings about those that are, and makes their tables. No rule here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from label_quality.coco.ids import Id
from label_quality.schema import TABLES

KINDS = ("image", "category", "annotation", "prediction")
ISSUES = (
    "file_missing",
    "file_unreadable",
    "unsafe_file_name",
    "size_differs",
    "duplicate_file_name",
    "unknown_category_left_out",
    "duplicate_category_name",
    "box_outside_image",
    "empty_mask",
    "box_differs_from_mask",
    "area_differs_from_mask",
)


def record_id(record: Any, position: int) -> str:
    """The id of a record as it stands in the file, else its position (``#0`` is the first)."""
    value = record.get("id") if isinstance(record, dict) else None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return f"#{position}"


@dataclass
class Quarantine:
    """Records of one file that are not taken."""

    rows: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    ids: dict[str, set[Id]] = field(default_factory=lambda: {kind: set() for kind in KINDS})

    def add(
        self, kind: str, position: int, name: str, reason: str, original: str, key: Id | None
    ) -> None:
        """One record: its kind, position, id for people, reason, text, and its canonical id if it has one."""
        self.rows.append((KINDS.index(kind), position, name, reason, original))
        if key is not None:
            self.ids[kind].add(key)

    def count(self, kind: str) -> int:
        """How many records of this kind were not taken."""
        return sum(row[0] == KINDS.index(kind) for row in self.rows)

    def table(self, name: str, batch: str, file: str) -> pa.Table:
        """The table `name` (``quarantined_labels`` or ``quarantined_predictions``), in the order of the file."""
        rows = [
            (batch, file, KINDS[kind], record, reason, original)
            for kind, _, record, reason, original in sorted(self.rows)
        ]
        return rows_to_table(name, rows)


@dataclass
class Warnings:
    """Things that look wrong in records that are taken."""

    rows: list[tuple[int, int, int, int, int | None, str]] = field(default_factory=list)

    def add(
        self, kind: str, position: int, issue: str, record: int, image: int | None, detail: str
    ) -> None:
        """One issue of the record at `position`."""
        self.rows.append((KINDS.index(kind), position, ISSUES.index(issue), record, image, detail))

    def table(self, batch: str) -> pa.Table:
        """The table ``ingest_warnings``, in the order of the file."""
        rows = [
            (batch, KINDS[kind], record, image, ISSUES[issue], detail)
            for kind, _, issue, record, image, detail in sorted(self.rows, key=lambda r: r[:3])
        ]
        return rows_to_table("ingest_warnings", rows)


def rows_to_table(name: str, rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """A small table of the schema from tuples."""
    schema = TABLES[name].arrow_schema()
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )


def to_table(name: str, batch: str, columns: dict[str, Any]) -> pa.Table:
    """A table of the schema from arrays; ``batch`` is filled in."""
    schema = TABLES[name].arrow_schema()
    rows = len(next(iter(columns.values())))
    arrays = {"batch": pa.repeat(pa.scalar(batch, pa.string()), rows), **columns}
    return pa.table(
        [a if isinstance(a := arrays[f.name], pa.Array) else pa.array(a, f.type) for f in schema],
        schema=schema,
    )
