"""Table ``outliers`` and its summary, metric by metric: one query per metric and rule, no loop over objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from label_quality.outliers.fences import ENCORD_FENCES, ENCORD_SEVERE, robust_fences
from label_quality.outliers.scales import MODERATE, SEVERE, scale_of
from label_quality.registry import Kind, Metric, metrics
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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
_OBJECT = "batch, image_id, annotation_id, model, prediction_id"


def build_outliers(
    con: DuckDBPyConnection,
    kinds: Sequence[Kind] = KINDS,
    judged: Sequence[Metric] | None = None,
) -> dict[str, str]:
    """Judge every metric of `kinds` by both rules over all batches.

    A metric whose ``bad`` is none has no outliers by the robust rule; a control has none by either, as in Encord Active.

    Args:
        con: shows ``categories`` and the metric tables of `kinds` over all batches.
        kinds: of image, annotation, prediction. Predictions of all models are compared with each other.
        judged: the metrics that are judged; all that the registry finds unless given.

    Returns:
        table name -> SELECT, for ``outliers`` and ``outlier_summary``.
    """
    columns = ", ".join(f"{c.name} {c.type}" for c in TABLES["outliers"].columns)
    con.execute(f"create or replace temp table _outliers ({columns})")
    con.execute(
        "create or replace temp table _judged (kind varchar, metric varchar, rule varchar, objects bigint)"
    )
    for kind in kinds:
        known = metrics(kind).values() if judged is None else judged
        chosen = [m for m in known if m.kind == kind and not m.control]
        _read(con, kind, chosen)
        for metric in chosen:
            _judge(con, metric)
    con.execute(f"create or replace temp table _outlier_summary as {_SUMMARY}")
    con.execute("drop view if exists measured; drop table if exists _objects; drop table _judged")
    return {"outliers": "from _outliers", "outlier_summary": "from _outlier_summary"}


def _read(con: DuckDBPyConnection, kind: Kind, chosen: Sequence[Metric]) -> None:
    """The objects of one kind with their category's name, in ``_objects``: one column per metric. A crowd is no object."""
    source, keys = _SOURCES[kind]
    columns = "".join(f', "{m.name}"' for m in chosen)
    category, named = "null::varchar", ""
    if kind != "image":
        category, named = "c.name", "left join categories c using (batch, category_id)"
    where = "where not iscrowd" if kind == "annotation" else ""
    con.execute(
        f"""create or replace temp table _objects as
            select batch, image_id, {keys}, {category} as category_name{columns} from {source} {named} {where};
            insert into _judged select '{kind}', null, unnest(['robust', 'encord']), count(*) from _objects"""
    )


def _judge(con: DuckDBPyConnection, metric: Metric) -> None:
    con.execute(
        f"""create or replace temp view measured as
            select {_OBJECT}, category_name, "{metric.name}" as value from _objects where isfinite("{metric.name}")"""
    )
    rules = (
        {"encord": _ENCORD}
        if metric.bad == "none"
        else {"encord": _ENCORD, "robust": _robust(metric)}
    )
    for rule, found in rules.items():
        con.execute(
            f"""insert into _outliers by name
                select '{metric.kind}' as kind, '{metric.name}' as metric, '{rule}' as rule, {_OBJECT}, category_name,
                       value, low, high, group_name, case when severe then 'severe' else 'moderate' end as severity, score
                from ({found})"""
        )
        con.execute(
            f"insert into _judged select '{metric.kind}', '{metric.name}', '{rule}', count(*) from measured"
        )


def _robust(metric: Metric) -> str:
    """The objects out of the robust bounds, with the score: how many robust standard deviations from the median."""
    t = scale_of(metric).there.format("v.value")
    per_category = (
        "f.category_name is not distinct from v.category_name"
        if metric.per_category
        else "f.category_name is null"
    )
    return f"""
    select v.*, f.low, f.high, f.group_name, score, score >= {SEVERE} as severe
    from measured v
    join ({robust_fences(metric)}) f on {per_category}
    cross join lateral (
      select case when f.rare then {MODERATE} when v.value < f.low then (f.m - {t}) / f.s_low
                  else ({t} - f.m) / f.s_high end as score
    )
    where (v.value < f.low or v.value > f.high) and v.value is distinct from f.spike
    """


_ENCORD = f"""
    select v.*, f.low, f.high, null::varchar as group_name, beyond / nullif(iqr, 0) as score,
           beyond > {ENCORD_SEVERE} * iqr as severe
    from measured v cross join ({ENCORD_FENCES}) f
    cross join lateral (select greatest(q1 - v.value, v.value - q3) as beyond)
    where v.value < f.low or v.value > f.high
"""

# An object counts once in a total, with its worst severity, by however many metrics it is unusual.
_SUMMARY = f"""
with worst as (
  select kind, metric, rule, {_OBJECT}, max(severity = 'severe') as severe
  from _outliers group by grouping sets ((kind, metric, rule, {_OBJECT}), (kind, rule, {_OBJECT}))
), counted as (
  select kind, metric, rule, count(*) filter (not severe) as moderate, count(*) filter (severe) as severe
  from worst group by all
)
select j.kind, j.metric, j.rule, coalesce(c.moderate, 0) as moderate, coalesce(c.severe, 0) as severe, j.objects
from _judged j left join counted c
  on c.kind = j.kind and c.rule = j.rule and c.metric is not distinct from j.metric
"""
