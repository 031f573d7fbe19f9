"""What a model says about each label's own box: numbers per label, as torch computes them and as the table has them.

The losses are those of loss inspection (Schubert et al., WACV 2024), of the second stage: cross-entropy of the given class,
and torchvision's smooth L1 (beta 1/9, summed over four values) between what the regressor gives and no change at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from label_quality.inference.chunks import key_of
from label_quality.inference.mapping import CategoryMap
from label_quality.inference.pasting import Runs, paste, to_rles
from label_quality.matching.masks import Masks, gather_label_masks
from label_quality.schema.rows import nan_as_null

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from torch import Tensor

    from label_quality.inference.network import Answers, Network, Scene
    from label_quality.inference.pictures import Images

_BETA = 1 / 9


@dataclass
class Labels:
    """The labels of a batch that are asked about (crowds are not), sorted by image.

    box float64 (n, 4) x0, y0, x1, y1 in pixels; label int64 (n,), the model's own, 0 where it knows no such class; first
    int64 (images + 1,), where the labels of each row of `Images` begin.
    """

    annotation_id: NDArray[np.int64]
    box: NDArray[np.float64]
    label: NDArray[np.int64]
    first: NDArray[np.int64]

    def of(self, row: int) -> slice:
        """The labels of an image."""
        return slice(int(self.first[row]), int(self.first[row + 1]))


def read_labels(con: DuckDBPyConnection, images: Images, mapped: CategoryMap) -> Labels:
    """The labels of `images`, in the model's terms. Fills ``_label_masks`` for `masks_of`."""
    rows = con.execute(
        """select image_id, annotation_id, category_id, x, y, x + width as right, y + height as bottom
           from annotations where not iscrowd order by image_id, annotation_id"""
    ).fetchnumpy()
    here = np.isin(rows["image_id"], images.image_id)
    rows = {name: column[here] for name, column in rows.items()}
    gather_label_masks(con, "select annotation_id from annotations where not iscrowd")
    return Labels(
        rows["annotation_id"],
        np.stack([rows[c] for c in ("x", "y", "right", "bottom")], axis=1),
        mapped.labels(rows["category_id"]),
        np.append(np.searchsorted(rows["image_id"], images.image_id), len(rows["image_id"])),
    )


def masks_of(con: DuckDBPyConnection, images: Images, rows: NDArray[np.int64]) -> Masks:
    """The labelled masks of some neighbouring rows of `images`."""
    ids = images.image_id[rows]
    return Masks(con, "_label_masks", int(ids.min()), int(ids.max()))


def labels_key(labels: Labels, masks: Masks, rows: NDArray[np.int64]) -> str:
    """A hash of the labels of some images, outlines included."""
    parts = [labels.of(row) for row in rows.tolist()]
    arrays = (labels.annotation_id, labels.box, labels.label)
    return key_of(
        [np.concatenate([a[p] for p in parts]).tobytes() if parts else b"" for a in arrays],
        masks.keys.tobytes(),
        masks.texts,
    )


@dataclass
class Probed:
    """The answers about the labels of one image, off the device."""

    labels: slice
    numbers: NDArray[np.float32]  # (n, 5): given, other, background, class loss, box loss
    other: NDArray[np.int64]  # the model's label
    refined: NDArray[np.float32]  # (n, 4) x0, y0, x1, y1
    features: NDArray[np.float32]
    outlines: Runs | None  # the predicted masks, of the labels whose class the model knows
    known: NDArray[np.int64]  # which labels of the image these are


def probe(
    network: Network, scene: Scene, rows: Sequence[int], labels: Labels, mapped: CategoryMap
) -> list[Probed]:
    """Ask the network about the labels of a scene's images, `rows` of `Images`."""
    import torch

    parts = [labels.of(row) for row in rows]
    boxes = [torch.from_numpy(labels.box[p]).to(network.device, torch.float32) for p in parts]
    given = [torch.from_numpy(labels.label[p]).to(network.device) for p in parts]
    answers = network.ask(scene, boxes)
    allowed = torch.from_numpy(mapped.category_id >= 0).to(network.device)
    with torch.inference_mode():
        read = [_read(a, g, allowed) for a, g in zip(answers, given, strict=True)]
        outlines: list[Runs | None] = [None] * len(parts)
        known = [g.nonzero()[:, 0] for g in given]
        if network.has_masks:
            refined = [r.refined[k] for r, k in zip(read, known, strict=True)]
            shapes = network.masks(
                scene, refined, [g[k] for g, k in zip(given, known, strict=True)]
            )
            outlines = [
                paste(m, b, size) for m, b, size in zip(shapes, refined, scene.given, strict=True)
            ]
        return [
            Probed(
                part,
                r.numbers.cpu().numpy(),
                r.other.cpu().numpy(),
                r.refined.cpu().numpy(),
                a.features.float().cpu().numpy(),
                outline,
                k.cpu().numpy(),
            )
            for part, r, a, outline, k in zip(parts, read, answers, outlines, known, strict=True)
        ]


@dataclass
class _Read:
    numbers: Tensor
    other: Tensor
    refined: Tensor


def _read(answers: Answers, given: Tensor, allowed: Tensor) -> _Read:
    """Numbers per label of one image. Where the given class is not known its numbers are NaN."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    logs, rows = answers.log_probabilities, torch.arange(len(given), device=given.device)
    probabilities = logs.exp()
    rivals = probabilities.masked_fill(~allowed[: logs.shape[1]], -1)
    rivals[rows, given] = -1
    strength, other = rivals.max(1)
    nothing = torch.full_like(strength, torch.nan)
    known = given > 0
    deltas = answers.deltas[rows, given]
    loss = smooth_l1_loss(deltas, torch.zeros_like(deltas), beta=_BETA, reduction="none").sum(1)
    numbers = torch.stack(
        [
            torch.where(known, probabilities[rows, given], nothing),
            torch.where(strength >= 0, strength, nothing),
            probabilities[:, 0],
            torch.where(known, -logs[rows, given], nothing),
            torch.where(known, loss, nothing),
        ],
        1,
    )
    refined = torch.where(known[:, None], answers.refined[rows, given], nothing[:, None])
    return _Read(numbers, torch.where(strength >= 0, other, 0), refined)


def to_rows(some: Sequence[Probed], labels: Labels, masks: Masks, mapped: CategoryMap) -> pa.Table:
    """The rows of ``label_probes`` (without batch and model) and, beside them, ``features``, of some images."""
    parts = [np.arange(p.labels.start, p.labels.stop) for p in some]
    rows = np.concatenate([np.empty(0, np.int64), *parts])
    numbers = _stack([p.numbers for p in some], 5)
    refined, box = _stack([p.refined for p in some], 4).astype(np.float64), labels.box[rows]
    overlap = np.concatenate([np.empty(0), *(_mask_iou(p, labels, masks) for p in some)])
    other = np.concatenate([np.empty(0, np.int64), *(p.other for p in some)])
    features = _stack([p.features for p in some], some[0].features.shape[1] if some else 0)
    columns: dict[str, Any] = {
        "annotation_id": labels.annotation_id[rows],
        "given_probability": numbers[:, 0],
        "other_category_id": pa.array(mapped.category_id[other], mask=other == 0),
        "other_probability": numbers[:, 1],
        "background_probability": numbers[:, 2],
        "x": refined[:, 0],
        "y": refined[:, 1],
        "width": refined[:, 2] - refined[:, 0],
        "height": refined[:, 3] - refined[:, 1],
        "box_iou": _box_iou(box, refined),
        "mask_iou": overlap,
        "class_loss": numbers[:, 3],
        "box_loss": numbers[:, 4],
    }
    table = pa.table({name: _with_nulls(column) for name, column in columns.items()})
    flat = pa.array(features.astype(np.float32).ravel())
    listed = pa.FixedSizeListArray.from_arrays(flat, max(features.shape[1], 1))
    return table.append_column("features", listed)


def _stack(parts: Sequence[NDArray[Any]], width: int) -> NDArray[Any]:
    return np.concatenate([np.empty((0, width), np.float32), *parts])


def _with_nulls(column: Any) -> pa.Array:
    if isinstance(column, pa.Array) or column.dtype.kind != "f":
        return column
    return nan_as_null(column.astype(np.float64))


def _box_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of boxes row by row, (n, 4) x0, y0, x1, y1; NaN where one is NaN, 0 where both are empty."""
    inside = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    both = inside.prod(1)
    either = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - both
    nothing = np.where(np.isnan(either), np.nan, 0.0)
    return np.asarray(np.divide(both, either, out=nothing, where=either > 0))


def _mask_iou(one: Probed, labels: Labels, masks: Masks) -> NDArray[np.float64]:
    """IoU of the predicted and the labelled mask of each label of an image; NaN where one of them is not there."""
    ids = labels.annotation_id[one.labels]
    out = np.full(len(ids), np.nan)
    if one.outlines is None or not len(one.known) or not len(masks.keys):
        return out
    place = np.minimum(masks.find(ids[one.known]), len(masks.keys) - 1)
    with_mask = np.flatnonzero(masks.keys[place] == ids[one.known])
    if len(with_mask):
        predicted = to_rles(one.outlines)
        labelled = masks.some_rles(place[with_mask])
        # pycocotools compares all with all, and skips those whose boxes do not meet.
        overlaps = coco_mask.iou([predicted[k] for k in with_mask], labelled, [0] * len(labelled))
        out[one.known[with_mask]] = np.diagonal(overlaps)
    return out
