"""COCO's average precision and average recall, equal to pycocotools' COCOeval. Arrays only, no tables.

Sizes: A area ranges, T IoU thresholds, C categories, R recall points, M limits of detections per image and category.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from label_quality.performance.greedy import Edges, Flags, Floats, Graph, Ints, Words, is_matched
from label_quality.performance.load import Data

# The very numbers of COCOeval's Params: the ninth IoU is 0.8999999999999999.
IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MAX_DETS = (1, 10, 100)
AREAS = {
    "all": (0.0, 1e5**2),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e5**2),
}
"""Area in px² from, to, both included, as COCO has them: an object of 1,024 px² is small and medium."""

_EPSILON = np.spacing(1)  # COCOeval adds it where it divides: 1 of 1 is 0.9999999999999998


@dataclass(frozen=True)
class Averages:
    """What COCOeval accumulates. NaN stands where pycocotools has -1: a category without labels of that size.

    Attributes:
        precision: (A, T, C, R) highest precision at a recall of at least that point; 0 where no recall is as high.
        score: (T, C, R) for all sizes, score of the detection that reaches the recall; NaN where none does.
        recall: (A, M, T, C) share of the labels found.
        labels: (A, C) labels to be found.
    """

    precision: Floats
    score: Floats
    recall: Floats
    labels: Ints

    def average_precision(self, area: str = "all", threshold: int | None = None) -> Floats:
        """(C,) AP of each category; at all thresholds or at that number of one."""
        found = self.precision[list(AREAS).index(area)]
        found = found if threshold is None else found[threshold : threshold + 1]
        return np.asarray(found.mean(axis=(0, 2)))

    def average_recall(self, area: str = "all", max_dets: int = 100) -> Floats:
        """(C,) AR of each category over all thresholds."""
        found = self.recall[list(AREAS).index(area), MAX_DETS.index(max_dets)]
        return np.asarray(found.mean(axis=0))


def mean(values: Floats) -> float:
    """Mean over the categories that have labels; NaN where none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def outside(area: Floats, limits: tuple[float, float]) -> Flags:
    """Which areas lie outside of a range."""
    return (area < limits[0]) | (area > limits[1])


def averages(
    data: Data, thresholds: Floats = IOUS, areas: Sequence[str] = tuple(AREAS)
) -> Averages:
    """Match and accumulate: what COCOeval.evaluate and accumulate do."""
    graph = Graph(data.edges.where(data.edges.iou >= thresholds[0]), data.crowd)
    shape = (len(areas), len(thresholds), len(data.category_ids))
    precision = np.empty((*shape, len(RECALLS)))
    score = np.full(precision.shape[1:], np.nan)
    recall = np.empty((shape[0], len(MAX_DETS), *shape[1:]))
    labels = np.empty((shape[0], shape[2]), np.int64)
    for a, name in enumerate(areas):
        view = Range(data, graph, thresholds, AREAS[name])
        labels[a] = view.labels
        for t in range(len(thresholds)):
            hits = view.hits(t)
            precision[a, t] = interpolated(hits, view.labels)
            for m, limit in enumerate(MAX_DETS):
                among = hits.category[data.rank[hits.detection] < limit]
                recall[a, m, t] = share(np.bincount(among, minlength=shape[2]), view.labels)
            if name == "all":
                score[t] = reached_scores(hits, view.labels, data)
    return Averages(precision, score, recall, labels)


@dataclass(frozen=True)
class Hits:
    """True positives, N of them, in the order of the detections.

    Attributes:
        detection: (N,) number of the detection.
        category: (N,) number of its category.
        false_before: (N,) false positives of the category that rank before it.
        false: (C,) all false positives of each category.
    """

    detection: Ints
    category: Ints
    false_before: Ints
    false: Ints


class Range:
    """The matching of one range of areas, at all thresholds."""

    def __init__(
        self, data: Data, graph: Graph, thresholds: Floats, limits: tuple[float, float]
    ) -> None:
        self._bounds = data.bounds
        self.ignored = data.crowd | outside(data.label_area, limits)
        self.labels: Ints = np.bincount(
            data.label_category[~self.ignored], minlength=len(data.category_ids)
        )
        words = graph.match(self.ignored, thresholds)
        some = np.flatnonzero(words.any(axis=1))
        self.words: Words = words[some]
        self.edges: Edges = graph.edges.where(some)
        self._true = ~self.ignored[self.edges.label]
        self._category = data.label_category[self.edges.label]
        # A detection that matches nothing is false, unless its own area is outside.
        counts = ~outside(data.area, limits)
        self._counts = counts[self.edges.detection]
        self._before = np.concatenate([[0], np.cumsum(counts)])

    def found(self, threshold: int, ends: Ints | None = None) -> Ints:
        """(C,) true positives of each category, without the rest of `hits`."""
        true = is_matched(self.words, threshold) & self._true
        if ends is not None:
            true &= self.edges.detection < ends[self._category]
        return np.bincount(self._category[true], minlength=len(self.labels))

    def hits(self, threshold: int, ends: Ints | None = None) -> Hits:
        """The true positives at the threshold of that number.

        `ends`: (C,) where the detections end that take part, those of lower score being left out; all where it is None.
        """
        starts, ends = self._bounds[:-1], self._bounds[1:] if ends is None else ends
        matched = np.flatnonzero(is_matched(self.words, threshold))
        matched = matched[self.edges.detection[matched] < ends[self._category[matched]]]
        category, detection = self._category[matched], self.edges.detection[matched]
        # Those that count and rank before, without those that match something: true or ignored, they are not false.
        matched_before = np.concatenate([[0], np.cumsum(self._counts[matched])])
        bounds = np.searchsorted(category, np.arange(len(starts) + 1))
        offset = matched_before[bounds[:-1]] - self._before[starts]
        true = np.flatnonzero(self._true[matched])
        return Hits(
            detection[true],
            category[true],
            (self._before[detection] - matched_before[:-1] + offset[category])[true],
            self._before[ends] - matched_before[bounds[1:]] + offset,
        )


def interpolated(hits: Hits, labels: Ints) -> Floats:
    """(C, R) highest precision at a recall of at least each point; NaN for categories without labels.

    Precision falls between true positives: its maximum over what ranks no better is one over true positives.
    """
    bounds = np.searchsorted(hits.category, np.arange(len(labels) + 1))
    number = np.arange(len(hits.category)) - bounds[hits.category] + 1
    precision = number / (number + hits.false_before + _EPSILON)
    # One 0 after each category, where recalls that are not reached find their precision.
    padded = np.zeros(len(precision) + len(labels))
    padded[np.arange(len(precision)) + hits.category] = precision
    starts = bounds[:-1] + np.arange(len(labels))
    wanted = starts[:, None] + np.minimum(_needed(labels) - 1, np.diff(bounds)[:, None])
    best = np.maximum.reduceat(padded, wanted.ravel()).reshape(wanted.shape)
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    return np.where(labels[:, None] > 0, best, np.nan)


def reached_scores(hits: Hits, labels: Ints, data: Data) -> Floats:
    """(C, R) score of the detection at which each recall is reached, NaN where it is not."""
    bounds = np.searchsorted(hits.category, np.arange(len(labels) + 1))
    needed = _needed(labels)
    reached = needed <= np.diff(bounds)[:, None]
    scores = np.full(needed.shape, np.nan)
    place = np.broadcast_to(bounds[:-1, None], needed.shape) + needed - 1
    scores[reached] = data.score[hits.detection[place[reached]]]
    # A recall of 0 is reached by whatever comes first.
    some = (np.diff(data.bounds) > 0) & (labels > 0)
    scores[some, 0] = data.score[data.bounds[:-1][some]]
    return scores


def share(part: Ints, whole: Ints) -> Floats:
    """Part over whole, element by element; NaN where the whole is 0."""
    out: Floats = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _needed(labels: Ints) -> Ints:
    """(C, R) how many labels must be found for each recall point, at least 1: by division, as COCOeval compares."""
    total = np.maximum(labels, 1)[:, None]
    needed = np.maximum(np.ceil(RECALLS * total).astype(np.int64), 1)
    needed -= (needed > 1) & ((needed - 1) / total >= RECALLS)
    needed += needed / total < RECALLS
    return needed
