"""What the Summary shows: how much there is, how many errors are estimated and reviewed, what is unusual, how values lie.

Reads the published tables and what people have decided; the model's rates and outliers were computed by the audit, the reviewed
rates are those that publishing would write now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from label_quality.report import read
from label_quality.review.database import Row, View
from label_quality.review.kept import once
from label_quality.review.kinds import KEYS, Kind, MetricName, known_metric
from label_quality.review.overview import Histogram, histogram_of
from label_quality.review.shown import Shown, condition
from label_quality.reviews import REVIEWED

POINTS = 3_000
"""Points of a scatter plot: a sample that is the same each time."""
_REVIEWED = """
select error_type, c.name as category_name, grouping(c.name) = 1 as of_all, count(distinct (v.batch, attached_finding_id)) as reviewed,
       count(distinct (v.batch, attached_finding_id)) filter (verdict = 'accept') as accepted
from live.verdicts v left join categories c using (batch, category_id)
where attached_finding_id is not null and not superseded and $1 in ('', v.batch)
group by grouping sets ((), (error_type), (c.name), (error_type, c.name))
"""


def totals(view: View, batch: str) -> Row:
    """How much there is of everything, in one batch or ("") in all."""
    row = once(
        view,
        ("totals", batch),
        lambda: view.row(
            """select count(*) as batches, sum(images)::bigint as images, sum(labels)::bigint as labels,
                      sum(predictions)::bigint as predictions, sum(findings)::bigint as findings,
                      sum(quarantined)::bigint as quarantined,
                      (select count(distinct name) from categories where $1 in ('', batch)) as categories,
                      (select count(distinct model) from models where $1 in ('', batch)) as models,
                      (select median(width)::bigint from images where $1 in ('', batch)) as median_width,
                      (select median(height)::bigint from images where $1 in ('', batch)) as median_height
               from batch_summary where $1 in ('', batch)""",
            [batch],
        ),
    )
    assert row is not None
    return row


def rates(view: View, batch: str) -> list[Row]:
    """Estimated rates by error type, with how many findings people have decided and accepted."""
    found = (
        view.rows(
            "select * exclude (batch, category_id, category_name) from error_rates where category_id is null and batch = ?",
            [batch],
        )
        if batch
        else read.rates(view.rows)
    )
    reviewed = {r["error_type"]: r for r in _reviewed(view, batch) if r["category_name"] is None}
    found = [row | _now(reviewed.get(row["error_type"])) for row in found]
    decided = {r["error_type"] or "any": r for r in view.rows(_REVIEWED, [batch]) if r["of_all"]}
    return [row | _decided(decided.get(row["error_type"])) for row in found]


def category_rates(view: View, batch: str, error_type: str) -> list[Row]:
    """Rates of one error type (or ``any``) by category name, most expected errors first."""
    if batch:
        found = view.rows(
            "select * exclude (batch, category_id) from error_rates where category_id is not null and batch = ? and error_type = ?",
            [batch, error_type],
        )
    else:
        found = view.rows(
            "select * from overall_error_rates where category_name is not null and error_type = ?",
            [error_type],
        )
    reviewed = {
        r["category_name"]: r for r in _reviewed(view, batch) if r["error_type"] == error_type
    }
    found = [row | _now(reviewed.get(row["category_name"])) for row in found]
    decided = {
        r["category_name"]: r
        for r in view.rows(_REVIEWED, [batch])
        if not r["of_all"] and (r["error_type"] or "any") == error_type
    }
    rows = [row | _decided(decided.get(row["category_name"])) for row in found if row["judged"]]
    return sorted(rows, key=lambda r: (-(r["expected_errors"] or 0), r["category_name"]))


def _reviewed(view: View, batch: str) -> list[Row]:
    """What was reviewed until now, by error_type and category_name: of one batch, or over all."""
    if batch:
        return view.rows("from live.reviewed where batch = ?", [batch])
    return view.rows("from live.reviewed_overall")


def _now(row: Row | None) -> Row:
    return {name: row[name] if row else None for name in REVIEWED}


def _decided(row: Row | None) -> Row:
    return {k: row[k] if row else 0 for k in ("reviewed", "accepted")}


@dataclass(frozen=True)
class Outliers:
    """Unusual things of a kind: all together, by metric with the most first, and the farthest out."""

    total: Row | None
    metrics: list[Row]
    farthest: list[Row]


def outliers(view: View, kind: Kind) -> Outliers:
    """By the robust rule, over all batches: what is unusual is so among all."""

    def found() -> Outliers:
        total = [
            r for r in read.outlier_totals(view.rows) if r["rule"] == "robust" and r["kind"] == kind
        ]
        by_metric = [r for r in read.outlier_metrics(view.rows) if r["kind"] == kind]
        farthest = [r for r in read.top_outliers(view.rows) if r["kind"] == kind]
        return Outliers(total[0] if total else None, by_metric, farthest)

    return once(view, ("outliers", kind), found)


def per_category(view: View, kind: Kind, batch: str) -> list[Row]:
    """Labels, predictions, or images with a label, of each category name; the most first. Categories without any stand here too."""
    counted = {
        "image": "select batch, category_id, count(distinct image_id) as n from annotations group by all",
        "annotation": "select batch, category_id, count(*) as n from annotations group by all",
        "prediction": "select batch, category_id, count(*) as n from predictions group by all",
    }[kind]
    return once(
        view,
        ("per category", kind, batch),
        lambda: view.rows(
            f"""select c.name as category_name, coalesce(sum(n), 0)::bigint as n
                from categories c left join ({counted}) using (batch, category_id) where $1 in ('', c.batch)
                group by all order by n desc, category_name""",
            [batch],
        ),
    )


@dataclass(frozen=True)
class Distribution:
    """How the values of a metric lie. `quartiles`: the quarter, the half and three quarters of the values."""

    metric: MetricName
    histogram: Histogram | None
    quartiles: list[float]
    valued: int
    objects: int


def distribution(view: View, kind: Kind, name: str, batch: str) -> Distribution:
    """The values of a metric over all things of a kind."""
    metric = known_metric(view, kind, name)

    def found() -> Distribution:
        shown = Shown(kind=kind, batch=[batch] if batch else [])
        made = condition(view, shown)
        value = f'm."{metric.name}"'
        row = view.row(
            f"""select count(*) as objects, count(*) filter (isfinite({value})) as valued,
                       approx_quantile({value}, [0.25, 0.5, 0.75]) filter (isfinite({value})) as quartiles
                from {made.source} where {made.where}""",
            made.values,
        )
        assert row is not None
        return Distribution(
            metric,
            histogram_of(view, shown, metric),
            row["quartiles"] or [],
            row["valued"],
            row["objects"],
        )

    return once(view, ("distribution", kind, name, batch), found)


@dataclass(frozen=True)
class Points:
    """Two metrics of a sample of things: rows of x, y and what identifies the thing; `objects` have both values.

    `correlation` is Spearman's, of the sample. `trend` are two points of the least-squares line, on the scales of the axes.
    """

    x: MetricName
    y: MetricName
    rows: list[Row]
    objects: int
    correlation: float | None
    trend: list[tuple[float, float]]


def points(view: View, kind: Kind, x_name: str, y_name: str, batch: str) -> Points:
    """Two metrics against each other."""
    x, y = known_metric(view, kind, x_name), known_metric(view, kind, y_name)
    return once(
        view, ("points", kind, x_name, y_name, batch), lambda: _points(view, kind, x, y, batch)
    )


def _points(view: View, kind: Kind, x: MetricName, y: MetricName, batch: str) -> Points:
    made = condition(view, Shown(kind=kind, batch=[batch] if batch else []))
    keys = ", ".join(f"m.{key}" for key in dict.fromkeys((*KEYS[kind], "image_id")))
    both = f'isfinite(m."{x.name}") and isfinite(m."{y.name}")'
    # Logarithms have no place for what is not positive.
    both += "".join(f' and m."{m.name}" > 0' for m in (x, y) if m.log)
    source = f"from {made.source} where {made.where} and {both}"
    counted = view.row(f"select count(*) as n {source}", made.values)
    objects = counted["n"] if counted else 0
    every = max(objects // POINTS, 1)
    sampled = f"and hash({keys}) % {every} = 0" if every > 1 else ""
    view.con.execute(
        f'create or replace temp table _points as select m."{x.name}" as x, m."{y.name}" as y, {keys} {source} {sampled} limit {2 * POINTS}',
        made.values,
    )
    sx, sy = ("ln(x)" if x.log else "x"), ("ln(y)" if y.log else "y")
    line = view.row(
        f"""with ranked as (
              select x, y, rank() over (order by x) + count(*) over (partition by x) / 2 as rx,
                     rank() over (order by y) + count(*) over (partition by y) / 2 as ry from _points
            )
            select corr(rx, ry) as correlation, regr_slope({sy}, {sx}) as slope, regr_intercept({sy}, {sx}) as intercept,
                   min(x) as low, max(x) as high from ranked"""
    )
    return Points(
        x,
        y,
        view.rows("from _points"),
        objects,
        line["correlation"] if line else None,
        _trend(line, x.log, y.log),
    )


def _trend(line: Row | None, log_x: bool, log_y: bool) -> list[tuple[float, float]]:
    if (
        line is None
        or line["slope"] is None
        or not math.isfinite(line["slope"])
        or line["low"] == line["high"]
    ):
        return []
    out: list[tuple[float, float]] = []
    for x in (line["low"], line["high"]):
        y: Any = line["slope"] * (math.log(x) if log_x else x) + line["intercept"]
        out.append((x, math.exp(min(y, 700)) if log_y else y))
    return out
