"""Reads a COCO results file: fast and strict first, record by record where anything is amiss.

The rules stand in ``records`` and ``rules``; what the two readers share in ``prediction_chunks``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from label_quality.coco import predictions_fast, predictions_tolerant
from label_quality.coco.document import Array, Document
from label_quality.coco.errors import Refused
from label_quality.coco.prediction_chunks import Target
from label_quality.coco.quarantine import Quarantine
from label_quality.coco.sinks import Restartable


@dataclass(frozen=True)
class Predictions:
    """What was taken of a results file. Read = kept + quarantined."""

    quarantined: pa.Table
    read: int
    kept: int
    quarantined_count: int
    reader: str


def read_predictions(
    path: Path,
    batch: str,
    model: str,
    *,
    images: pa.Table,
    categories: pa.Table,
    write: Callable[[pa.Table], None],
    write_masks: Callable[[pa.Table], None],
    reader: str = "auto",
    file_name: str | None = None,
) -> Predictions:
    """Reads and validates a results file against the `images` and `categories` of its batch.

    Rows of ``imported_predictions`` go to `write` and rows of ``prediction_masks`` to `write_masks`, in chunks and in
    the order of the file (neither is called where there are none). The other arguments are those of `read_labels`.

    Raises `UnreadableFile` for a file that cannot be read at all, and `Refused` if "fast" is forced and refuses.
    """
    name = file_name or path.name
    rows, masks = Restartable(write), Restartable(write_masks)
    target = Target.of(batch, model, images, categories, rows, masks)
    quarantine = Quarantine()
    with Document(path, name) as document:
        array = results_array(document)
        used, read = "fast", None
        if reader != "tolerant":
            try:
                read = predictions_fast.read(array, target)
            except Refused:
                if reader == "fast":
                    raise
                rows.restart()
                masks.restart()
        if read is None:
            used, read = "tolerant", predictions_tolerant.read(array, target, quarantine)
    out = len(quarantine.rows)
    table = quarantine.table("quarantined_predictions", batch, name)
    return Predictions(table, read, read - out, out, used)


def results_array(document: Document) -> Array:
    """The list of records of a results file. Raises `UnreadableFile` if it is none."""
    if document.first == b"[":
        return document.top_list()
    arrays = document.arrays()
    found = [arrays[key] for key in ("predictions", "annotations") if key in arrays]
    if not found:
        raise document.error(
            "a results file is a list, or an object with a list predictions or annotations"
        )
    if {"images", "categories"} & arrays.keys() and not found[0].first_record_has("score"):
        raise document.error(
            "this looks like an annotation file (images, categories, no scores), not like a results file"
        )
    return found[0]
