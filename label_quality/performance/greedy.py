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
    """Pairs of one detection and one label that may match, E of them.

    Attributes:
        detection: (E,) number of the detection; of two detections of one image the smaller number comes first.
        label: (E,) number of the label.
        iou: (E,) their IoU, 0 to 1; of a crowd the intersection over the detection's area.
        own: (E,) whether the two have the same category; None where all have. Among labels of equal IoU these come first.
    """

    detection: Ints
    label: Ints
    iou: Floats
    own: Flags | None = None

    def where(self, wanted: Flags | Ints) -> Edges:
        """Some of the edges, their order kept."""
        own = None if self.own is None else self.own[wanted]
        return Edges(self.detection[wanted], self.label[wanted], self.iou[wanted], own)


def _by_preference(edges: Edges) -> Edges:
    """Edges by detection, and of each as it prefers them: the highest IoU, of equal ones the later label."""
    order = np.argsort(edges.detection, kind="stable")
    edges = edges.where(order)
    # Most detections have one label to choose: only the others are sorted.
    same = edges.detection[1:] == edges.detection[:-1]
    several = np.flatnonzero(np.r_[False, same] | np.r_[same, False])
    part = edges.where(several)
    order = np.arange(len(edges.iou))
    ties = (-part.label,) if part.own is None else (-part.label, ~part.own)
    order[several] = several[np.lexsort((*ties, -part.iou, part.detection))]
    return edges.where(order)


class Graph:
    """Edges and how they wait for each other, made once for the matchings of several area ranges."""

    def __init__(self, edges: Edges, crowd: Flags) -> None:
        """`crowd`: (L,) labels that any number of detections may match. The order of the edges is of no meaning."""
        edges = self.edges = _by_preference(edges)
        self._absorbs = crowd[edges.label]
        self._same = edges.detection[1:] == edges.detection[:-1]
        self._run = np.concatenate([np.zeros(1, np.int64), np.cumsum(~self._same)])[
            : len(edges.iou)
        ]
        by_label = np.argsort(edges.label, kind="stable")  # the better detection first
        here, after = by_label[:-1], by_label[1:]
        wanted = (edges.label[here] == edges.label[after]) & ~self._absorbs[here]
        self._after_label = np.full(len(edges.iou), -1, np.int64)
        self._after_label[here[wanted]] = after[wanted]

    def match(self, ignored: Flags, thresholds: Floats) -> Words:
        """Which edges COCOeval matches, at each threshold.

        COCOeval lets the detections of an image choose in the order of their score: each takes the free label of
        highest IoU among those of at least the threshold, an ignored one only if no other is left, and crowds without
        using them up. So an edge is settled as soon as the edges that its detection prefers are, and those by which
        better detections want its label: all edges that wait for none are settled together, for all thresholds in the
        bits of a word.

        Args:
            ignored: (L,) labels that count neither as found nor as missed; every crowd is one.
            thresholds: (T,) smallest IoU that matches, ascending.

        Returns:
            (E, ceil(T / 64)) words: bit t % 64 of word t // 64 says whether the edge is matched at threshold t.
        """
        detection, label = self._run, self.edges.label
        after_detection = self._preferences(ignored)
        waits = np.zeros(len(label), np.int8)
        for after in (after_detection, self._after_label):
            waits[after[after >= 0]] += 1
        reached = np.searchsorted(thresholds, self.edges.iou, side="right")
        won = _words_up_to(reached, len(thresholds))
        done = np.zeros((len(label), won.shape[1]), np.uint64)
        taken = np.zeros((len(ignored), won.shape[1]), np.uint64)
        front = np.flatnonzero(waits == 0)
        while len(front):
            d, wanted, uses = detection[front], label[front], ~self._absorbs[front]
            now = won[front] & ~taken[wanted] & ~done[d]
            won[front] = now
            # No detection, and no label but a crowd, stands in a front twice: its edges are settled one after the other.
            done[d] |= now
            taken[wanted[uses]] |= now[uses]
            fronts = []
            for after in (after_detection, self._after_label):
                following = after[front]
                following = following[following >= 0]
                waits[following] -= 1
                fronts.append(following[waits[following] == 0])
            front = np.concatenate(fronts)
        return won

    def _preferences(self, ignored: Flags) -> Ints:
        """Of each edge the one that its detection prefers next; -1 where there is none."""
        last = ignored[self.edges.label]
        order = np.arange(len(last))
        # The edges stand in the order of IoU: only a detection that has both kinds of labels is to be sorted.
        mixed = np.flatnonzero(self._same & (last[1:] != last[:-1]))
        both = np.zeros(len(last), bool)
        both[self._run[mixed]] = True
        rows = np.flatnonzero(both[self._run])
        order[rows] = rows[np.argsort(self._run[rows] * 2 + last[rows], kind="stable")]
        after = np.full(len(last), -1, np.int64)
        same = np.flatnonzero(self._same)
        after[order[same]] = order[same + 1]
        return after


def is_matched(words: Words, threshold: int) -> Flags:
    """(E,) whether each edge is matched at the threshold of that number."""
    word = words[:, threshold // _BITS]
    return np.asarray((word >> np.uint64(threshold % _BITS)) & np.uint64(1), dtype=bool)


def _words_up_to(counts: Ints, thresholds: int) -> Words:
    """(E, words) with the first `counts` bits set."""
    words = -(-thresholds // _BITS)
    left = np.clip(counts[:, None] - _BITS * np.arange(words), 0, _BITS).astype(np.uint64)
    full = np.uint64(2**64 - 1)
    # A shift by 64 is undefined: words that are full are set by themselves.
    partly = (np.uint64(1) << np.minimum(left, np.uint64(63))) - np.uint64(1)
    return np.where(left == np.uint64(_BITS), full, partly)
