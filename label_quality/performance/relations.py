"""How metrics go together with what models get right: fills ``metric_importance`` and ``performance_by_metric``.

Two questions: whether a prediction is right (TP or FP), and whether a label is found (TP or FN), both by boxes at IoU 0.50.
Asked of the metrics of the object itself and of its image. A metric that is made of the outcome, as a prediction's IoU with its match
is, explains it by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from label_quality.performance.by_metric import by_metric_sql
from label_quality.performance.importance import draw_images, importance, rank_biserial
from label_quality.registry import KINDS, Kind, Metric, metrics
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

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
    con.execute(
        f"""create or replace temp table _sample as
            select batch, image_id, row_number() over (order by batch, image_id) - 1 as place
            from (select batch, image_id from images order by md5(concat_ws('/', batch, image_id)), batch limit {SAMPLE})"""
    )
    for name in _BUILT:
        con.execute(f"create or replace temp table _{name} as from ({_empty(name)})")
    for target in _TARGETS:
        own = [m for m in known.get(target.kind, ()) if m.kind == target.kind]
        of_image = [m for m in known.get("image", ()) if m.kind == "image"]
        _judge(con, target, own)
        for metric in (*own, *of_image):
            _fill_bins(con, target, metric)
        _fill_importance(con, target, [*own, *of_image])
    con.execute("drop table _right; drop table _right_by_image; drop table _sample")
    return {name: f"from _{name}" for name in _BUILT}


def _empty(name: str) -> str:
    columns = ", ".join(f"null::{c.type} as {c.name}" for c in TABLES[name].columns)
    return f"select {columns} limit 0"


def _judge(con: DuckDBPyConnection, target: _Target, own: Sequence[Metric]) -> None:
    """The objects that are right or wrong, with their own metrics, in ``_right``; what COCO ignores is neither."""
    columns = "".join(f', m."{metric.name}"' for metric in own)
    con.execute(
        f"""create or replace temp table _right as
            select o.model, m.batch, m.image_id, o.outcome = 'TP' as "right"{columns}
            from {target.outcomes} o join {target.kind}_metrics m using ({target.key})
            where o.iou_type = 'bbox' and o.outcome in ('TP', '{target.wrong}')"""
    )
    con.execute(
        """create or replace temp table _right_by_image as
           select model, batch, image_id, count(*) as n, count(*) filter ("right") as k from _right group by all"""
    )


def _fill_bins(con: DuckDBPyConnection, target: _Target, metric: Metric) -> None:
    value = f'"{metric.name}" as value from'
    finite = f'where isfinite("{metric.name}")'
    if metric.kind == target.kind:
        rows = by_metric_sql(
            f'select model, "right" = {target.counts_right} as counted, {value} _right {finite}'
        )
    else:
        counted = "k" if target.counts_right else "n - k"
        joined = "_right_by_image join image_metrics using (batch, image_id)"
        rows = by_metric_sql(
            f"select model, n, {counted} as k, {value} {joined} {finite}", of_images=True
        )
    con.execute(
        f"""insert into _performance_by_metric by name
            select '{target.kind}' as target, '{metric.kind}' as kind, '{metric.name}' as metric,
                   '{target.measure}' as measure, * from ({rows})"""
    )


def _fill_importance(con: DuckDBPyConnection, target: _Target, some: Sequence[Metric]) -> None:
    """Importance and correlation of each metric for each model, from the images of the sample."""
    columns = "".join(
        f', {"r" if m.kind == target.kind else "i"}."{m.name}" as "{m.kind} {m.name}"' for m in some
    )
    draws = draw_images(_count(con))
    models = con.execute("select distinct model from _right order by model").fetchall()
    for (model,) in models:
        sample = con.sql(
            f"""select s.place, r."right"{columns} from _right r join _sample s using (batch, image_id)
                left join image_metrics i using (batch, image_id) where r.model = ?""",
            params=[model],
        ).to_arrow_table()
        rows = [
            {"model": model, "target": target.kind, "kind": m.kind, "metric": m.name, **related}
            for m in some
            if (related := _related(sample, f"{m.kind} {m.name}", draws))
        ]
        _insert(con, "metric_importance", rows)


def _related(sample: pa.Table, column: str, draws: NDArray[np.float64]) -> dict[str, Any]:
    """Importance, its interval, the correlation and n of one metric; {} where it has no value at all."""
    values = sample[column].to_numpy()
    there = np.isfinite(values)
    if not there.any():
        return {}
    values = values[there]
    right = sample["right"].to_numpy()[there].astype(bool)
    found = importance(values, right, sample["place"].to_numpy()[there], draws)
    return {**asdict(found), "correlation": rank_biserial(values, right), "n": len(values)}


def _count(con: DuckDBPyConnection) -> int:
    return int(con.execute("select count(*) from _sample").fetchall()[0][0])


def _insert(con: DuckDBPyConnection, name: str, rows: list[dict[str, Any]]) -> None:
    con.register("_rows", pa.Table.from_pylist(rows, schema=TABLES[name].arrow_schema()))
    con.execute(f"insert into _{name} by name from _rows")
    con.unregister("_rows")
