"""How much AP50 each kind of error costs: TIDE's dAP, the gain when an oracle fixes all errors of one kind. Arrays only.

Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV 2020. The kinds are those of `reasons`.
"""

from __future__ import annotations

import numpy as np

from label_quality.performance.average import Hits, interpolated, mean
from label_quality.performance.greedy import Flags, Floats, Ints
from label_quality.performance.load import Data
from label_quality.performance.reasons import (
    BACKGROUND_ONLY,
    BOTH,
    DUPLICATE,
    FN,
    FP,
    IGNORED,
    POOR_LOCATION,
    REASONS,
    TP,
    WRONG_CLASS,
    Verdicts,
    verdicts,
)

_MOVED = (POOR_LOCATION, WRONG_CLASS)
_REMOVED = (DUPLICATE, BACKGROUND_ONLY, BOTH)


def error_gains(data: Data) -> dict[str, tuple[float, float]]:
    """Kind of error -> AP50 as it is, AP50 when all errors of that kind are fixed. NaN without labels.

    - ``poor_location``, ``wrong_class``: of the detections whose error is about one label, the one of highest score gets its
      box or category, if nothing else was matched with it, and keeps its score; the others are removed;
    - ``duplicate``, ``background``, ``both``: they are removed;
    - ``missed``: labels that were not found, and that no error of the first two kinds is about, are removed;
    - ``false_positive``: all false detections are removed; ``false_negative``: all labels that were not found.

    A category whose labels are all removed keeps the AP of 0 that it had. The gains of the kinds do not add up: what one
    error hides shows when it is fixed. `data` holds the pairs of other categories too.
    """
    found, labels = verdicts(data)
    oracle = _Oracle(data, found, labels)
    none = np.zeros(len(data.score), bool)
    before = oracle.ap50(none)
    false = found.outcome == FP
    out = {}
    for kind in _MOVED:
        moved = _best_of_label(data, np.flatnonzero(found.reason == kind), found, labels)
        out[REASONS[kind]] = oracle.ap50(found.reason == kind, moved=moved)
    for kind in _REMOVED:
        out[REASONS[kind]] = oracle.ap50(found.reason == kind)
    missed = labels.outcome == FN
    out["false_negative"] = oracle.ap50(none, without=missed)
    missed[found.other[np.isin(found.reason, _MOVED)]] = False
    out["missed"] = oracle.ap50(none, without=missed)
    out["false_positive"] = oracle.ap50(false)
    return {kind: (before, after) for kind, after in out.items()}


class _Oracle:
    """AP50 of detections that were removed or moved, from the verdicts alone: nothing is matched anew."""

    def __init__(self, data: Data, found: Verdicts, labels: Verdicts) -> None:
        self._data, self._found = data, found
        self._true = np.flatnonzero(found.outcome == TP)
        self._counted = labels.outcome != IGNORED
        self._labels = self._per_category(self._counted)

    def ap50(
        self,
        removed: Flags,
        *,
        moved: tuple[Ints, Ints] | None = None,
        without: Flags | None = None,
    ) -> float:
        """Mean AP50. `moved`: detections and the labels that they now match; `without`: labels that are no more."""
        data = self._data
        false = (self._found.outcome == FP) & ~removed
        before = np.concatenate([[0], np.cumsum(false)])
        detection, label = moved if moved is not None else (self._true[:0], self._true[:0])
        category = np.concatenate([data.category[self._true], data.label_category[label]])
        entry = self._entries(detection, category[len(self._true) :])
        # Who moves in stands before whom it displaces.
        order = np.lexsort((np.concatenate([self._true, entry - 0.5]), category))
        place, category = np.concatenate([self._true, entry])[order], category[order]
        hits = Hits(place, category, before[place] - before[data.bounds[category]], before[:0])
        labels = self._labels - (0 if without is None else self._per_category(without))
        values: Floats = interpolated(hits, labels).mean(axis=1)
        return mean(np.where((labels == 0) & (self._labels > 0), 0.0, values))

    def _per_category(self, labels: Flags) -> Ints:
        categories = len(self._data.category_ids)
        return np.bincount(self._data.label_category[labels], minlength=categories)

    def _entries(self, detection: Ints, category: Ints) -> Ints:
        """Where detections of falling score enter a category: its own for those that are in it, else by score."""
        entry = detection.copy()
        for c in np.unique(category[self._data.category[detection] != category]):
            foreign = (category == c) & (self._data.category[detection] != c)
            first, last = self._data.bounds[c : c + 2]
            scores = -self._data.score[first:last]
            wanted = -self._data.score[detection[foreign]]
            entry[foreign] = first + np.searchsorted(scores, wanted, side="right")
        return entry


def _best_of_label(data: Data, rows: Ints, found: Verdicts, labels: Verdicts) -> tuple[Ints, Ints]:
    """Of the detections in `rows` the one of highest score for each label that was not found, by falling score."""
    rows = rows[labels.outcome[found.other[rows]] == FN]
    rows = rows[np.argsort(-data.score[rows], kind="stable")]
    first = np.sort(np.unique(found.other[rows], return_index=True)[1])
    return rows[first], found.other[rows[first]]
