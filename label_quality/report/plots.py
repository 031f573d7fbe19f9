"""Which chart shows what: rows of `read` as the bars and lines of `charts`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from label_quality.registry import metrics
from label_quality.report.charts import Bar, Line, bars, lines

if TYPE_CHECKING:
    from markupsafe import Markup

    from label_quality.report.read import Row

_QUESTIONS = {"prediction": "Is a prediction right?", "annotation": "Is a label found?"}
_MEASURES = {"precision": "precision", "false_negative_rate": "labels not found"}


def rates(rows: Sequence[Row]) -> Markup:
    """Rates by error type with their intervals, the largest first, all together last."""
    ordered = sorted(rows, key=lambda r: (r["error_type"] == "any", -r["rate"]))
    return bars(
        [
            Bar(
                "all together" if r["error_type"] == "any" else r["error_type"].replace("_", " "),
                [r["rate"]],
                f"{r['rate']:.1%}  ({r['rate_low']:.1%} to {r['rate_high']:.1%})",
                r["rate_low"],
                r["rate_high"],
            )
            for r in ordered
        ],
        "Estimated label-error rates",
    )


def outliers(rows: Sequence[Row]) -> list[tuple[str, Markup]]:
    """Unusual objects of each kind by metric, moderate and severe."""
    return [
        (
            kind,
            bars(
                [
                    Bar(
                        r["metric"],
                        [r["severe"], r["moderate"]],
                        f"{r['severe'] + r['moderate']:,} of {r['objects']:,}  (Encord: {r['encord'] or 0:,})",
                    )
                    for r in some
                ],
                f"Outliers by metric: {kind}",
                ("severe", "moderate"),
            ),
        )
        for kind, some in _grouped(rows, "kind")
    ]


def importance(rows: Sequence[Row], simulated: Sequence[str]) -> list[tuple[str, Markup]]:
    """Importance of each metric by model and question, with the control hatched."""
    return [
        (
            _title(model, target, simulated),
            bars(
                [_important(r) for r in some], f"Metric importance: {model}, {_QUESTIONS[target]}"
            ),
        )
        for (model, target), some in _grouped(rows, "model", "target")
    ]


def by_metric(
    rows: Sequence[Row], simulated: Sequence[str]
) -> list[tuple[str, list[tuple[str, Markup]]]]:
    """Precision or false-negative rate over the bins of each metric, by model and question."""
    return [
        (
            _title(model, target, simulated),
            [
                (_of(kind, metric), _binned(list(bins), _of(kind, metric)))
                for (kind, metric), bins in _grouped(some, "kind", "metric")
            ],
        )
        for (model, target), some in _grouped(rows, "model", "target")
    ]


def _important(row: Row) -> Bar:
    control = getattr(metrics(row["kind"]).get(row["metric"]), "control", False)
    correlation = row["correlation"]
    return Bar(
        _of(row["kind"], row["metric"]),
        [row["importance"]],
        f"{row['importance']:.3f}" + ("" if correlation is None else f"  (r {correlation:+.2f})"),
        row["low"],
        row["high"],
        "control" if control else "",
    )


def _binned(rows: Sequence[Row], name: str) -> Markup:
    """One metric: each bin as wide as the share of objects in it, so that the width of a step is a count."""
    total = sum(r["count"] for r in rows)
    points, interval, ticks, done = [], [], [(0.0, f"{rows[0]['low']:.3g}")], 0
    for r in rows:
        points += [(done / total, r["value"]), ((done + r["count"]) / total, r["value"])]
        interval += [(r["value_low"], r["value_high"])] * 2
        done += r["count"]
        if done / total - ticks[-1][0] >= 0.19:
            ticks.append((done / total, f"{r['high']:.3g}"))
    measure = _MEASURES[rows[0]["measure"]]
    return lines(
        [Line(name, points, interval)],
        f"{measure} by {name}",
        x_name=f"{name}, at quantiles of {total:,}",
        y_name=measure,
        ticks=ticks,
    )


def _title(model: str, target: str, simulated: Sequence[str]) -> str:
    return f"{model}{' (simulated)' if model in simulated else ''}: {_QUESTIONS[target]}"


def _of(kind: str, metric: str) -> str:
    return f"{metric} of the image" if kind == "image" else metric


def _grouped(rows: Sequence[Row], *columns: str) -> list[tuple[Any, list[Row]]]:
    """Rows that stand together by their values of `columns`: a tuple of them, or the value of the only one."""
    found = groupby(rows, key=lambda r: tuple(r[c] for c in columns))
    return [(key if len(columns) > 1 else key[0], list(some)) for key, some in found]
