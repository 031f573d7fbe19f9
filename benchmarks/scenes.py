"""Random COCO-like objects and detections as flat arrays, for one chunk of images.

Here is what is drawn: how many, how large, where, which shape, which mistakes. How it is written
as JSON is in `cocotext`; which files and how many images is in `generate`. Everything is
simulated: no pixel and no detector is involved. The constants describe COCO 2017 (sizes, labels
per image, vertices, crowds) closely enough that a reader or matcher meets realistic work.

Boxes are x, y, width, height. Stored coordinates are integers in hundredths of a pixel, so that
two decimals in the file are exact and `area` and `bbox` follow from the written points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rng = np.random.Generator

# Width, height and share of the usual picture formats.
SIZES = np.array([(640, 480), (480, 640), (640, 427), (427, 640), (640, 640), (500, 375)])
SIZE_SHARES = (0.36, 0.14, 0.27, 0.10, 0.05, 0.08)
# Quantiles of object area in pixels: 41 % below 32*32, 34 % up to 96*96, 25 % above.
AREA_SHARE = (0.0, 0.01, 0.05, 0.25, 0.41, 0.50, 0.75, 0.95, 0.99, 1.0)
AREA_PIXELS = (9.0, 31.0, 85.0, 365.0, 1024.0, 1600.0, 9216.0, 48700.0, 154000.0, 300000.0)
CROWD_SHARE = 0.012
PART_SHARES = (0.90, 0.07, 0.02, 0.01)

# Planted label errors: share of the objects.
CLEAN, WRONG_CLASS, SHIFTED, MISSING, DUPLICATE, SPURIOUS = range(6)
ERROR_NAMES = ("clean", "wrong_class", "shifted", "missing", "duplicate", "spurious")
ERROR_SHARES = (0.985, 0.004, 0.004, 0.003, 0.002, 0.002)

N_CATEGORIES = 80


@dataclass(frozen=True)
class Polygons:
    """Polygon parts of n labels: `points` (p, 2) in hundredths; `part_start` (parts + 1) indexes
    points, `part_label` (parts) names the label, ascending."""

    points: Ints
    part_start: Ints
    part_label: Ints


@dataclass(frozen=True)
class Labels:
    """Non-crowd objects of a chunk, one row each.

    `image` is the row of the image in the chunk, `category` and `true_category` are 0..79, `box`
    (n, 4) is in hundredths, `area` in square pixels, `error` one of the planted kinds. Rows of
    kind MISSING are objects that detections find and the annotation file leaves out; `copy` marks
    the second label of a planted duplicate.
    """

    image: Ints
    category: Ints
    true_category: Ints
    box: Ints
    area: Floats
    error: Ints
    copy: Bools
    polygons: Polygons

    @property
    def written(self) -> Bools:
        """Which rows stand in the annotation file."""
        return np.asarray(self.error != MISSING)


@dataclass(frozen=True)
class Crowds:
    """Crowd regions: `counts` are run lengths down the columns, `start` (n + 1) indexes them;
    `box` (n, 4) and `area` (n) in whole pixels."""

    image: Ints
    category: Ints
    box: Ints
    area: Ints
    counts: Ints
    start: Ints


@dataclass(frozen=True)
class Detections:
    """Simulated detector output, by image and falling score. `box` (n, 4) in hundredths, `score`
    in 1/100000, `shape` the row of the label whose outline a mask borrows (-1: none there)."""

    image: Ints
    category: Ints
    box: Ints
    score: Ints
    shape: Ints


def category_shares() -> Floats:
    """Share of each category, shape (80,): three tenths are persons, the rest a long tail down to
    one label in five thousand, in a fixed shuffled order."""
    tail = np.geomspace(1.0, 0.004, N_CATEGORIES - 1)
    tail = np.random.default_rng(80).permutation(tail)
    return np.concatenate(([0.305], 0.695 * tail / tail.sum()))


def draw_counts(rng: Rng, images: int, total: int) -> Ints:
    """Labels per image, shape (images,), summing to `total`: geometric (COCO's median 5, 99th
    percentile 33 at a mean of 7.3), one image in a hundred empty."""
    mean = max(total / max(images, 1) / 0.99, 1.0)
    counts = np.where(rng.random(images) < 0.01, 0, rng.geometric(1 / mean, images))
    while (gap := total - int(counts.sum())) != 0 and images:
        pool = np.flatnonzero(counts > 1) if gap < 0 else np.flatnonzero(counts)
        pool = pool if len(pool) else np.arange(images)
        rows = rng.choice(pool, size=min(abs(gap), len(pool)), replace=False)
        counts[rows] = np.maximum(counts[rows] + np.sign(gap), 0)
    return counts.astype(np.int64)


def draw_areas(rng: Rng, n: int) -> Floats:
    """Object areas in square pixels, shape (n,), from COCO's quantiles."""
    return np.exp(np.interp(rng.random(n), AREA_SHARE, np.log(AREA_PIXELS)))


def draw_categories(rng: Rng, image: Ints, images: int) -> Ints:
    """Categories 0..79, one per row of `image`: an image shows a few kinds, some many times."""
    kinds = rng.choice(N_CATEGORIES, size=(images, 8), p=category_shares())
    return np.asarray(kinds[image, np.minimum(rng.geometric(0.38, len(image)) - 1, 7)])


def _split(start: Ints) -> Ints:
    """Owner of each element, given n + 1 offsets."""
    return np.repeat(np.arange(len(start) - 1), np.diff(start))


def _unit_polygons(rng: Rng, start: Ints) -> Floats:
    """Star-shaped outlines with bumps and a slant, each filling the unit square; (p, 2)."""
    parts, sizes = len(start) - 1, np.diff(start)
    part = _split(start)
    turn = (np.arange(start[-1]) - start[part] + 0.8 * rng.random(start[-1])) / sizes[part]
    angle = 2 * np.pi * turn
    radius = 1 + 0.10 * rng.standard_normal(start[-1])
    for wave in range(2, 6):
        strength, phase = 0.45 / wave * rng.standard_normal(parts), 6.3 * rng.random(parts)
        radius += strength[part] * np.cos(wave * angle + phase[part])
    radius = np.clip(radius, 0.25, 2.5)
    xy = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    xy[:, 0] += (0.5 * rng.standard_normal(parts))[part] * xy[:, 1]
    low = np.minimum.reduceat(xy, start[:-1])
    high = np.maximum.reduceat(xy, start[:-1])
    return np.asarray((xy - low[part]) / (high - low)[part])


def _doubled_area(xy: npt.NDArray[Any], start: Ints) -> npt.NDArray[Any]:
    """Twice the area of each polygon (shoelace), in the arithmetic of `xy`."""
    following = np.arange(1, len(xy) + 1)
    following[start[1:] - 1] = start[:-1]
    cross = xy[:, 0] * xy[following, 1] - xy[following, 0] * xy[:, 1]
    return np.asarray(np.abs(np.add.reduceat(cross, start[:-1])))


def draw_labels(rng: Rng, width: Ints, height: Ints, counts: Ints) -> Labels:
    """Objects for images of `width` x `height` pixels, `counts` per image (planted copies added),
    in shuffled order."""
    image = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    error = rng.choice(len(ERROR_SHARES), size=len(image), p=ERROR_SHARES)
    true_category = draw_categories(rng, image, len(counts))
    area = draw_areas(rng, len(image))
    row = np.repeat(np.arange(len(image)), 1 + (error == DUPLICATE))
    copy = np.concatenate(([False], row[1:] == row[:-1]))[: len(row)]
    image, error, true_category, area = (a[row] for a in (image, error, true_category, area))
    if not len(image):
        none = np.zeros(0, np.int64)
        lines = Polygons(np.zeros((0, 2), np.int64), np.zeros(1, np.int64), none)
        return Labels(none, none, none, lines.points.reshape(0, 4), none * 1.0, none, copy, lines)

    vertices = np.exp(3.0 + 0.18 * (np.log(area) - 7.4) + 0.55 * rng.standard_normal(len(area)))
    parts = 1 + rng.choice(len(PART_SHARES), size=len(area), p=PART_SHARES)
    part_label = np.repeat(np.arange(len(area)), parts)
    sizes = np.clip(np.rint(vertices / parts), 4, 400).astype(np.int64)[part_label]
    part_start = np.concatenate(([0], np.cumsum(sizes)))
    label_part = np.concatenate(([0], np.cumsum(parts)))
    unit = _unit_polygons(rng, part_start)
    # Parts stand side by side along x; each takes a band of its own along y.
    place = (np.arange(len(part_label)) - label_part[part_label]) / parts[part_label]
    many = parts[part_label] > 1
    low = np.where(many, 0.3 * rng.random(len(many)), 0.0)
    share = np.where(many, 0.8, 1.0) / parts[part_label]
    part = _split(part_start)
    unit *= np.stack([share, np.where(many, 0.7, 1.0)], axis=1)[part]
    unit += np.stack([place, low], axis=1)[part]

    fill = np.add.reduceat(_doubled_area(unit, part_start), label_part[:-1]) / 2
    limit_w, limit_h = 0.98 * width[image], 0.98 * height[image]
    product = area / fill
    w = np.minimum(np.sqrt(product * np.exp(0.65 * rng.standard_normal(len(area)))), limit_w)
    h = np.clip(product / np.maximum(w, 2), 2, limit_h)
    w = np.clip(product / h, 2, limit_w)
    x, y = rng.random(len(w)) * (width[image] - w), rng.random(len(w)) * (height[image] - h)
    first = np.flatnonzero(copy) - 1
    w[copy], h[copy] = w[first], h[first]
    x[copy] = np.clip(x[first] + 0.03 * w[first], 0, width[image][copy] - w[copy])
    y[copy] = np.clip(y[first] + 0.03 * h[first], 0, height[image][copy] - h[copy])

    owner = part_label[part]
    origin, size = np.stack([x, y], axis=1), np.stack([w, h], axis=1)
    points = np.rint(100 * (origin[owner] + unit * size[owner])).astype(np.int64)
    first_point = part_start[label_part[:-1]]
    corner = np.minimum.reduceat(points, first_point)
    box = np.concatenate([corner, np.maximum.reduceat(points, first_point) - corner], axis=1)
    exact = np.add.reduceat(_doubled_area(points, part_start), label_part[:-1]) / 20000
    wrong = (true_category + rng.integers(1, N_CATEGORIES, len(area))) % N_CATEGORIES
    category = np.where(error == WRONG_CLASS, wrong, true_category)
    lines = Polygons(points, part_start, part_label)
    return Labels(image, category, true_category, box, exact, error, copy, lines)


def draw_crowds(rng: Rng, width: Ints, height: Ints, image: Ints) -> Crowds:
    """One crowd region per row of `image`: columns with two runs each, down a wavy band."""
    n, W, H = len(image), width[image], height[image]
    w = (W * (0.15 + 0.7 * rng.random(n))).astype(np.int64)
    h = np.maximum((H * (0.1 + 0.5 * rng.random(n))).astype(np.int64), 16)
    x0, y0 = (rng.random(n) * (W - w)).astype(np.int64), 1 + (rng.random(n) * (H - h - 2))
    start = np.concatenate(([0], np.cumsum(w)))
    one = _split(start)
    wave = np.sin((np.arange(start[-1]) - start[one]) / 9.0 + one)
    top = (y0[one] + h[one] * (0.10 + 0.08 * wave)).astype(np.int64)
    upper = 1 + (h[one] * 0.25 * rng.random(len(one))).astype(np.int64)
    gap = 1 + (h[one] * 0.15 * rng.random(len(one))).astype(np.int64)
    lower = 1 + (h[one] * (0.15 + 0.15 * rng.random(len(one)))).astype(np.int64)
    end = top + upper + gap + lower
    before = np.concatenate(([0], H[one][1:] - end[:-1])) + top if len(one) else top
    before[start[:-1]] = x0 * H + top[start[:-1]]
    runs = np.stack([before, upper, gap, lower], axis=1)
    rest = H - end[start[1:] - 1] + (W - x0 - w) * H
    counts = np.insert(runs.ravel(), 4 * start[1:], rest)
    if not n:
        none = np.zeros(0, np.int64)
        return Crowds(none, none, none.reshape(0, 4), none, none, np.zeros(1, np.int64))
    y_low, y_high = np.minimum.reduceat(top, start[:-1]), np.maximum.reduceat(end, start[:-1])
    category = np.where(rng.random(n) < 0.7, 0, rng.integers(1, N_CATEGORIES, n))
    box = np.stack([x0, y_low, w, y_high - y_low], axis=1)
    area = np.add.reduceat(upper + lower, start[:-1])
    return Crowds(image, category, box, area, counts, 4 * start + np.arange(n + 1))


def draw_detections(rng: Rng, labels: Labels, width: Ints, height: Ints, total: int) -> Detections:
    """About `total` detections: three quarters of the objects found (large ones more often), with
    box noise, confusions and repeats of low score, and false alarms for the rest."""
    area, box = labels.area, labels.box / 100
    size = (area >= 32 * 32).astype(np.int64) + (area >= 96 * 96)
    visible = ~labels.copy & (labels.error != SPURIOUS)
    planted = visible & (labels.error != CLEAN)
    found = visible & (planted | (rng.random(len(area)) < np.array([0.58, 0.82, 0.95])[size]))
    weak = visible & ~found & (rng.random(len(area)) < 0.5)
    main, faint = np.flatnonzero(found), np.flatnonzero(weak)
    repeat = np.repeat(main, rng.poisson(1.0, len(main)))
    source = np.concatenate([main, repeat, faint])
    spread = np.repeat([1.0, 3.0, 4.0], [len(main), len(repeat), len(faint)])

    sure = rng.beta(np.array([2.0, 3.0, 5.0])[size[main]], np.array([2.4, 1.7, 1.2])[size[main]])
    sure = np.where(planted[main], 0.6 + 0.38 * sure, sure)
    score = np.concatenate([sure, rng.beta(1.2, 9, len(repeat)), rng.beta(1, 7, len(faint))])
    mistaken = rng.random(len(source)) < np.where(spread == 1, 0.04, 0.5)
    mistaken &= ~((spread == 1) & planted[source])
    other = rng.integers(0, N_CATEGORIES, len(source))
    category = np.where(mistaken, other, labels.true_category[source])

    near = box[source]
    noise = spread[:, None] * (0.025 + 0.6 / np.sqrt(np.maximum(area[source], 16)))[:, None]
    moved = labels.error[source] == SHIFTED
    near[moved, :2] += near[moved, 2:] * rng.choice([-0.3, 0.3], size=(int(moved.sum()), 2))
    near[:, :2] += near[:, 2:] * noise * rng.standard_t(4, (len(near), 2))
    near[:, 2:] *= np.exp(np.clip(noise * rng.standard_t(4, (len(near), 2)), -0.7, 0.7))

    missing = max(total - len(source), 0)
    weight = rng.gamma(2.0, size=len(width))
    alarm = np.repeat(np.arange(len(width)), rng.multinomial(missing, weight / weight.sum()))
    side = np.sqrt(draw_areas(rng, len(alarm)) / 0.6)
    stretch = np.exp(0.35 * rng.standard_normal(len(alarm)))
    extent = np.stack([side * stretch, side / stretch], axis=1)
    limit = np.stack([width[alarm], height[alarm]], axis=1)
    extent = np.minimum(extent, limit)
    far = np.concatenate([rng.random(extent.shape) * (limit - extent), extent], axis=1)
    alarm_score = 0.01 + 0.9 * rng.beta(0.7, 14, len(alarm))
    alarm_kind = rng.choice(N_CATEGORIES, size=len(alarm), p=category_shares())
    shape = rng.integers(0, len(area), len(alarm)) if len(area) else np.full(len(alarm), -1)

    image = np.concatenate([labels.image[source], alarm])
    points = np.rint(100 * np.concatenate([near, far])).astype(np.int64)
    edge = 100 * np.stack([width[image], height[image]], axis=1)
    corner = np.clip(points[:, :2], 0, edge - 100)
    opposite = np.clip(points[:, :2] + points[:, 2:], corner + 100, edge)
    final = np.rint(1e5 * np.clip(np.concatenate([score, alarm_score]), 0.001, 0.99999))
    order = np.lexsort((-final, image))
    return Detections(
        image[order],
        np.concatenate([category, alarm_kind])[order],
        np.concatenate([corner, opposite - corner], axis=1)[order],
        final.astype(np.int64)[order],
        np.concatenate([source, shape])[order].astype(np.int64),
    )
