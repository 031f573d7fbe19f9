"""Which category the model takes for which: labels and detections matched whatever their categories. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from label_quality.performance.greedy import Edges, Graph, Ints, is_matched
from label_quality.performance.load import Data

CONFUSION_IOU = 0.5
CONFUSION_SCORE = 0.5
"""Detections of a lower score are left out: with all of them nearly every detection would be background."""


@dataclass(frozen=True)
class Cases:
    """What meets what, N cases; -1 stands for background: nothing was predicted, or no label was there.

    Attributes:
        label: (N,) number of the label.
        detection: (N,) number of the detection.
    """

    label: Ints
    detection: Ints


def confusion_cases(data: Data) -> Cases:
    """Match labels and detections whatever their categories. `data` holds the pairs of other categories too.

    The detections of an image with a score of at least `CONFUSION_SCORE` choose in the order of their score, whatever
    their category: each takes the free label of highest IoU, at least `CONFUSION_IOU`, of equal ones one of its own category.
    Crowds are left out, and so are detections that end on one of their own category.
    """
    sure = data.score >= CONFUSION_SCORE
    graph = Graph(_edges(data, sure), data.crowd)
    matched = is_matched(graph.match(data.crowd, np.array([CONFUSION_IOU])), 0)
    # Back from the places by score to the numbers of the detections.
    detection = _by_score(data)[graph.edges.detection[matched]]
    label = graph.edges.label[matched]
    alone, missed = sure.copy(), ~data.crowd
    alone[detection] = missed[label] = False
    pair = ~data.crowd[label]
    missing, unasked = np.flatnonzero(missed), np.flatnonzero(alone)
    return Cases(
        np.concatenate([label[pair], missing, np.full(len(unasked), -1)]),
        np.concatenate([detection[pair], np.full(len(missing), -1), unasked]),
    )


def confusion(data: Data) -> tuple[Ints, Ints, Ints]:
    """Count the pairs of categories of `confusion_cases`.

    Returns:
        Category of the label, category of the detection, and how often; the number of categories stands for background.
        Sorted, without zeros.
    """
    cases, background = confusion_cases(data), len(data.category_ids)
    rows = np.append(data.label_category, background)[cases.label]
    columns = np.append(data.category, background)[cases.detection]
    cells, counts = np.unique(rows * (background + 1) + columns, return_counts=True)
    return cells // (background + 1), cells % (background + 1), counts


def _edges(data: Data, sure: np.ndarray) -> Edges:
    """The pairs of both kinds with detections numbered by falling score; labels of the own category win ties of IoU."""
    place = np.empty(len(data.score), np.int64)
    place[_by_score(data)] = np.arange(len(place))
    other = data.other_edges.where(~data.crowd[data.other_edges.label])
    parts = [e.where((e.iou >= CONFUSION_IOU) & sure[e.detection]) for e in (data.edges, other)]
    detection, label, iou = (
        np.concatenate([getattr(e, name) for e in parts]) for name in ("detection", "label", "iou")
    )
    own = np.repeat([True, False], [len(e.iou) for e in parts])
    return Edges(place[detection], label, iou, own)


def _by_score(data: Data) -> Ints:
    return np.argsort(-data.score, kind="stable")
