"""What both readers of annotation files share: a chunk of labels on its way through the rules, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from label_quality.coco.columns import Objects
from label_quality.coco.images import Rows
from label_quality.coco.quarantine import Quarantine, Warnings, to_table
from label_quality.coco.rules import judge
from label_quality.coco.segments import NONE
from label_quality.coco.verdict import Verdict

LISTS = ("neg_category_ids", "not_exhaustive_category_ids")


class Note(NamedTuple):
    """A warning about a label; `position` is the label's place in the file, or in its chunk."""

    position: int
    issue: str
    annotation_id: int
    image_id: int
    detail: str


@dataclass
class Taken:
    """What a reader makes of a file, before image files are looked at."""

    categories: Rows
    images: Rows
    image_position: np.ndarray  # int64, position in the file of each image that is taken
    parts: list[dict[str, np.ndarray]] = field(
        default_factory=list
    )  # columns of annotations, by chunk
    read: dict[str, int] = field(default_factory=dict)
    quarantine: Quarantine = field(default_factory=Quarantine)
    warnings: Warnings = field(default_factory=Warnings)

    def note_rows(self, kind: str, verdict: Verdict, ids: list[int], position: np.ndarray) -> None:
        """Takes over the warnings about images or categories; `ids` and `position` are of all rows judged."""
        for row, issue, detail in verdict.warnings:
            image = ids[row] if kind == "image" else None
            self.warnings.add(kind, int(position[row]), issue, ids[row], image, detail)

    def add(self, columns: dict[str, np.ndarray], notes: list[Note], start: int = 0) -> None:
        """Takes over the labels of a chunk and the warnings about them; their positions count from `start`."""
        self.parts.append(columns)
        for note in notes:
            self.warnings.add(
                "annotation",
                start + note.position,
                note.issue,
                note.annotation_id,
                note.image_id,
                note.detail,
            )


@dataclass
class Chunk:
    """Labels of sound shape. `masks_of` gives the segmentations of some rows to the letter, as strings."""

    ids: np.ndarray  # int64
    originals: list[str | None] | None
    position: np.ndarray  # int64
    objects: Objects
    masks_of: Callable[[np.ndarray], pa.Array]
    verdict: Verdict

    def judge(self, taken: Taken, batch: str) -> tuple[dict[str, np.ndarray], pa.Table]:
        """Applies the rules. Returns the columns of the labels that are taken, and their ``annotation_masks``."""
        area, _ = judge(self.objects, self.verdict)
        rows = np.flatnonzero(self.verdict.kept)
        objects = self.objects
        kind = objects.segments.kind[rows]
        box = objects.box[rows]
        columns: dict[str, Any] = {
            "annotation_id": self.ids[rows],
            "image_id": _ids_of(taken.images, objects.placed.image_row[rows]),
            "category_id": _ids_of(taken.categories, objects.placed.category_row[rows]),
            "x": box[:, 0],
            "y": box[:, 1],
            "width": box[:, 2],
            "height": box[:, 3],
            "area": objects.area[rows],
            "iscrowd": objects.crowd[rows] == 1,
            "kind": kind,
            "parts": objects.segments.parts[rows],
            "mask_area": area[rows],
        }
        if self.originals is not None:
            columns["original_id"] = np.array(self.originals, dtype=object)[rows]
        masked = rows[kind != NONE]
        masks = to_table(
            "annotation_masks",
            batch,
            {"annotation_id": self.ids[masked], "segmentation": self.masks_of(masked)},
        )
        return columns, masks

    def notes(self, taken: Taken) -> list[Note]:
        """The warnings of the rules, each with the ids that it is about."""
        images = taken.images.ids
        return [
            Note(
                int(self.position[row]),
                issue,
                int(self.ids[row]),
                int(images[self.objects.placed.image_row[row]]),
                detail,
            )
            for row, issue, detail in self.verdict.warnings
        ]


def _ids_of(table: Rows, rows: np.ndarray) -> np.ndarray:
    ids: np.ndarray = table.ids[rows] if len(rows) else np.zeros(0, np.int64)
    return ids
