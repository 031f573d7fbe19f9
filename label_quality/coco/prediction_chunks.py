"""What both readers of results files share: a chunk of predictions on its way through the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from label_quality.coco.columns import ImageSizes, Objects
from label_quality.coco.ids import References
from label_quality.coco.quarantine import to_table
from label_quality.coco.rules import judge
from label_quality.coco.segments import NONE
from label_quality.coco.sinks import Restartable
from label_quality.coco.verdict import Verdict


@dataclass
class Target:
    """The images and categories that predictions refer to, and where the rows go."""

    batch: str
    model: str
    image_ids: np.ndarray  # int64
    category_ids: np.ndarray  # int64
    images: References
    categories: References
    sizes: ImageSizes
    rows: Restartable
    masks: Restartable

    @classmethod
    def of(
        cls,
        batch: str,
        model: str,
        images: pa.Table,
        categories: pa.Table,
        rows: Restartable,
        masks: Restartable,
    ) -> Target:
        """The target for tables of images and categories as `read_labels` makes them."""
        image_ids = images["image_id"].to_numpy()
        category_ids = categories["category_id"].to_numpy()
        return cls(
            batch,
            model,
            image_ids,
            category_ids,
            References(image_ids, images["original_id"].to_pylist()),
            References(category_ids, categories["original_id"].to_pylist()),
            ImageSizes(images["width"].to_numpy(), images["height"].to_numpy()),
            rows,
            masks,
        )


@dataclass
class Chunk:
    """Predictions of sound shape. `masks_of` gives the segmentations of some rows to the letter, as strings."""

    position: np.ndarray  # int64
    objects: Objects
    masks_of: Callable[[np.ndarray], pa.Array]
    verdict: Verdict

    def judge(self, target: Target) -> tuple[pa.Table, pa.Table]:
        """Applies the rules. Returns the rows of ``imported_predictions`` and of ``prediction_masks``."""
        objects = self.objects
        area, _ = judge(objects, self.verdict)
        rows = np.flatnonzero(self.verdict.kept)
        box, kind = objects.box[rows], objects.segments.kind[rows]
        table: dict[str, Any] = {
            "model": pa.repeat(target.model, len(rows)),
            "prediction_id": self.position[rows],
            "image_id": _ids_of(target.image_ids, objects.placed.image_row[rows]),
            "category_id": _ids_of(target.category_ids, objects.placed.category_row[rows]),
            "score": objects.score[rows],
            "x": box[:, 0],
            "y": box[:, 1],
            "width": box[:, 2],
            "height": box[:, 3],
            "has_mask": kind != NONE,
            "mask_area": pa.array(area[rows], mask=objects.has_box[rows]),
        }
        masked = rows[kind != NONE]
        masks = {
            "model": pa.repeat(target.model, len(masked)),
            "prediction_id": self.position[masked],
            "segmentation": self.masks_of(masked),
        }
        return (
            to_table("imported_predictions", target.batch, table),
            to_table("prediction_masks", target.batch, masks),
        )


def _ids_of(ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return ids[rows] if len(rows) else np.zeros(0, np.int64)
