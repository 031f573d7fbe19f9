"""Planted label errors: copies of real labels with errors of one type, a ledger of them, and average precision.

The real errors of the labels stay in, and count as false alarms: an average precision from here is a lower bound. What is
planted is as simple as can be (uniform over the labels); the demo plants its own.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from label_quality.schema import ERROR_TYPES

Record = dict[str, Any]
Box = Sequence[float]


@dataclass(frozen=True)
class Planted:
    """Labels with errors of one type, and per error the ids of the labels concerned or, if missing, image and box."""

    annotations: list[Record]
    ledger: list[Record]


def plant(error_type: str, document: Record, share: float = 0.1, seed: int = 0) -> Planted:
    """A copy of the labels of `document` with `share` × labels errors of one type. Crowds are never touched."""
    rng = np.random.default_rng([seed, ERROR_TYPES.index(error_type)])
    annotations = copy.deepcopy(document["annotations"])
    whole = [a for a in annotations if not a.get("iscrowd")]
    if error_type == "missing":  # what lies in a crowd of its category need not be labelled
        crowds = [a for a in annotations if a.get("iscrowd")]
        whole = [a for a in whole if not any(_within(a, crowd) for crowd in crowds)]
    chosen = [whole[i] for i in rng.choice(len(whole), round(share * len(whole)), replace=False)]
    if error_type == "missing":
        gone = {a["id"] for a in chosen}
        ledger = [{"image_id": a["image_id"], "box": a["bbox"]} for a in chosen]
        return Planted([a for a in annotations if a["id"] not in gone], ledger)
    added: list[Record] = []
    for a in chosen:
        if error_type == "wrong_class":
            others = [c["id"] for c in document["categories"] if c["id"] != a["category_id"]]
            a["category_id"] = int(rng.choice(others))
        elif error_type == "inaccurate":
            _move(a, _box_at_iou(rng, a["bbox"], rng.uniform(0.5, 0.7)))
        else:
            extra = copy.deepcopy(a) | {"id": max(b["id"] for b in annotations) + len(added) + 1}
            _move(extra, _place(error_type, rng, extra, document, whole))
            added.append(extra)
    if not added:
        return Planted(annotations, [{"annotation_id": a["id"]} for a in chosen])
    pairs = zip(chosen, added, strict=True)
    ledger = [
        {
            "annotation_id": e["id"],
            **({"other_annotation_id": a["id"]} if error_type == "duplicate" else {}),
        }
        for a, e in pairs
    ]
    return Planted(annotations + added, ledger)


def average_precision(ranked: Sequence[Record], ledger: Sequence[Record]) -> float:
    """Area under precision over recall of a ranked list of findings; all that was planted is in the denominator.

    A second hit of the same planted error is neither right nor wrong: it is passed over.
    """
    found: set[int] = set()
    precisions, wrong = [], 0
    index = _Index(ledger)
    for finding in ranked:
        hit = index.of(finding)
        if hit is None:
            wrong += 1
        elif hit not in found:
            found.add(hit)
            precisions.append(len(found) / (len(found) + wrong))
    return sum(precisions) / len(ledger)


def iou(a: Box, b: Box) -> float:
    """IoU of two boxes x, y, width, height."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return inter / (a[2] * a[3] + b[2] * b[3] - inter)


def _within(label: Record, crowd: Record) -> bool:
    if any(label[k] != crowd[k] for k in ("image_id", "category_id")):
        return False
    a, b = label["bbox"], crowd["bbox"]
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return bool(max(w, 0) * max(h, 0) >= 0.5 * a[2] * a[3])


class _Index:
    """Which planted error a finding names."""

    def __init__(self, ledger: Sequence[Record]) -> None:
        self._boxes: dict[int, list[tuple[int, Box]]] = {}
        self._labels: dict[Any, int] = {}
        for k, error in enumerate(ledger):
            if "box" in error:
                self._boxes.setdefault(error["image_id"], []).append((k, error["box"]))
            elif "other_annotation_id" in error:
                self._labels[frozenset((error["annotation_id"], error["other_annotation_id"]))] = k
            else:
                self._labels[error["annotation_id"]] = k

    def of(self, finding: Record) -> int | None:
        if finding["error_type"] == "missing":
            box = [finding[f"suggested_{c}"] for c in ("x", "y", "width", "height")]
            near = [(iou(box, b), k) for k, b in self._boxes.get(finding["image_id"], [])]
            best = max(near, default=(0.0, -1))
            return best[1] if best[0] >= 0.5 else None
        if finding["error_type"] == "duplicate":
            return self._labels.get(
                frozenset((finding["annotation_id"], finding["other_annotation_id"]))
            )
        return self._labels.get(finding["annotation_id"])


def _box_at_iou(rng: np.random.Generator, box: Box, target: float) -> list[float]:
    """A shifted and scaled box whose IoU with `box` is `target`: a random direction, followed until it fits."""
    direction = np.array([*rng.normal(size=2), *rng.normal(size=2)])
    low, high = 0.0, 1.0
    while iou(_stepped(box, direction, high), box) > target:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if iou(_stepped(box, direction, middle), box) > target else (low, middle)
        )
    return _stepped(box, direction, low)


def _stepped(box: Box, direction: np.ndarray, step: float) -> list[float]:
    x, y, width, height = box
    wide, tall = width * np.exp(step * direction[2]), height * np.exp(step * direction[3])
    centre_x = x + width / 2 + step * direction[0] * width
    centre_y = y + height / 2 + step * direction[1] * height
    return [float(v) for v in (centre_x - wide / 2, centre_y - tall / 2, wide, tall)]


def _place(
    error_type: str, rng: np.random.Generator, extra: Record, document: Record, whole: list[Record]
) -> list[float]:
    """Where an added label stands: on the label it repeats, or where no label is, in a random image."""
    if error_type == "duplicate":
        return _box_at_iou(rng, extra["bbox"], 0.9)
    width, height = extra["bbox"][2:]
    while True:
        image = document["images"][int(rng.integers(len(document["images"])))]
        if width > image["width"] or height > image["height"]:
            continue
        spot = [
            rng.uniform(0, image["width"] - width),
            rng.uniform(0, image["height"] - height),
            width,
            height,
        ]
        if all(iou(spot, b["bbox"]) < 0.1 for b in whole if b["image_id"] == image["id"]):
            extra["image_id"] = image["id"]
            return [float(v) for v in spot]


def _move(annotation: Record, box: list[float]) -> None:
    """Give a label a new box, and its polygons the same shift and scale."""
    old = annotation["bbox"]
    if isinstance(annotation["segmentation"], list):
        scale = np.array([box[2] / old[2], box[3] / old[3]])
        annotation["segmentation"] = [
            ((np.reshape(part, (-1, 2)) - old[:2]) * scale + box[:2]).ravel().tolist()
            for part in annotation["segmentation"]
        ]
    annotation["bbox"] = box
