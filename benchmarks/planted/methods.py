"""Scores of this project and of the obvious ways to look. Every method gives a score to every candidate, 0 for what it does not name.

Candidates are labels, for missing predictions, and images (key "image"). Greater is more suspicious.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from label_quality.schema import ERROR_TYPES
from planted.datasets import Dataset
from planted.runs import Run

Scores = dict[str, np.ndarray]
THIS = "this project"


def this_project(data: Dataset, run: Run) -> Scores:
    """The findings; an image by 1 − Π (1 − score) over its findings."""
    found = run.findings
    scores = empty(data, run)
    for kind in ERROR_TYPES:
        mine = found["error_type"] == kind
        at = found["prediction" if kind == "missing" else "label"][mine]
        np.maximum.at(scores[kind], at[at >= 0], found["score"][mine][at >= 0])
    clean = np.zeros(len(data.image_ids))
    np.add.at(clean, found["image"], np.log1p(-np.minimum(found["score"], 1 - 1e-9)))
    return scores | {"image": -clean}


def empty(data: Dataset, run: Run) -> Scores:
    """Zeros for all candidates."""
    sizes = {t: len(run.labels["image"]) for t in ERROR_TYPES}
    sizes["missing"] = len(data.predictions["image"])
    return {t: np.zeros(n) for t, n in sizes.items()}


def confidence(data: Dataset, run: Run) -> Scores:
    """The model's score: of predictions that overlap no label by IoU 0.5; of another category at the label's place."""
    score = np.where(best(data, run, "prediction") >= 0.5, 0, data.predictions["score"])
    o = run.overlaps
    other = ~o["same_category"] & (o["box_iou"] >= 0.5)
    wrong = np.zeros(len(run.labels["image"]))
    np.maximum.at(wrong, o["label"][other], data.predictions["score"][o["prediction"][other]])
    return {"missing": score * ~data.predictions["in_crowd"], "wrong_class": wrong}


def overlap(data: Dataset, run: Run) -> Scores:
    """IoU alone: 1 − IoU with the assigned prediction of the category; with any prediction; IoU of two labels."""
    o = run.overlaps
    mine = o["assigned"] & o["same_category"]
    placed, twice = (np.zeros(len(run.labels["image"])) for _ in range(2))
    placed[o["label"][mine]] = 1 - o["box_iou"][mine]
    for side in ("label", "other"):
        np.maximum.at(twice, run.pairs[side], run.pairs["box_iou"])
    return {"inaccurate": placed, "spurious": 1 - best(data, run, "label"), "duplicate": twice}


def best(data: Dataset, run: Run, side: str) -> np.ndarray:
    """The greatest box IoU of each label with any prediction, or of each prediction with any label."""
    n = len(run.labels["image"] if side == "label" else data.predictions["image"])
    out = np.zeros(n)
    np.maximum.at(out, run.overlaps[side], run.overlaps["box_iou"])
    return out


def label_count(data: Dataset, run: Run) -> Scores:
    """Images by how many labels they have."""
    return {"image": np.bincount(run.labels["image"], minlength=len(data.image_ids)).astype(float)}


def random(data: Dataset, run: Run) -> Scores:
    """One score for all: ties are broken at random."""
    return empty(data, run) | {"image": np.zeros(len(data.image_ids))}


NAIVE: dict[str, Callable[[Dataset, Run], Scores]] = {
    "confidence": confidence,
    "IoU": overlap,
    "label count": label_count,
    "random": random,
}
