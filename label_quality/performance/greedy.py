"""COCO's matching of detections to labels, exactly, at many IoU thresholds at once, in array code.

The one implementation behind average precision, the counts of the slider, outcomes and gains. Arrays only: nothing here
knows a table, a file or what a category is. How pairs get their IoU is `matching`'s, what follows from a match is
decided by the modules beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Words = NDArray[np.uint64]

_BITS = 64


@dataclass(frozen=True)
class Edges:
    """Pairs of one detection and one label that may match, E of them, in the order of `sort_edges`.

    Attributes:
        detection: (E,) number of the detection; of two detections of one image the smaller number comes first.
        label: (E,) number of the label.
        iou: (E,) their IoU, 0 to 1; of a crowd the intersection over the detection's area.
    """

    detection: Ints
    label: Ints
    iou: Floats

    def where(self, wanted: Flags | Ints) -> Edges:
        """Some of the edges, their order kept."""
        return Edges(self.detection[wanted], self.label[wanted], self.iou[wanted])


def sort_edges(edges: Edges) -> Edges:
    """Edges in the order that a detection prefers: the highest IoU, of equal ones the later label."""
    return edges.where(np.lexsort((-edges.label, -edges.iou)))


def match(edges: Edges, ignored: Flags, crowd: Flags, thresholds: Floats) -> Words:
    """Which edges COCOeval matches, at each threshold.

    COCOeval lets the detections of an image choose in the order of their score: each takes the free label of highest
    IoU among those of at least the threshold, an ignored one only if no other is left, and crowds without using them up.
    So an edge is settled as soon as the edges that its detection prefers and the edges by which better detections want
    its label are: all edges with none of them unsettled are settled together, for all thresholds in the bits of a word.

    Args:
        edges: E edges, sorted by `sort_edges`.
        ignored: (L,) labels that count neither as found nor as missed; every crowd is one.
        crowd: (L,) labels that any number of detections may match.
        thresholds: (T,) smallest IoU that matches, ascending.

    Returns:
        (E, ceil(T / 64)) words: bit t % 64 of word t // 64 says whether the edge is matched at threshold t.
    """
    count = len(edges.iou)
    # A stable sort keeps the preference among the labels of one detection; ignored ones go last.
    order = np.argsort(edges.detection * 2 + ignored[edges.label], kind="stable")
    detection = _numbered_runs(edges.detection[order])
    label = edges.label[order]
    absorbs = crowd[label]
    after_detection, after_label = _successors(detection, label, absorbs)
    waits = np.zeros(count, np.int8)
    for after in (after_detection, after_label):
        waits[after[after >= 0]] += 1

    alive = _words_up_to(
        np.searchsorted(thresholds, edges.iou[order], side="right"), len(thresholds)
    )
    won = np.zeros_like(alive)
    done = np.zeros((int(detection[-1]) + 1 if count else 0, alive.shape[1]), np.uint64)
    taken = np.zeros((len(ignored), alive.shape[1]), np.uint64)
    front = np.flatnonzero(waits == 0)
    while len(front):
        d, lab = detection[front], label[front]
        now = alive[front] & ~taken[lab] & ~done[d]
        won[front] = now
        # Within a front no detection and no label but a crowd stands twice: they are settled one after the other.
        done[d] |= now
        uses = ~absorbs[front]
        taken[lab[uses]] |= now[uses]
        fronts = []
        for after in (after_detection, after_label):
            following = after[front]
            following = following[following >= 0]
            waits[following] -= 1
            fronts.append(following[waits[following] == 0])
        front = np.concatenate(fronts)
    out = np.empty_like(won)
    out[order] = won
    return out


def is_matched(words: Words, threshold: int) -> Flags:
    """(E,) whether each edge is matched at the threshold of that number."""
    word = words[:, threshold // _BITS]
    return np.asarray((word >> np.uint64(threshold % _BITS)) & np.uint64(1), dtype=bool)


def _numbered_runs(values: Ints) -> Ints:
    """Runs of equal values numbered 0, 1, 2 …"""
    return np.cumsum(np.r_[False, values[1:] != values[:-1]]) if len(values) else values


def _successors(detection: Ints, label: Ints, absorbs: Flags) -> tuple[Ints, Ints]:
    """Of each edge the next one of its detection, and the next one that wants its label; -1 where there is none."""
    count = len(label)
    of_detection = np.full(count, -1, np.int64)
    same = np.flatnonzero(detection[1:] == detection[:-1])
    of_detection[same] = same + 1
    of_label = np.full(count, -1, np.int64)
    by_label = np.argsort(label, kind="stable")  # the better detection first, as the edges stand
    here, after = by_label[:-1], by_label[1:]
    same = (label[here] == label[after]) & ~absorbs[here]
    of_label[here[same]] = after[same]
    return of_detection, of_label


def _words_up_to(counts: Ints, thresholds: int) -> Words:
    """(E, words) with the first `counts` bits set."""
    words = -(-thresholds // _BITS)
    left = np.clip(counts[:, None] - _BITS * np.arange(words), 0, _BITS).astype(np.uint64)
    full = np.uint64(2**64 - 1)
    # A shift by 64 is undefined: words that are full are set by themselves.
    partly = (np.uint64(1) << np.minimum(left, np.uint64(63))) - np.uint64(1)
    return np.where(left == np.uint64(_BITS), full, partly)
