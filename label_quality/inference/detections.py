"""Detections become the rows that chunks of predictions hold. How they are found is the network's matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from label_quality.inference.network import Detections
from label_quality.inference.pasting import to_rles

if TYPE_CHECKING:
    from label_quality.inference.pasting import Runs

PREDICTIONS = pa.schema(
    {
        "image_id": pa.int64(),
        "rank": pa.int64(),
        "label": pa.int64(),
        "score": pa.float64(),
        "x": pa.float64(),
        "y": pa.float64(),
        "width": pa.float64(),
        "height": pa.float64(),
        "segmentation": pa.string(),
    }
)


def detection_rows(image_id: int, found: Detections, runs: Runs | None) -> pa.Table:
    """Detections of one image, already off the device, as rows of `PREDICTIONS`."""
    boxes, count = found.boxes.double().numpy(), len(found.boxes)
    segmentation: list[str | None] = [None] * count
    if runs is not None:
        filled = np.isin(np.arange(count), runs.mask).tolist()
        texts = _texts(to_rles(runs))
        segmentation = [t if there else None for t, there in zip(texts, filled, strict=True)]
    return pa.table(
        {
            "image_id": np.full(count, image_id),
            "rank": np.arange(count),
            "label": found.labels.numpy(),
            "score": found.scores.double().numpy(),
            "x": boxes[:, 0],
            "y": boxes[:, 1],
            "width": boxes[:, 2] - boxes[:, 0],
            "height": boxes[:, 3] - boxes[:, 1],
            "segmentation": segmentation,
        },
        schema=PREDICTIONS,
    )


def _texts(rles: Sequence[dict[str, Any]]) -> list[str]:
    """Masks as JSON, as they stand in results files."""
    return [
        msgspec.json.encode({"size": r["size"], "counts": r["counts"].decode("ascii")}).decode()
        for r in rles
    ]


def off_device(found: Detections) -> Detections:
    """The detections without their masks, in the memory of the CPU, scores as float32."""
    return Detections(found.boxes.cpu(), found.scores.float().cpu(), found.labels.cpu(), None)
