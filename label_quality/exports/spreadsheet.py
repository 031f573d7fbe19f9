"""CSV tables that people open in a spreadsheet. Which rows and columns, the formats say."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.store.files import replacing

if TYPE_CHECKING:
    from label_quality.exports.source import Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(file: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write the `columns` of `rows` under their names."""
    with (
        replacing(file) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as out,
    ):
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows([_cell(row[c]) for c in columns] for row in rows)


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
