"""How many predictions are right at any IoU: what a slider asks for, answered from one matching at all its stops.

`Evaluation` is loaded once and asked often. What it gives are small DataFrames; the stored tables are made in `tables`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from label_quality.performance.average import AREAS, Range, interpolated, mean, share
from label_quality.performance.greedy import Floats, Graph, Ints
from label_quality.performance.load import Data, load, models

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

SLIDER = np.arange(10, 96) / 100
"""The IoUs that may be asked for: .10 to .95 in steps of .01."""
_STEP = 5  # stops between the IoUs of an average recall: .05, as COCO has it


class Evaluation:
    """One model's predictions matched with the labels as COCOeval does it, at every stop of the slider.

    Crowds are ignored, and of an image and category the 100 predictions of highest score count, as in COCOeval. The
    matches stay right where predictions of low score are left out: who chooses first does not ask who comes later.
    """

    def __init__(
        self,
        con: DuckDBPyConnection,
        model: str,
        iou_type: str = "bbox",
        data: Data | None = None,
    ) -> None:
        """Arguments as `load` has them; takes seconds where there are millions of predictions.

        `data` is what `load` gave for them, where that was done before.
        """
        data = data or load(con, model, iou_type, floor=float(SLIDER[0]))
        self.model, self.iou_type = model, iou_type
        self.category_ids, self.category_names = data.category_ids, data.category_names
        self._bounds, self._falling = data.bounds, -data.score
        self._view = Range(data, Graph(data.edges, data.crowd), SLIDER, AREAS["all"])

    def counts_at(
        self, iou: float, *, categories: Collection[int] | None = None, min_score: float = 0.0
    ) -> pd.DataFrame:
        """Right and wrong at one IoU: first a row for all categories that were asked for, then one for each.

        Args:
            iou: smallest IoU that matches, .10 to .95 in steps of .01.
            categories: COCO ids of categories; all where it is None. Unknown ones are passed over.
            min_score: predictions of a lower score are left out, 0 to 1.

        Returns:
            model, iou_type, category_id and category_name (missing in the first row), labels, tp, fp, fn,
            precision tp / (tp + fp), recall tp / (tp + fn), f1 2 tp / (2 tp + fp + fn), ap: COCO's average precision at
            this IoU alone, and ar: mean recall at this IoU and those .05, .10 … above it, up to .95; at .50 it is COCO's
            AR for 100 detections. In the first row tp to f1 are of all categories together, ap and ar, as in COCO, means
            over those with labels. NaN where nothing is divided by nothing.

        Raises:
            ValueError: an IoU that is no stop of the slider.
        """
        import pandas as pd  # noqa: PLC0415  0.4 s; Dagster imports this room when it starts

        stop = _stop(iou)
        ends = self._ends(min_score)
        hits = self._view.hits(stop, ends)
        labels, found = self._view.labels, self._view.found(stop, ends)
        steps = range(stop, len(SLIDER), _STEP)
        recalls = [share(self._view.found(s, ends), labels) for s in steps]
        frame = _frame(labels, found, hits.false)
        frame["ap"] = interpolated(hits, labels).mean(axis=1)
        frame["ar"] = np.mean(recalls, axis=0)
        frame.insert(0, "category_id", pd.array(self.category_ids, dtype="Int64"))
        frame.insert(1, "category_name", self.category_names)
        if categories is not None:
            frame = frame[frame["category_id"].isin(list(categories))]
        total = _frame(*(frame[[n]].sum().to_numpy() for n in ("labels", "tp", "fp")))
        total["ap"], total["ar"] = mean(frame["ap"].to_numpy()), mean(frame["ar"].to_numpy())
        total.insert(0, "category_id", pd.array([pd.NA], dtype="Int64"))
        total.insert(1, "category_name", pd.Series([None], dtype=object))
        out = pd.concat([total, frame], ignore_index=True)
        out.insert(0, "model", self.model)
        out.insert(1, "iou_type", self.iou_type)
        return out

    def curves_at(self, iou: float, *, min_score: float = 0.0) -> Floats:
        """Precision over recall at one IoU: float64 (C, 101), C categories in the order of `category_ids`.

        The highest precision at a recall of at least each of COCO's 101 points, 0 where no recall is as high, NaN for
        categories without labels. The mean of a row is that category's ``ap`` of `counts_at`. Arguments likewise.
        """
        return interpolated(self._view.hits(_stop(iou), self._ends(min_score)), self._view.labels)

    def _ends(self, min_score: float) -> Ints:
        """(C,) where the detections of at least that score end."""
        parts = zip(self._bounds[:-1], self._bounds[1:], strict=True)
        return np.array(
            [a + np.searchsorted(self._falling[a:b], -min_score, side="right") for a, b in parts],
            dtype=np.int64,
        )


def counts_at(
    con: DuckDBPyConnection,
    iou: float,
    *,
    model: str | None = None,
    iou_type: str = "bbox",
    categories: Collection[int] | None = None,
    min_score: float = 0.0,
) -> pd.DataFrame:
    """`Evaluation.counts_at` of one model, or of all one after the other, loaded for this one question."""
    import pandas as pd  # noqa: PLC0415  0.4 s; Dagster imports this room when it starts

    names = models(con, iou_type) if model is None else [model]
    parts = [
        Evaluation(con, name, iou_type).counts_at(iou, categories=categories, min_score=min_score)
        for name in names
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _stop(iou: float) -> int:
    stop = round(iou * 100) - 10
    if not (0 <= stop < len(SLIDER) and abs(SLIDER[stop] - iou) < 1e-9):
        raise ValueError(f"an IoU of {iou} was asked for; it must be .10 to .95 in steps of .01")
    return stop


def _frame(labels: Ints, found: Ints, false: Ints) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  0.4 s; Dagster imports this room when it starts

    return pd.DataFrame(
        {
            "labels": labels,
            "tp": found,
            "fp": false,
            "fn": labels - found,
            "precision": share(found, found + false),
            "recall": share(found, labels),
            "f1": share(2 * found, found + false + labels),
        }
    )
