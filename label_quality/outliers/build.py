"""Tables ``outliers``, ``outlier_bounds`` and ``outlier_summary``: metric by metric, in arrays over all objects of a kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from label_quality.outliers.fences import (
    ENCORD_MODERATE,
    ENCORD_SEVERE,
    Fences,
    quartiles,
    robust_fences,
)
from label_quality.outliers.scales import MODERATE, SEVERE, scale_of
from label_quality.registry import Kind, Metric, metrics
from label_quality.schema import TABLES
from label_quality.schema.rows import nan_as_null, offer, rows_of
from label_quality.workers import in_threads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Rule = Literal["robust", "encord"]
KINDS: tuple[Kind, ...] = ("image", "annotation")
"""What is judged unless other kinds are asked for: what is unusual about a prediction says little about the labels."""

# Table, and what identifies an object of it beyond batch and image.
_SOURCES = {
    "image": (
        "image_metrics",
        "null::bigint as annotation_id, null::varchar as model, null::bigint as prediction_id",
    ),
    "annotation": (
        "annotation_metrics",
        "annotation_id, null::varchar as model, null::bigint as prediction_id",
    ),
    "prediction": ("prediction_metrics", "null::bigint as annotation_id, model, prediction_id"),
}
_KEYS = ["batch", "image_id", "annotation_id", "model", "prediction_id", "category_name"]


def build_outliers(
    con: DuckDBPyConnection,
    kinds: Sequence[Kind] = KINDS,
    judged: Sequence[Metric] | None = None,
    rules: Sequence[Rule] = ("robust",),
) -> dict[str, str]:
    """Judge every metric of `kinds` by both rules over all batches.

    A metric whose ``bad`` is none has no outliers by the robust rule; a control has none by either, as in Encord Active.

    Args:
        con: shows ``categories`` and the metric tables of `kinds` over all batches.
        kinds: of image, annotation, prediction. Predictions of all models are compared with each other.
        judged: the metrics that are judged; all that the registry finds unless given.
        rules: those whose outliers become rows of ``outliers``. Encord Active's are many (1.6 million in COCO's train2017, one of
            two labels); they are counted, and their bounds say which they are.

    Returns:
        table name -> SELECT, for ``outliers``, ``outlier_bounds`` and ``outlier_summary``.
    """
    made: dict[str, list[pa.Table]] = {name: [] for name in _BUILT}
    for kind in kinds:
        known = metrics(kind).values() if judged is None else judged
        chosen = [m for m in known if m.kind == kind and not m.control]
        objects = _read(con, kind, chosen)
        worst = {rule: np.zeros(len(objects.category), np.int8) for rule in _RULES}
        counts: list[tuple[Any, ...]] = []
        for found in in_threads(partial(_judge, objects), chosen):
            for one in found:
                np.maximum.at(worst[one.rule], one.rows, one.severe + 1)
                counts.append(_counted(kind, one.metric.name, one.rule, one.severe + 1, one.judged))
                made["outlier_bounds"].append(_bounds(one))
                if one.rule in rules:
                    made["outliers"].append(_outliers(objects, one))
        counts += [_counted(kind, None, r, w, len(w)) for r, w in worst.items()]
        made["outlier_summary"].append(_table("outlier_summary", zip(*counts, strict=True)))
    return offer(con, made)


_BUILT = ("outliers", "outlier_bounds", "outlier_summary")
_RULES: tuple[Rule, ...] = ("robust", "encord")


@dataclass(frozen=True)
class _Objects:
    """N objects of one kind, in the order of their category.

    Attributes:
        keys: what identifies them, columns `_KEYS`.
        category: (N,) place in `names`; -1 for none.
        names: of the categories.
        values: metric -> (N,), NaN where there is none.
    """

    keys: pa.Table
    category: Ints
    names: list[str]
    values: dict[str, Floats]


@dataclass(frozen=True)
class _Found:
    """What one rule finds by one metric.

    Attributes:
        judged: how many objects have a value.
        rows: (n,) places of the outliers among the objects.
        value, low, high, score: (n,) of each; NaN for none.
        group: (n,) place of the category whose bounds they are; -1 for those of all.
        severe: (n,) 0 or 1.
        bounds: name, group, low, high, severe_low and severe_high of each category, None for all objects.
    """

    metric: Metric
    rule: Rule
    judged: int
    rows: Ints
    value: Floats
    low: Floats
    high: Floats
    group: Ints
    severe: NDArray[np.int8]
    score: Floats
    bounds: list[tuple[Any, ...]] = field(default_factory=list)


def _read(con: DuckDBPyConnection, kind: Kind, chosen: Sequence[Metric]) -> _Objects:
    """The objects of one kind. A crowd is no object."""
    source, keys = _SOURCES[kind]
    columns = "".join(f', "{m.name}" as "metric {m.name}"' for m in chosen)
    category, named = "null::varchar", ""
    if kind != "image":
        category, named = "c.name", "left join categories c using (batch, category_id)"
    where = "where not iscrowd" if kind == "annotation" else ""
    rows = con.sql(
        f"select batch, image_id, {keys}, {category} as category_name{columns} from {source} {named} {where}"
    ).to_arrow_table()
    words = rows["category_name"].combine_chunks().dictionary_encode()
    codes = words.indices.fill_null(-1).to_numpy().astype(np.int64)
    order = np.argsort(codes.astype(np.int32), kind="stable")
    values = {m.name: rows[f"metric {m.name}"].to_numpy()[order] for m in chosen}
    return _Objects(
        rows.select(_KEYS).take(pa.array(order)), codes[order], words.dictionary.to_pylist(), values
    )


def _judge(objects: _Objects, metric: Metric) -> list[_Found]:
    """The outliers of one metric by each rule that judges it."""
    rows = np.flatnonzero(np.isfinite(objects.values[metric.name]))
    value = objects.values[metric.name][rows]
    everything = np.sort(value)
    found = [_by_encord(metric, rows, value, everything)]
    if metric.bad != "none":
        found.append(_by_robust(objects, metric, rows, value, everything))
    return found


def _by_robust(
    objects: _Objects, metric: Metric, rows: Ints, value: Floats, everything: Floats
) -> _Found:
    group, names, groups = np.full(len(rows), -1), list[str](), list["Floats"]()
    if metric.per_category:
        group, names = objects.category[rows], objects.names
        edges = np.searchsorted(group, np.arange(len(names) + 1))
        groups = [np.sort(value[a:b]) for a, b in pairwise(edges)]
    fences = robust_fences(metric, groups, everything)

    def of(name: str, places: Ints) -> Floats:
        return np.array([getattr(f, name) for f in fences])[places]  # -1 is the last: all objects

    beyond = (value < of("low", group)) | (value > of("high", group))
    out = np.flatnonzero(beyond & (value != of("spike", group)))
    value, group = value[out], group[out]
    t = scale_of(metric).there(value)
    m, below = of("m", group), value < of("low", group)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(below, (m - t) / of("s_low", group), (t - m) / of("s_high", group))
    score = np.where(of("rare", group), MODERATE, score)
    return _Found(
        metric,
        "robust",
        len(rows),
        rows[out],
        value,
        of("low", group),
        of("high", group),
        np.where(of("own", group), group, -1),
        (score >= SEVERE).astype(np.int8),
        score,
        list(_listed(fences, names)),
    )


def _listed(fences: Sequence[Fences], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for name, f in zip([*names, None], fences, strict=True):
        yield name, name if f.own else None, f.low, f.high, f.severe_low, f.severe_high


def _by_encord(metric: Metric, rows: Ints, value: Floats, everything: Floats) -> _Found:
    lower, upper = quartiles(everything)
    spread = upper - lower
    bounds = [
        end
        for reach in (ENCORD_MODERATE, ENCORD_SEVERE)
        for end in (lower - reach * spread, upper + reach * spread)
    ]
    out = np.flatnonzero((value < bounds[0]) | (value > bounds[1]))
    value = value[out]
    beyond = np.maximum(lower - value, value - upper)
    with np.errstate(divide="ignore"):
        score = np.where(spread > 0, beyond / spread, np.nan)
    size = len(out)
    return _Found(
        metric,
        "encord",
        len(rows),
        rows[out],
        value,
        np.full(size, bounds[0]),
        np.full(size, bounds[1]),
        np.full(size, -1),
        (beyond > ENCORD_SEVERE * spread).astype(np.int8),
        score,
        [(None, None, *bounds)],
    )


def _outliers(objects: _Objects, found: _Found) -> pa.Table:
    keys = objects.keys.take(pa.array(found.rows))
    columns = {name: keys[name] for name in _KEYS}
    columns |= {n: nan_as_null(getattr(found, n)) for n in ("value", "low", "high", "score")}
    names = pa.array([*objects.names, None], pa.string())
    columns["group_name"] = names.take(
        pa.array(np.where(found.group < 0, len(names) - 1, found.group))
    )
    columns["severity"] = pa.array(["moderate", "severe"]).take(pa.array(found.severe))
    words = {"kind": found.metric.kind, "metric": found.metric.name, "rule": found.rule}
    return rows_of("outliers", words, columns)


def _bounds(found: _Found) -> pa.Table:
    words = (found.metric.kind, found.metric.name, found.rule)
    rows = [(*words, *one) for one in found.bounds]
    return _table("outlier_bounds", zip(*rows, strict=True))


def _counted(
    kind: Kind, metric: str | None, rule: Rule, severity: NDArray[np.int8], judged: int
) -> tuple[Any, ...]:
    """A row of ``outlier_summary`` from the severities: 1 moderate, 2 severe."""
    moderate, severe = (int(np.count_nonzero(severity == k)) for k in (1, 2))
    return kind, metric, rule, moderate, severe, judged


def _table(name: str, columns: Any) -> pa.Table:
    """Rows of a table of the schema; NaN becomes NULL."""
    schema = TABLES[name].arrow_schema()
    arrays = [pa.array(c, f.type, from_pandas=True) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema)
