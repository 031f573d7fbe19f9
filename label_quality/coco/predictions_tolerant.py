"""The tolerant reader of results files: every record on its own; what is not taken is quarantined with the reason."""

from __future__ import annotations

import pyarrow as pa

from label_quality.coco import columns, segments
from label_quality.coco.document import Array
from label_quality.coco.prediction_chunks import Chunk, Target
from label_quality.coco.quarantine import Quarantine
from label_quality.coco.records import LoosePrediction
from label_quality.coco.rules import dangling
from label_quality.coco.tolerant import Batch, Reader
from label_quality.coco.verdict import Verdict


def read(array: Array, target: Target, quarantine: Quarantine) -> int:
    """Reads the file and hands its rows to `target`. Raises `UnreadableFile` for JSON that is broken.

    Returns the number of records.
    """
    reader = Reader(array, "prediction", LoosePrediction, ["image_id", "category_id"])
    for group in reader.batches(quarantine):
        chunk = _chunk(group, target, quarantine)
        rows, masks = chunk.judge(target)
        group.quarantine("prediction", chunk.verdict.reasons, quarantine)
        target.rows(rows)
        target.masks(masks)
    return reader.read


def _chunk(group: Batch[LoosePrediction], target: Target, quarantine: Quarantine) -> Chunk:
    objects = columns.predictions(
        group.records,
        target.sizes.place(
            target.images.rows(group.ids["image_id"]),
            target.categories.rows(group.ids["category_id"]),
        ),
        segments.from_values([r.segmentation for r in group.records]),
    )
    verdict = Verdict(len(objects))
    dangling(objects, group.ids, quarantine.ids, verdict)
    return Chunk(
        group.position,
        objects,
        lambda rows: pa.array([group.segmentation(k) for k in rows.tolist()], pa.string()),
        verdict,
    )
