"""Tags of images, labels and predictions as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.exports.registry import Exporter, Result
from label_quality.exports.spreadsheet import write_csv

if TYPE_CHECKING:
    from label_quality.exports.source import Source

COLUMNS = (
    *("batch", "kind", "image_id", "file_name", "annotation_id", "model", "prediction_id"),
    *("tag", "author", "at"),
)


def write(source: Source, folder: Path) -> Result:
    """``tags.csv``: one row per tagged object and tag."""
    rows = source.rows(
        """select t.*, i.file_name from _tags t left join images i using (batch, image_id)
           where t.batch in (select unnest(?))
           order by t.batch, t.kind, t.image_id, t.annotation_id, t.model, t.prediction_id, t.tag""",
        source.batches,
    )
    file = folder / "tags.csv"
    write_csv(file, COLUMNS, rows)
    return Result([file], [f"{len(rows)} tags"])


EXPORTER = Exporter("tags", "Tags of images, labels and predictions as a CSV table.", write)
