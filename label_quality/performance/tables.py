"""The tables of performance over all batches, from the arrays of the modules beside this one. No formula is written here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from label_quality.performance.average import (
    AREAS,
    MAX_DETS,
    RECALLS,
    Averages,
    averages,
    mean,
)
from label_quality.performance.confusion import confusion
from label_quality.performance.corrected import correct, with_corrected_labels
from label_quality.performance.gains import error_gains
from label_quality.performance.greedy import Floats, Ints
from label_quality.performance.load import IOU_TYPES, Data, load, models, number
from label_quality.schema.rows import nan_as_null, offer, rows_of
from label_quality.workers import in_threads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLE_NAMES = ("performance", "precision_recall", "confusion", "performance_gains")
_CURVES = {0.5: 0, 0.75: 5, None: slice(None)}  # IoU -> its number in IOUS; None: the mean over all
ACCEPT_FINDINGS = "accept_findings"


def build_performance(con: DuckDBPyConnection) -> dict[str, str]:
    """Judge all models over all batches.

    Args:
        con: shows the per-batch tables of all batches as views.

    Returns:
        Table -> SELECT with the columns of its schema, for the names of `TABLE_NAMES`.
    """
    number(con)
    fixes = correct(con)
    parts: dict[str, list[pa.Table]] = {name: [] for name in TABLE_NAMES}
    for iou_type in IOU_TYPES:
        for model in models(con, iou_type):
            for name, rows in _of_model(con, model, iou_type, fixes):
                parts[name].append(rows)
    return offer(con, parts)


def _of_model(
    con: DuckDBPyConnection, model: str, iou_type: str, fixes: int
) -> Iterator[tuple[str, pa.Table]]:
    data = load(con, model, iou_type, other_categories=True, numbered=True)
    judged, gains, counts, *corrected = in_threads(
        lambda work: work(), _work(con, data, model, corrected=bool(fixes) and iou_type == "bbox")
    )
    shared = {"model": model, "iou_type": iou_type}
    yield "performance", rows_of("performance", shared, _performance(data, judged))
    yield "precision_recall", rows_of("precision_recall", shared, _curves(data, judged))
    yield "confusion", rows_of("confusion", shared, _confusion(data, *counts))
    rows = [("AP50", kind, *values) for kind, values in gains.items()]
    if iou_type == "bbox":
        after = corrected[0] if corrected else judged
        for metric, stop in (("AP", None), ("AP50", 0)):
            now, then = (mean(j.average_precision(threshold=stop)) for j in (judged, after))
            rows.append((metric, ACCEPT_FINDINGS, now, then))
    yield "performance_gains", rows_of("performance_gains", shared, _gains(rows))


def _work(
    con: DuckDBPyConnection, data: Data, model: str, *, corrected: bool
) -> Iterator[Callable[[], Any]]:
    """What is computed side by side: averages, gains, confusion, and the averages against the corrected labels.

    Their arrays let go of Python's lock; the database is read while the first are under way.
    """
    yield partial(averages, data)
    yield partial(error_gains, data)
    yield partial(confusion, data)
    if corrected:
        yield partial(averages, with_corrected_labels(con, data, model), areas=("all",))


def _performance(data: Data, judged: Averages) -> dict[str, pa.Array]:
    """The twelve numbers of COCOeval.summarize, for all categories and for each."""
    ap, ar = judged.average_precision, judged.average_recall
    rows = [
        ("AP", "all", 100, ap()),
        ("AP50", "all", 100, ap(threshold=0)),
        ("AP75", "all", 100, ap(threshold=5)),
        *(("AP", area, 100, ap(area)) for area in AREAS if area != "all"),
        *(("AR", "all", limit, ar(max_dets=limit)) for limit in MAX_DETS),
        *(("AR", area, 100, ar(area)) for area in AREAS if area != "all"),
    ]
    size = len(data.category_ids) + 1
    return {
        "metric": _repeated([r[0] for r in rows], size),
        **_categories(data, len(rows)),
        "area": _repeated([r[1] for r in rows], size),
        "max_dets": _repeated([r[2] for r in rows], size),
        "value": nan_as_null(np.concatenate([np.r_[mean(r[3]), r[3]] for r in rows])),
    }


def _curves(data: Data, judged: Averages) -> dict[str, pa.Array]:
    """Precision at 101 recalls, for all categories and each of those with labels."""
    known = np.flatnonzero(judged.labels[0] > 0)
    precision, score = judged.precision[0][:, known], judged.score[:, known]
    values, scores = [], []
    for stop in _CURVES.values():
        of_each = precision[stop] if isinstance(stop, int) else precision.mean(axis=0)
        values += [_mean_curve(of_each), of_each]
        nothing = np.full(of_each.shape, np.nan)
        scores += [
            np.full((1, len(RECALLS)), np.nan),
            score[stop] if isinstance(stop, int) else nothing,
        ]
    size, points = len(known) + 1, len(RECALLS)
    names = _categories(data, len(_CURVES), known)
    return {
        **{name: _repeated(column.to_pylist(), points) for name, column in names.items()},
        "iou": _repeated(list(_CURVES), size * points),
        "recall": pa.array(np.tile(RECALLS, size * len(_CURVES))),
        "precision": nan_as_null(np.concatenate(values).ravel()),
        "score": nan_as_null(np.concatenate(scores).ravel()),
    }


def _mean_curve(curves: Floats) -> Floats:
    """(1, R) mean over categories."""
    return curves.mean(axis=0, keepdims=True) if len(curves) else np.full((1, len(RECALLS)), np.nan)


def _confusion(data: Data, rows: Ints, columns: Ints, counts: Ints) -> dict[str, pa.Array]:
    ids, names = [*data.category_ids.tolist(), None], [*data.category_names, None]
    return {
        "category_id": pa.array([ids[c] for c in rows], pa.int64()),
        "category_name": pa.array([names[c] for c in rows], pa.string()),
        "predicted_category_id": pa.array([ids[c] for c in columns], pa.int64()),
        "predicted_category_name": pa.array([names[c] for c in columns], pa.string()),
        "count": pa.array(counts, pa.int64()),
    }


def _gains(rows: list[tuple[str, str, float, float]]) -> dict[str, pa.Array]:
    before, after = (np.array([r[k] for r in rows]) for k in (2, 3))
    return {
        "metric": pa.array([r[0] for r in rows]),
        "error_type": pa.array([r[1] for r in rows]),
        "value": nan_as_null(before),
        "value_fixed": nan_as_null(after),
        "gain": nan_as_null(after - before),
    }


def _categories(data: Data, times: int, known: np.ndarray | None = None) -> dict[str, pa.Array]:
    """Columns category_id and category_name: NULL for all together, then each of `known`; all of it `times` over."""
    chosen = range(len(data.category_ids)) if known is None else known.tolist()
    ids, names = data.category_ids.tolist(), data.category_names
    return {
        "category_id": pa.array([None, *(ids[c] for c in chosen)] * times, pa.int64()),
        "category_name": pa.array([None, *(names[c] for c in chosen)] * times, pa.string()),
    }


def _repeated(values: list[object], times: int) -> pa.Array:
    return pa.array(values).take(pa.array(np.repeat(np.arange(len(values)), times)))
