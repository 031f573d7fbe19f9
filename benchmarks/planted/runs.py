"""One planting: which errors, and the scored labels as arrays that all methods work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from label_quality.planting import SHAPES, plant, rescore
from label_quality.schema import ERROR_TYPES
from planted.datasets import Dataset

RATES = (0.05, 0.10)
MIXED = (0.0, 0.02, 0.05, 0.10, 0.20)
_SAME_OBJECT = 0.5


@dataclass(frozen=True)
class Plan:
    """What one run plants: a shape, or all of them ("mixed"), at a rate."""

    shape: str
    rate: float

    @property
    def error_type(self) -> str | None:
        return SHAPES[self.shape].error_type if self.shape in SHAPES else None

    def shares(self) -> dict[str, float]:
        """Mixed: every type alike, and every shape of a type alike."""
        if self.shape in SHAPES:
            return {self.shape: self.rate}
        of_type = {t: [s for s in SHAPES if SHAPES[s].error_type == t] for t in ERROR_TYPES}
        return {
            s: self.rate / len(ERROR_TYPES) / len(shapes)
            for shapes in of_type.values()
            for s in shapes
        }


def plans(quick: bool) -> Iterator[Plan]:
    """All runs of one seed."""
    for shape in SHAPES:
        for rate in RATES[1:] if quick else RATES:
            yield Plan(shape, rate)
    for rate in (0.0, 0.05) if quick else MIXED:
        yield Plan("mixed", rate)


@dataclass(frozen=True)
class Run:
    """A planted batch after scoring: N labels that are not crowds, P predictions, E errors.

    Labels and predictions are named by their place. `hit` says for each type which error a candidate is (−1: none): labels for all
    types but missing, whose candidates are predictions.
    """

    plan: Plan
    seed: int
    labels: dict[str, np.ndarray]
    """image (number), category_id, x, y, width, height."""
    overlaps: dict[str, np.ndarray]
    """label, prediction, box_iou, same_category, assigned."""
    pairs: dict[str, np.ndarray]
    """label, other, box_iou, best (the mask's IoU where there is one)."""
    findings: dict[str, np.ndarray]
    """error_type, label (−1: missing), prediction (−1: none), image, score."""
    hit: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    """error_type, image."""


def make(data: Dataset, plan: Plan, seed: int) -> Run:
    """Plant, score, and lay out as arrays."""
    planted = plant(
        data.con, plan.shares(), [seed, sum(map(ord, plan.shape)), int(plan.rate * 1000)]
    )
    with rescore(data.con, planted) as con:
        labels = con.execute(
            """select annotation_id, image_id, category_id, x, y, width, height from annotations where not iscrowd
               order by annotation_id"""
        ).fetchnumpy()
        overlaps = con.execute(
            """select annotation_id, model, prediction_id, box_iou, same_category, assigned from prediction_overlaps
               where not iscrowd"""
        ).fetchnumpy()
        pairs = con.execute(
            """select annotation_id, other_annotation_id, box_iou, coalesce(mask_iou, box_iou) as best
               from annotation_pairs"""
        ).fetchnumpy()
        findings = con.execute(
            """select error_type, coalesce(annotation_id, -1) as annotation_id, model,
                      coalesce(prediction_id, -1) as prediction_id, image_id, score from finding_scores"""
        ).fetchnumpy()
        errors = con.execute("from planted_errors order by error_id").fetchnumpy()
    labels["image"] = np.searchsorted(data.image_ids, labels["image_id"])
    errors["image"] = np.searchsorted(data.image_ids, errors["image_id"])
    place = _Places(data, labels["annotation_id"])
    overlaps["label"] = place.label(overlaps["annotation_id"])
    overlaps["prediction"] = place.prediction(overlaps["model"], overlaps["prediction_id"])
    pairs["label"], pairs["other"] = (
        place.label(pairs[c]) for c in ("annotation_id", "other_annotation_id")
    )
    findings["image"] = np.searchsorted(data.image_ids, findings["image_id"])
    findings["label"] = place.label(findings["annotation_id"])
    findings["prediction"] = place.prediction(findings["model"], findings["prediction_id"])
    hit = _hits(data, labels, errors, place)
    return Run(plan, seed, labels, overlaps, pairs, findings, hit, errors)


class _Places:
    """Ids to places; −1 for what is not there."""

    def __init__(self, data: Dataset, annotation_ids: np.ndarray) -> None:
        self._labels = annotation_ids
        self._models = {m: k for k, m in enumerate(data.models)}
        keys = data.predictions["prediction_id"] * len(self._models) + data.predictions["model"]
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def label(self, ids: np.ndarray) -> np.ndarray:
        at = np.minimum(np.searchsorted(self._labels, ids), len(self._labels) - 1)
        return np.where(self._labels[at] == ids, at, -1)

    def prediction(self, models: Any, ids: np.ndarray) -> np.ndarray:
        if np.ma.isMaskedArray(models):
            models = models.filled("")
        numbers = np.array([self._models.get(m, 0) for m in models], np.int64)
        keys = ids * len(self._models) + numbers
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where((ids >= 0) & (self._keys[at] == keys), self._order[at], -1)


def _hits(
    data: Dataset, labels: dict[str, np.ndarray], errors: dict[str, Any], place: _Places
) -> dict[str, np.ndarray]:
    hit = {t: np.full(len(labels["image"]), -1) for t in ERROR_TYPES if t != "missing"}
    for t, at in hit.items():
        mine = np.flatnonzero(errors["error_type"] == t)
        for column in (
            ("annotation_id", "other_annotation_id") if t == "duplicate" else ("annotation_id",)
        ):
            ids = np.ma.filled(errors[column], -1)[mine]
            at[place.label(ids)] = mine
    hit["missing"] = _missing_hits(data.predictions, errors)
    return hit


def _missing_hits(predictions: dict[str, np.ndarray], errors: dict[str, Any]) -> np.ndarray:
    """For each prediction the missing error that it overlaps most, from IoU 0.5 on."""
    hit = np.full(len(predictions["image"]), -1)
    mine = np.flatnonzero(errors["error_type"] == "missing")
    start = np.searchsorted(predictions["image"], errors["image"][mine], "left")
    count = np.searchsorted(predictions["image"], errors["image"][mine], "right") - start
    error = np.repeat(mine, count)
    candidate = (
        np.arange(len(error)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
    )
    iou = box_ious(predictions, candidate, errors, error)
    order = np.argsort(iou, kind="stable")
    order = order[iou[order] >= _SAME_OBJECT]
    hit[candidate[order]] = error[order]  # the last one written is the greatest
    return hit


def box_ious(
    a: dict[str, np.ndarray], at: np.ndarray, b: dict[str, np.ndarray], bt: np.ndarray
) -> np.ndarray:
    """IoU of boxes of two tables, pair by pair."""
    inter = np.ones(len(at))
    for x, width in (("x", "width"), ("y", "height")):
        low = np.maximum(a[x][at], b[x][bt])
        high = np.minimum(a[x][at] + a[width][at], b[x][bt] + b[width][bt])
        inter *= np.maximum(high - low, 0)
    union = a["width"][at] * a["height"][at] + b["width"][bt] * b["height"][bt] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
