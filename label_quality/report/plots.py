"""Which chart shows what: rows of `read` as the bars and lines of `charts`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from label_quality.registry import is_control
from label_quality.report.charts import Bar, Line, bars, compact, lines

if TYPE_CHECKING:
    from markupsafe import Markup

    from label_quality.report.read import Row

_QUESTIONS = {"prediction": "Is a prediction right?", "annotation": "Is a label found?"}
_MOST_IMPORTANT = 12
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


def reliability(rows: Sequence[Row]) -> Markup:
    """Observed over predicted share of errors, and the diagonal on which the two are alike."""
    return lines(
        [
            Line("observed", [(r["predicted"], r["observed"]) for r in rows]),
            Line("what is right", [(0.0, 0.0), (1.0, 1.0)]),
        ],
        "Reliability of p_error on planted errors of other shapes",
        x_name="predicted",
        y_name="observed",
    )


def outliers(rows: Sequence[Row]) -> list[tuple[str, Markup | str, list[str], list[str]]]:
    """For each kind its unusual objects by metric, the metrics by which none is, and those that no object has a value of."""
    return [_outliers_of(kind, some) for kind, some in grouped(rows, "kind")]


def _outliers_of(kind: str, rows: list[Row]) -> tuple[str, Markup | str, list[str], list[str]]:
    judged = [r for r in rows if r["objects"]]
    shown = [_unusual(r) for r in judged if r["severe"] + r["moderate"]]
    title = f"Outliers by metric: {kind}"
    return (
        kind,
        bars(shown, title, ("severe", "moderate"), "outlier") if shown else "",
        [
            f"{r['metric']} ({r['encord'] or 0:,})"
            for r in judged
            if not r["severe"] + r["moderate"]
        ],
        [r["metric"] for r in rows if not r["objects"]],
    )


def importance(rows: Sequence[Row], simulated: Sequence[str]) -> list[tuple[str, Markup]]:
    """Importance of each metric by model and question, with the control hatched."""
    return [
        (
            _title(model, target, simulated),
            bars(
                [_important(r) for r in _first(some)],
                f"Metric importance: {model}, {_QUESTIONS[target]}",
            ),
        )
        for (model, target), some in grouped(rows, "model", "target")
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
                for (kind, metric), bins in grouped(some, "kind", "metric")
            ],
        )
        for (model, target), some in grouped(rows, "model", "target")
    ]


def _unusual(row: Row) -> Bar:
    count = f"{row['severe'] + row['moderate']:,} of {row['objects']:,}"
    return Bar(
        row["metric"],
        [row["severe"], row["moderate"]],
        f"{count}  (Encord: {row['encord'] or 0:,})",
    )


def _first(rows: Sequence[Row]) -> list[Row]:
    """The most important metrics, and the controls wherever they stand."""
    return [
        r
        for place, r in enumerate(rows)
        if place < _MOST_IMPORTANT or is_control(r["kind"], r["metric"])
    ]


def _important(row: Row) -> Bar:
    control, correlation = is_control(row["kind"], row["metric"]), row["correlation"]
    return Bar(
        _of(row["kind"], row["metric"]) + (" (control)" if control else ""),
        [row["importance"]],
        f"{row['importance']:.3f}" + ("" if correlation is None else f"  (r {correlation:+.2f})"),
        row["low"],
        row["high"],
        "control" if control else "",
    )


def _binned(rows: Sequence[Row], name: str) -> Markup:
    """One metric: each bin as wide as the share of objects in it, so that the width of a step is a count."""
    total = sum(r["count"] for r in rows)
    first, last = rows[0]["low"], rows[-1]["high"]
    # As many digits as it takes to tell the ends apart.
    digits = next((d for d in range(3, 7) if compact(first, d) != compact(last, d)), 3)

    def tick(value: float) -> str:
        """What subtracting pixels leaves of nothing (5e-14) is 0."""
        return compact(0 if abs(value) < 1e-9 * (last - first) else value, digits)

    points, interval, ticks, done = [], [], [(0.0, tick(first))], 0
    for r in rows:
        points += [(done / total, r["value"]), ((done + r["count"]) / total, r["value"])]
        interval += [(r["value_low"], r["value_high"])] * 2
        done += r["count"]
        if (text := tick(r["high"])) != ticks[-1][1]:
            ticks.append((done / total, text))
    measure = _MEASURES[rows[0]["measure"]]
    return lines(
        [Line(name, points, interval)],
        f"{measure} by {name}",
        x_name=f"{name}, at quantiles of {total:,}",
        y_name=measure,
        ticks=ticks,
    )


def named(model: str, simulated: Sequence[str]) -> str:
    """The name of a model, with the word wherever it is not a real one."""
    return f"{model} (simulated)" if model in simulated else model


def _title(model: str, target: str, simulated: Sequence[str]) -> str:
    return f"{named(model, simulated)}: {_QUESTIONS[target]}"


def _of(kind: str, metric: str) -> str:
    return f"image: {metric}" if kind == "image" else metric


def grouped(rows: Sequence[Row], *columns: str) -> list[tuple[Any, list[Row]]]:
    """Rows that stand together by their values of `columns`: a tuple of them, or the value of the only one."""
    found = groupby(rows, key=lambda r: tuple(r[c] for c in columns))
    return [(key if len(columns) > 1 else key[0], list(some)) for key, some in found]
