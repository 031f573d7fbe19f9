"""Reads a COCO annotation file: fast and strict first, record by record where anything is amiss.

What the two readers share stands in ``label_chunks``; the rules in ``records``, ``images`` and ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from label_quality.coco import labels_fast, labels_tolerant
from label_quality.coco.document import Array, Document
from label_quality.coco.errors import Refused
from label_quality.coco.image_files import FileCheck, check_files
from label_quality.coco.label_chunks import Taken
from label_quality.coco.quarantine import to_table
from label_quality.coco.sinks import Restartable
from label_quality.schema import TABLES

_ISSUES = {
    "missing": "file_missing",
    "unreadable": "file_unreadable",
    "unsafe_name": "unsafe_file_name",
    "size_differs": "size_differs",
}
_TYPES = ("none", "polygon", "rle")
_PLURALS = {"image": "images", "category": "categories", "annotation": "annotations"}


@dataclass(frozen=True)
class Labels:
    """An annotation file as tables of the schema, ``batch`` filled in. Read = kept + quarantined.

    `counts` has read, kept and quarantined records of "images", "categories" and "annotations".
    """

    images: pa.Table
    categories: pa.Table
    annotations: pa.Table
    ingest_warnings: pa.Table
    quarantined_labels: pa.Table
    counts: dict[str, tuple[int, int, int]]
    reader: str
    images_checked: bool


def read_labels(
    path: Path,
    batch: str,
    *,
    images: Path | None = None,
    header_threads: int = 8,
    write_masks: Callable[[pa.Table], None],
    reader: str = "auto",
    file_name: str | None = None,
) -> Labels:
    """Reads and validates a COCO or LVIS annotation file.

    `images` is the folder that file names are below; without it no image file is looked at. Rows of
    ``annotation_masks`` go to `write_masks` in chunks (it is not called where there are none). `file_name` is the name
    that the user knows the file by. `reader` is "auto", or "fast" or "tolerant" to force one.

    Raises `UnreadableFile` for a file that cannot be read at all, and `Refused` if "fast" is forced and refuses.
    """
    name = file_name or path.name
    sink = Restartable(write_masks)
    with Document(path, name) as document:
        taken = None
        if reader != "tolerant":
            try:
                taken = labels_fast.read(label_arrays(document, glance=True), batch, sink)
            except Refused:
                if reader == "fast":
                    raise
                sink.restart()
        used = "tolerant" if taken is None else "fast"
        taken = taken or labels_tolerant.read(label_arrays(document), batch, sink)
    return _finish(taken, batch, name, images, header_threads, used)


def label_arrays(document: Document, *, glance: bool = False) -> dict[str, Array]:
    """The three arrays of an annotation file. Raises `UnreadableFile` if it is none.

    At a `glance`, the end of the annotations may be a wrong guess, which shows when they are decoded.
    """
    if document.first == b"[":
        raise document.error(
            "a list stands here, as in a results file; an annotation file is an object "
            "with the lists images, annotations and categories"
        )
    arrays = document.arrays_at_a_glance() if glance else None
    if arrays is None or not arrays.keys() >= {"images", "annotations", "categories"}:
        arrays = document.arrays()
    for key in ("images", "annotations", "categories"):
        if key not in arrays:
            raise document.error(f'the object that starts here has no list "{key}"')
    return arrays


def _finish(
    taken: Taken, batch: str, file: str, root: Path | None, threads: int, reader: str
) -> Labels:
    names = taken.images.columns["file_name"]
    checks = [FileCheck("not_checked")] * len(names)
    if root is not None:
        checks = check_files(
            root,
            names,
            taken.images.columns["width"].tolist(),
            taken.images.columns["height"].tolist(),
            threads,
        )
        _note_files(taken, checks)
    file_columns = {
        "file_state": [c.state for c in checks],
        "file_width": [c.width for c in checks],
        "file_height": [c.height for c in checks],
        "exif_orientation": [c.orientation for c in checks],
    }
    counts = {
        plural: (taken.read[plural], taken.read[plural] - out, out)
        for kind, plural in _PLURALS.items()
        for out in [taken.quarantine.count(kind)]
    }
    return Labels(
        images=to_table("images", batch, taken.images.columns | file_columns),
        categories=to_table("categories", batch, taken.categories.columns),
        annotations=_annotations(taken, batch),
        ingest_warnings=taken.warnings.table(batch),
        quarantined_labels=taken.quarantine.table("quarantined_labels", batch, file),
        counts=counts,
        reader=reader,
        images_checked=root is not None,
    )


def _note_files(taken: Taken, checks: list[FileCheck]) -> None:
    ids = taken.images.ids.tolist()
    for position, image, check in zip(taken.image_position.tolist(), ids, checks, strict=True):
        if check.detail is not None:
            taken.warnings.add("image", position, _ISSUES[check.state], image, image, check.detail)


def _annotations(taken: Taken, batch: str) -> pa.Table:
    columns = {
        name: np.concatenate([part[name] for part in taken.parts])
        for name in (taken.parts[0] if taken.parts else ())
    }
    if not columns:
        return TABLES["annotations"].arrow_schema().empty_table()
    kind = columns.pop("kind")
    originals = columns.pop("original_id", pa.nulls(len(kind), pa.string()))
    return to_table(
        "annotations",
        batch,
        columns
        | {
            # Made here: the first pa.array imports pandas, which processes that compare masks can do without.
            "segmentation_type": pa.array(_TYPES).take(pa.array(kind)),
            "parts": pa.array(columns["parts"], mask=kind != 1),
            "mask_area": pa.array(columns["mask_area"], mask=kind == 0),
            "original_id": originals,
        },
    )
