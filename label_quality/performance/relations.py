"""How metrics go together with what models get right: fills ``metric_importance`` and ``performance_by_metric``.

Two questions: whether a prediction is right (TP or FP), and whether a label is found (TP or FN), both by boxes at IoU 0.50.
Asked of the metrics of the object itself and of its image. A metric that is made of the outcome, as a prediction's IoU with its match
is, explains it by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from label_quality.performance.by_metric import Binned, bins_of_images, bins_of_objects
from label_quality.performance.importance import draw_images, importance, rank_biserial
from label_quality.registry import KINDS, Kind, Metric, metrics
from label_quality.schema.rows import offer, rows_of
from label_quality.workers import in_threads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SAMPLE = 3_000
"""Images, over all batches, that importance is computed from: the same ones in every run, by the MD5 of batch and id."""

_BUILT = ("metric_importance", "performance_by_metric")


@dataclass(frozen=True)
class _Target:
    """One of the two questions: where the answers stand, what they are called, what joins them to the metrics."""

    kind: Kind
    outcomes: str
    wrong: str
    key: str
    measure: str

    @property
    def counts_right(self) -> bool:
        """Whether the measure is the share of the right ones."""
        return self.measure == "precision"


_TARGETS = (
    _Target("prediction", "prediction_outcomes", "FP", "batch, model, prediction_id", "precision"),
    _Target("annotation", "label_outcomes", "FN", "batch, annotation_id", "false_negative_rate"),
)


def build_relations(
    con: DuckDBPyConnection, judged: Mapping[Kind, Sequence[Metric]] | None = None
) -> dict[str, str]:
    """Relate every metric to the outcomes of every model over all batches.

    Args:
        con: shows ``images``, the metric tables, ``prediction_outcomes`` and ``label_outcomes`` of all batches.
        judged: the metrics of each kind; all that the registry finds unless given.

    Returns:
        table name -> SELECT, for ``metric_importance`` and ``performance_by_metric``.
    """
    known = judged or {kind: [*metrics(kind).values()] for kind in KINDS}
    of_image = [m for m in known.get("image", ()) if m.kind == "image"]
    images = _images(con, of_image)
    made: dict[str, list[pa.Table]] = {name: [] for name in _BUILT}
    for target in _TARGETS:
        own = [m for m in known.get(target.kind, ()) if m.kind == target.kind]
        models = con.execute(f"select distinct model from {target.outcomes} order by model")
        for (model,) in models.fetchall():
            objects = _objects(con, target, model, own, images)
            relate = partial(_relate, target, images, objects)
            for metric, found in zip(
                (own + of_image), in_threads(relate, own + of_image), strict=True
            ):
                words = {"model": model, "target": target.kind, "kind": metric.kind}
                words |= {"metric": metric.name, "measure": target.measure}
                for name, columns in found.items():
                    made[name].append(rows_of(name, words, columns))
    con.execute("drop table _numbered")
    return offer(con, made)


@dataclass(frozen=True)
class _Images:
    """All images: the metrics of each, NaN where there is no value, and its place in the sample, -1 for none."""

    values: dict[str, Floats]
    place: NDArray[np.int64]
    draws: Floats


@dataclass(frozen=True)
class _Objects:
    """The predictions or labels of one model that are right or wrong, N of them.

    Attributes:
        right: (N,) whether it is right.
        image: (N,) number of its image.
        values: own metrics, (N,), NaN where there is no value.
        per_image: how many each image has.
        right_per_image: how many of them are right.
        sampled: (n,) places of those in images of the sample.
    """

    right: NDArray[np.bool_]
    image: NDArray[np.int64]
    values: dict[str, Floats]
    per_image: NDArray[np.int64]
    right_per_image: NDArray[np.int64]
    sampled: NDArray[np.int64]


def _images(con: DuckDBPyConnection, of_image: Sequence[Metric]) -> _Images:
    """Numbers the images in the temporary table ``_numbered``."""
    con.execute(
        f"""create or replace temp table _numbered as
            select batch, image_id, row_number() over (order by batch, image_id) - 1 as image,
                   row_number() over (order by md5(concat_ws('/', batch, image_id)), batch) <= {SAMPLE} as sampled
            from images"""
    )
    rows = con.sql(
        f"""select sampled{_columns(of_image)} from _numbered left join image_metrics m using (batch, image_id)
            order by image"""
    ).to_arrow_table()
    sampled = rows["sampled"].to_numpy()
    place = np.where(sampled, np.cumsum(sampled) - 1, -1)
    return _Images(_values(rows, of_image), place, draw_images(int(np.count_nonzero(sampled))))


def _objects(
    con: DuckDBPyConnection, target: _Target, model: str, own: Sequence[Metric], images: _Images
) -> _Objects:
    """What COCO ignores is neither right nor wrong, and left out."""
    rows = con.sql(
        f"""select o.outcome = 'TP' as "right", n.image{_columns(own)}
            from {target.outcomes} o join {target.kind}_metrics m using ({target.key})
              join _numbered n on n.batch = m.batch and n.image_id = m.image_id
            where o.iou_type = 'bbox' and o.outcome in ('TP', '{target.wrong}') and o.model = ?""",
        params=[model],
    ).to_arrow_table()
    right, image = rows["right"].to_numpy().astype(bool), rows["image"].to_numpy()
    per_image, right_per_image = (
        np.bincount(some, minlength=len(images.place)) for some in (image, image[right])
    )
    sampled = np.flatnonzero(images.place[image] >= 0)
    return _Objects(right, image, _values(rows, own), per_image, right_per_image, sampled)


def _columns(some: Sequence[Metric]) -> str:
    return "".join(f', m."{m.name}" as "metric {m.name}"' for m in some)


def _values(rows: pa.Table, some: Sequence[Metric]) -> dict[str, Floats]:
    return {m.name: rows[f"metric {m.name}"].to_numpy() for m in some}


def _relate(
    target: _Target, images: _Images, objects: _Objects, metric: Metric
) -> dict[str, dict[str, Any]]:
    """Columns of the tables for one metric; nothing where it has no value at all."""
    some = objects.sampled
    if metric.kind == target.kind:
        values = objects.values[metric.name]
        bins = _of_objects(target, objects, values)
        values = values[some]
    else:
        values = images.values[metric.name]
        bins = _of_images(target, objects, values)
        values = values[objects.image[some]]
    if bins is None:
        return {}
    found = {"performance_by_metric": vars(bins) | {"bin": np.arange(1, len(bins.low) + 1)}}
    there = np.isfinite(values)
    if there.any():
        values, some = values[there], some[there]
        right, place = objects.right[some], images.place[objects.image[some]]
        related = asdict(importance(values, right, place, images.draws))
        related |= {"correlation": rank_biserial(values, right), "n": len(some)}
        found["metric_importance"] = {name: [v] for name, v in related.items()}
    return found


def _of_objects(target: _Target, objects: _Objects, values: Floats) -> Binned | None:
    there, right = np.isfinite(values), objects.right
    if not there.all():
        values, right = values[there], right[there]
    return bins_of_objects(values, right == target.counts_right) if len(values) else None


def _of_images(target: _Target, objects: _Objects, values: Floats) -> Binned | None:
    counts, counted = objects.per_image, objects.right_per_image
    if not target.counts_right:
        counted = counts - counted
    some = np.flatnonzero(np.isfinite(values) & (counts > 0))
    return bins_of_images(values[some], counts[some], counted[some]) if len(some) else None
