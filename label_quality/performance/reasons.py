"""Which detections are false and which labels are missed at one IoU, and why: TIDE's kinds of errors. Arrays only.

TIDE (Bolya et al., ECCV 2020) names an error by the label that the detection comes nearest to; its thresholds are used:
a match needs an IoU of .5, an IoU below .1 is background. What does not belong here: what fixing them gains (`gains`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_quality.performance.average import AREAS, outside
from label_quality.performance.greedy import Edges, Flags, Floats, Graph, Ints, is_matched
from label_quality.performance.load import Data

FOREGROUND = 0.5
"""IoU from which a detection is on a label, TIDE's pos_thresh."""
BACKGROUND = 0.1
"""IoU below which it has nothing to do with it, TIDE's bg_thresh; also the floor of the stored overlaps."""

OUTCOMES = ("TP", "FP", "FN", "ignored")
TP, FP, FN, IGNORED = range(4)
REASONS = ("poor_location", "wrong_class", "duplicate", "background", "both", "missed", "shared")
POOR_LOCATION, WRONG_CLASS, DUPLICATE, BACKGROUND_ONLY, BOTH, MISSED, SHARED = range(7)
NO_REASON = -1


@dataclass(frozen=True)
class Verdicts:
    """One verdict on each detection (or each label), N of them.

    Attributes:
        outcome: (N,) place in `OUTCOMES`.
        reason: (N,) place in `REASONS`; -1 where the outcome needs none.
        other: (N,) number of the label (of the detection) that it was matched with or that gives the reason; -1: none.
        iou: (N,) IoU with it; NaN: none.
    """

    outcome: NDArray[np.int8]
    reason: NDArray[np.int8]
    other: Ints
    iou: Floats


@dataclass(frozen=True)
class _Nearest:
    """Of N things the partner of highest IoU: its number (-1: none) and the IoU (0: none)."""

    other: Ints
    iou: Floats


def verdicts(data: Data) -> tuple[Verdicts, Verdicts]:
    """Verdicts on all detections and on all labels of `data`, which holds the pairs of other categories too.

    A false detection is, the first that fits: ``poor_location`` (IoU of .1 to .5 with a label of its category),
    ``wrong_class`` (.5 or more with one of another), ``duplicate`` (.5 or more with one of its category: a better detection
    has it), ``background`` (less than .1 with any label), ``both`` (.1 to .5 with one of another category).

    A missed label is, the first that fits: ``shared`` (a detection of its category on it was matched with another label),
    ``wrong_class`` (one of another category is on it), ``poor_location`` (one of its category touches it), ``both`` (one of
    another category does), ``missed`` (none does). Crowds are ignored, and detections that match them.
    """
    edges = data.edges
    ignored = data.crowd | outside(data.label_area, AREAS["all"])
    graph = Graph(edges.where(edges.iou >= FOREGROUND), data.crowd)
    matched = graph.edges.where(is_matched(graph.match(ignored, np.array([FOREGROUND])), 0))
    same, other = (e.where(~data.crowd[e.label]) for e in (edges, data.other_edges))
    return (
        _of_detections(data, matched, ignored, same, other),
        _of_labels(len(ignored), matched, ignored, same, other),
    )


def _of_detections(
    data: Data, matched: Edges, ignored: Flags, same: Edges, other: Edges
) -> Verdicts:
    count = len(data.score)
    own, foreign = (_nearest(e.detection, e.label, e.iou, count) for e in (same, other))
    near = np.maximum(own.iou, foreign.iou)
    reason = _first_of(
        [
            (own.iou >= BACKGROUND) & (own.iou < FOREGROUND),
            foreign.iou >= FOREGROUND,
            own.iou >= FOREGROUND,
            near < BACKGROUND,
        ],
        [POOR_LOCATION, WRONG_CLASS, DUPLICATE, BACKGROUND_ONLY],
        BOTH,
    )
    of_own = (reason == POOR_LOCATION) | (reason == DUPLICATE)
    outcome = np.where(outside(data.area, AREAS["all"]), np.int8(IGNORED), np.int8(FP))
    return _settled(
        Verdicts(
            outcome,
            np.where(outcome == FP, reason, np.int8(NO_REASON)),
            np.where(of_own, own.other, np.where(reason == BACKGROUND_ONLY, -1, foreign.other)),
            np.where(of_own, own.iou, np.where(reason == BACKGROUND_ONLY, np.nan, foreign.iou)),
        ),
        matched.detection,
        np.where(ignored[matched.label], IGNORED, TP),
        matched.label,
        matched.iou,
    )


def _of_labels(count: int, matched: Edges, ignored: Flags, same: Edges, other: Edges) -> Verdicts:
    own, foreign = (_nearest(e.label, e.detection, e.iou, count) for e in (same, other))
    reason = _first_of(
        [
            own.iou >= FOREGROUND,
            foreign.iou >= FOREGROUND,
            own.iou >= BACKGROUND,
            foreign.iou >= BACKGROUND,
        ],
        [SHARED, WRONG_CLASS, POOR_LOCATION, BOTH],
        MISSED,
    )
    of_own = (reason == SHARED) | (reason == POOR_LOCATION)
    missed = ~ignored
    iou = np.where(of_own, own.iou, foreign.iou)
    true = matched.where(~ignored[matched.label])
    return _settled(
        Verdicts(
            np.where(missed, np.int8(FN), np.int8(IGNORED)),
            np.where(missed, reason, np.int8(NO_REASON)),
            np.where(missed & (reason != MISSED), np.where(of_own, own.other, foreign.other), -1),
            np.where(missed & (reason != MISSED), iou, np.nan),
        ),
        true.label,
        np.full(len(true.label), TP),
        true.detection,
        true.iou,
    )


def _first_of(conditions: list[Flags], reasons: list[int], otherwise: int) -> NDArray[np.int8]:
    """The reason of the first condition that holds, in a byte each."""
    return np.select(conditions, [np.int8(r) for r in reasons], np.int8(otherwise))


def _settled(found: Verdicts, rows: Ints, outcome: Ints, other: Ints, iou: Floats) -> Verdicts:
    """The verdicts with what was matched written over."""
    found.outcome[rows], found.reason[rows] = outcome, NO_REASON
    found.other[rows], found.iou[rows] = other, iou
    return found


def _nearest(of: Ints, other: Ints, iou: Floats, count: int) -> _Nearest:
    """The partner of highest IoU of each of `count` things; of equal ones the smaller number."""
    best = np.zeros(count)
    np.maximum.at(best, of, iou)
    top = iou == best[of]
    partner = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(partner, of[top], other[top])
    return _Nearest(np.where(best > 0, partner, -1), best)
