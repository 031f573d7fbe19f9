"""A simulated detector: what a trained model might have answered, made from the true objects.

Nothing here looks at a picture, and nothing here sees the planted errors. Belongs here: misses,
jitter, confusion of classes, false alarms, and how the scores come about. Does not belong here:
the shape of masks (`masks`) and files (`write`).

Scores are meant to be as unhelpful as real ones: right and wrong predictions overlap, and the
numbers are not probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from label_quality.coco.regions import Region, fit_coarsely, run_lengths
from label_quality.demo.categories import CATEGORY_NAMES, likeness
from label_quality.demo.scenes import HEIGHT, WIDTH, Scene, TrueObject

Floats = NDArray[np.float64]
SIZE: Final = (WIDTH, HEIGHT)
_CLASSES: Final = len(CATEGORY_NAMES)


@dataclass(frozen=True)
class SimulatedDetector:
    """How good the simulated detector is.

    `skill` is the log odds of finding a fully visible object of 32 x 32 pixels; `jitter` the
    standard deviation of every edge as a share of the box side; `margin` how far the true class
    leads in log odds; `false_alarms` per image on bare bench; `fooled` the probability of a
    detection on a piece of clutter; `repeats` of a second detection of an object; `noise` low-score
    predictions per object; `mask_grid` the side of the raster its masks come from; predictions that
    score less than `least_score` are not returned.
    """

    name: str
    skill: float
    jitter: float
    margin: float
    false_alarms: float
    fooled: float
    repeats: float
    noise: float
    mask_grid: int
    least_score: float = 0.05


STRONG: Final = SimulatedDetector("simulated-strong", 3.2, 0.020, 5.4, 0.5, 0.35, 0.04, 0.5, 56)
WEAK: Final = SimulatedDetector("simulated-weak", 1.9, 0.045, 3.9, 1.2, 0.55, 0.10, 0.9, 28)


@dataclass
class _Batch:
    """Predictions under way: `source` is the object (an index) whose mask is taken."""

    source: NDArray[np.int64]
    category_id: NDArray[np.int64]
    score: Floats
    box: Floats  # (n, 4) left, top, right, bottom


def simulate(
    detector: SimulatedDetector, scenes: Sequence[Scene], rng: Generator
) -> list[dict[str, Any]]:
    """COCO results (bbox, segmentation as compressed RLE, score, category_id, image_id).

    Sorted by image and falling score. Boxes are rounded to 0.01 pixels, scores (0 to 1) to 1e-4.
    """
    things = [thing for scene in scenes for thing in (*scene.objects, *scene.clutter)]
    edges = np.array([thing.region.box for thing in things]).reshape(-1, 4)
    edges[:, 2:] += edges[:, :2]
    real = np.array([thing.resembles is None and not thing.iscrowd for thing in things])
    clutter = np.array([thing.resembles is not None for thing in things])
    found = _detections(detector, things, edges, np.flatnonzero(real), rng)
    batches = [
        found,
        _repeats(detector, found, rng),
        _noise(detector, edges, np.flatnonzero(real), rng),
        _fooled(detector, things, edges, np.flatnonzero(clutter), rng),
    ]
    image_ids = np.array([thing.image_id for thing in things])
    rows = _write_out(detector, batches, [thing.region for thing in things], image_ids, rng)
    rows += _crowds(detector, things, rng)
    rows += _false_alarms(detector, scenes, [things[index] for index in np.flatnonzero(real)], rng)
    return sorted(rows, key=lambda row: (row["image_id"], -row["score"]))


def _sigmoid(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-values))


def _jittered(boxes: Floats, sigma: Floats, rng: Generator) -> Floats:
    """Move every edge by `sigma` (n,) of the box side, plus half a pixel."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    # Laplace: most boxes are good, a few are far off.
    moved: Floats = rng.laplace(0, np.sqrt(0.5), boxes.shape) * (sigma[:, None] * sides + 0.5)
    return boxes + moved


def _detections(
    detector: SimulatedDetector,
    things: Sequence[TrueObject],
    edges: Floats,
    real: NDArray[np.int64],
    rng: Generator,
) -> _Batch:
    """Detections of true objects; as in Mask R-CNN every class above the floor is an answer."""
    area = np.array([things[index].region.area for index in real], np.float64)
    visibility = np.array([things[index].visibility for index in real], np.float64)
    category = np.array([things[index].category_id for index in real], np.int64) - 1
    # Small objects and hidden ones are harder, and some are hard for no visible reason.
    ease = detector.skill + 1.1 * np.log(np.sqrt(area) / 32) + 4.5 * (visibility - 1)
    ease = ease + rng.normal(0, 0.9, len(real))
    seen = rng.random(len(real)) < _sigmoid(ease)
    objectness = _sigmoid(0.9 * ease + 0.4 + rng.normal(0, 0.7, len(real)))
    # A hard object is also hard to tell: the lead of the true class shrinks.
    lead = detector.margin * (0.35 + 0.65 * _sigmoid(ease - 0.5)) + rng.normal(0, 1.0, len(real))
    logits = rng.normal(0, 0.6, (len(real), _CLASSES)) + 3.0 * likeness()[category]
    logits[np.arange(len(real)), category] += lead
    probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    scores = objectness[:, None] * probability
    row, column = np.nonzero((scores > detector.least_score) & seen[:, None])
    sigma = detector.jitter * (1 + 2.5 * (1 - visibility))
    boxes = _jittered(edges[real], sigma, rng)[row]
    boxes = _jittered(boxes, np.full(len(row), 0.25 * detector.jitter), rng)
    return _Batch(real[row], column + 1, scores[row, column], boxes)


def _repeats(detector: SimulatedDetector, found: _Batch, rng: Generator) -> _Batch:
    """Second detections of the same object that suppression did not remove: worse and lower."""
    chosen = np.flatnonzero(rng.random(len(found.source)) < detector.repeats)
    boxes = _jittered(found.box[chosen], np.full(len(chosen), 0.16), rng)
    scores = found.score[chosen] * rng.uniform(0.15, 0.8, len(chosen))
    return _Batch(found.source[chosen], found.category_id[chosen], scores, boxes)


def _noise(
    detector: SimulatedDetector, edges: Floats, real: NDArray[np.int64], rng: Generator
) -> _Batch:
    """Low scores on parts of objects and around them, of any class."""
    source = rng.choice(real, int(len(real) * detector.noise)) if len(real) else real
    boxes = edges[source]
    sides = boxes[:, 2:] - boxes[:, :2]
    size = sides * rng.uniform(0.35, 1.3, sides.shape)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 + rng.normal(0, 0.25, sides.shape) * sides
    scores = 0.05 + rng.exponential(0.05, len(source))
    category = rng.integers(1, _CLASSES + 1, len(source))
    return _Batch(source, category, scores, np.hstack([middle - size / 2, middle + size / 2]))


def _fooled(
    detector: SimulatedDetector,
    things: Sequence[TrueObject],
    edges: Floats,
    clutter: NDArray[np.int64],
    rng: Generator,
) -> _Batch:
    """False alarms on clutter, mostly as the category that it resembles; some are confident."""
    chosen = clutter[rng.random(len(clutter)) < detector.fooled]
    resembled = np.array([things[index].category_id for index in chosen], np.int64)
    other = rng.integers(1, _CLASSES + 1, len(chosen))
    category = np.where(rng.random(len(chosen)) < 0.8, resembled, other)
    scores = rng.beta(1.3, 2.6, len(chosen))
    boxes = _jittered(edges[chosen], np.full(len(chosen), 2 * detector.jitter), rng)
    return _Batch(chosen, category, scores, boxes)


def _crowds(
    detector: SimulatedDetector, things: Sequence[TrueObject], rng: Generator
) -> list[dict[str, Any]]:
    """Single washers found inside a heap; they lie in a crowd region and count as nothing."""
    rows = []
    disc = np.hypot(*np.meshgrid(np.linspace(-1, 1, 19), np.linspace(-1, 1, 19)))
    ring = Region(0, 0, (disc <= 1) & (disc >= 0.5))
    for heap in (thing for thing in things if thing.iscrowd):
        area = heap.region
        y, x = np.nonzero(area.pixels)
        for pick in rng.integers(0, len(x), int(rng.integers(3, 10))):
            middle_x, middle_y = area.x + float(x[pick]), area.y + float(y[pick])
            half = float(rng.uniform(7, 10))
            box = np.array([middle_x - half, middle_y - half, middle_x + half, middle_y + half])
            score = float(rng.beta(2, 2.5))
            rows += _row(
                detector,
                rng,
                image_id=heap.image_id,
                category_id=heap.category_id,
                score=score,
                box=box,
                model=ring,
            )
    return rows


def _false_alarms(
    detector: SimulatedDetector,
    scenes: Sequence[Scene],
    models: Sequence[TrueObject],
    rng: Generator,
) -> list[dict[str, Any]]:
    """Predictions on bare bench, of the size and shape of some other object; most score low."""
    rows = []
    for scene in scenes if models else ():
        for _ in range(int(rng.poisson(detector.false_alarms))):
            model = models[int(rng.integers(len(models)))]
            _, _, width, height = model.region.box
            x = float(rng.uniform(0, max(1.0, WIDTH - width)))
            y = float(rng.uniform(0, max(1.0, HEIGHT - height)))
            inside = scene.occupied[int(y) : int(y + height), int(x) : int(x + width)]
            if inside.mean() > 0.02:
                continue
            box = np.array([x, y, x + width, y + height])
            score = float(rng.beta(0.7, 4.0))
            rows += _row(
                detector,
                rng,
                image_id=scene.image_id,
                category_id=model.category_id,
                score=score,
                box=box,
                model=model.region,
            )
    return rows


def _write_out(
    detector: SimulatedDetector,
    batches: Sequence[_Batch],
    regions: Sequence[Region],
    image_ids: NDArray[np.int64],
    rng: Generator,
) -> list[dict[str, Any]]:
    """Rows of all batches. One by one, because each mask is drawn and encoded by itself."""
    rows = []
    for batch in batches:
        columns = zip(batch.source, batch.category_id, batch.score, batch.box, strict=True)
        for source, category_id, score, box in columns:
            rows += _row(
                detector,
                rng,
                image_id=int(image_ids[source]),
                category_id=int(category_id),
                score=float(score),
                box=box,
                model=regions[int(source)],
            )
    return rows


def _row(
    detector: SimulatedDetector,
    rng: Generator,
    *,
    image_id: int,
    category_id: int,
    score: float,
    box: Floats,
    model: Region,
) -> list[dict[str, Any]]:
    """One result, or none where it scores too low or nothing of it lies inside the image."""
    left, right = (float(value) for value in np.clip(box[[0, 2]], 0, WIDTH))
    top, bottom = (float(value) for value in np.clip(box[[1, 3]], 0, HEIGHT))
    if score < detector.least_score or right - left < 2 or bottom - top < 2:
        return []
    inside = (left, top, right - left, bottom - top)
    cut = float(np.clip(rng.normal(0.5, 0.06), 0.3, 0.7))
    region = fit_coarsely(model, inside, SIZE, detector.mask_grid, cut)
    if region is None:
        return []
    return [
        {
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [round(value, 2) for value in inside],
            "score": round(min(score, 0.999), 4),
            "segmentation": run_lengths(region, SIZE),
        }
    ]
