"""The relabelling list as a table that a spreadsheet opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.exports.proposals import selected
from label_quality.exports.registry import Exporter, Result
from label_quality.exports.spreadsheet import write_csv

if TYPE_CHECKING:
    from label_quality.exports.source import Source

COLUMNS = (
    *("batch", "image_id", "file_name", "error_type", "annotation_id", "category"),
    *("suggested_category", "suggested_fix", "x", "y", "width", "height"),
    *("suggested_x", "suggested_y", "suggested_width", "suggested_height"),
    *("p_error", "reason", "note", "author", "at", "finding_id"),
)


def write(source: Source, folder: Path) -> Result:
    """``relabel.csv``: one row per finding."""
    rows = selected(source)
    file = folder / "relabel.csv"
    write_csv(file, COLUMNS, rows)
    return Result([file], [f"{len(rows)} findings to relabel"])


EXPORTER = Exporter("relabel-csv", "The relabelling list as a CSV table.", write)
