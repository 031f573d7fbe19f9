"""The relabelling list as a table that a spreadsheet opens."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.exports.proposals import selected
from label_quality.exports.registry import Exporter, Result

if TYPE_CHECKING:
    from label_quality.exports.source import Source

COLUMNS = (
    *("batch", "image_id", "file_name", "error_type", "annotation_id", "category"),
    *("suggested_category", "suggested_fix", "x", "y", "width", "height"),
    *("suggested_x", "suggested_y", "suggested_width", "suggested_height"),
    *("p_error", "reason", "note", "author", "at", "finding_id"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(source: Source, folder: Path) -> Result:
    """``relabel.csv``: one row per finding."""
    rows = selected(source)
    file = folder / "relabel.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row[c]) for c in COLUMNS] for row in rows)
    return Result([file], [f"{len(rows)} findings to relabel"])


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


EXPORTER = Exporter("relabel-csv", "The relabelling list as a CSV table.", write)
