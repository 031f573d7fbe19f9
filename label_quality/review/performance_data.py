"""What the page of model performance shows beyond the slider: from the published tables, or computed for one batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from label_quality.registry import is_control
from label_quality.report import read
from label_quality.review import charts, histograms, outcomes
from label_quality.review.database import Row, View
from label_quality.review.judged import Subject, judged
from label_quality.review.kept import once

_MOST_IMPORTANT = 14
_QUESTIONS = {"prediction": "Is a prediction right?", "annotation": "Is a label found?"}
_MEASURES = {
    "prediction": ("precision", charts.PREDICTION),
    "annotation": ("labels not found", charts.LABEL),
}


def scores(view: View, subject: Subject) -> list[float | None]:
    """The numbers of ``read.SCORES``: as published over all batches, else computed."""
    if not subject.batch:
        for row in read.performance(view.rows):
            if (row["model"], row["iou_type"]) == (subject.model, subject.by):
                return list(row["scores"])
    return [None if math.isnan(value) else value for value in judged(view, subject).scores()]


@dataclass(frozen=True)
class Confusion:
    """Counts by label (rows) and prediction (columns), each by `names`; None is background. `categories`: how many there are."""

    names: list[str | None]
    counts: list[list[int]]
    categories: int


def confusion(view: View, subjects: Sequence[Subject], most: int) -> list[Confusion | None]:
    """For each subject the categories that are confused most in any, so that matrices can be compared; None: nothing meets."""
    of_each = [_confusion_rows(view, s) for s in subjects]
    mixed = _mixed([row for rows in of_each for row in rows])
    first = sorted(mixed, key=lambda name: (-mixed[name][0], -mixed[name][1], name))[:most]
    names: list[str | None] = [*sorted(first), None]
    place = {name: k for k, name in enumerate(names)}
    found: list[Confusion | None] = []
    for rows in of_each:
        counts = [[0] * len(names) for _ in names]
        for row in rows:
            i, j = place.get(row["category_name"]), place.get(row["predicted_category_name"])
            if i is not None and j is not None:
                counts[i][j] = row["count"]
        found.append(Confusion(names, counts, len(mixed)) if rows else None)
    return found


def _mixed(rows: list[Row]) -> dict[str, list[int]]:
    """Of each category how often it was confused with another one, and how often it was not right at all."""
    mixed: dict[str, list[int]] = {}
    for row in rows:
        a, b, n = row["category_name"], row["predicted_category_name"], row["count"]
        for name in {a, b} - {None}:
            entry = mixed.setdefault(name, [0, 0])
            if a != b:
                entry[0] += n if a is not None and b is not None else 0
                entry[1] += n
    return mixed


def _confusion_rows(view: View, subject: Subject) -> list[Row]:
    return once(view, ("confusion", subject), lambda: _count_confusion(view, subject))


def _count_confusion(view: View, subject: Subject) -> list[Row]:
    if not subject.batch:
        return view.rows(
            "select category_name, predicted_category_name, count from confusion where model = ? and iou_type = ?",
            [subject.model, subject.by],
        )
    judged(view, subject)
    return view.rows(
        f"select category_name, predicted_category_name, count(*) as count from {subject.cases} group by all"
    )


def reasons(view: View, subject: Subject, category: str, score: float) -> dict[str, list[Row]]:
    """Rows outcome, reason, n of predictions and of labels; of one category, and of predictions from a score on, where asked."""
    if not (subject.batch or category or score):
        return {
            kind: outcomes.counts(view, kind, subject.by, subject.model)
            for kind in ("prediction", "annotation")
        }
    found = {}
    for kind in ("prediction", "annotation"):
        made = outcomes.with_outcomes(view, kind, subject.by, subject.model)
        of_category = "(m.batch, m.category_id) in (select (batch, category_id) from categories where name = $category)"
        conditions = {
            "batch": "m.batch = $batch" if subject.batch else "",
            "category": of_category if category else "",
            "model": "m.model = $model" if kind == "prediction" else "",
            "score": "m.confidence >= $score" if kind == "prediction" and score else "",
        }
        values = {
            "batch": subject.batch,
            "category": category,
            "model": subject.model,
            "score": score,
        }
        parts = {name: sql for name, sql in conditions.items() if sql}
        found[kind] = view.rows(
            f"""select outcome::varchar as outcome, reason::varchar as reason, count(*) as n from {made} m
                where {" and ".join(["outcome is not null", *parts.values()])} group by all order by outcome desc, n desc""",
            {name: values[name] for name in parts},
        )
    return found


def importance(view: View, model: str) -> list[Row]:
    """For each question a chart of importance and one of correlation."""
    out = []
    for target, question in _QUESTIONS.items():
        rows = view.rows(
            """select * from metric_importance where model = ? and target = ? and importance is not null
               order by importance desc, kind, metric""",
            [model, target],
        )
        control = {r["metric"] for r in rows if is_control(r["kind"], r["metric"])}
        shown = [r for k, r in enumerate(rows) if k < _MOST_IMPORTANT or r["metric"] in control]
        if shown:
            out.append(
                {
                    "target": target,
                    "question": question,
                    "n": max(r["n"] for r in shown),
                    "importance": _importance(shown),
                    "correlation": _correlation(shown),
                }
            )
    return out


def _titled(row: Row) -> str:
    name = f"image: {row['metric']}" if row["kind"] == "image" else row["metric"]
    return f"{name} (control)" if is_control(row["kind"], row["metric"]) else name


def _importance(rows: list[Row]) -> charts.Figure:
    return charts.bars(
        [_titled(r) for r in rows],
        [("importance", [r["importance"] for r in rows], charts.LABEL)],
        title="share of the uncertainty that the metric removes",
        interval=[(r["low"], r["high"]) for r in rows],
        hover=[
            f"{charts.text(_titled(r))}: {r['importance']:.3f} ({r['low']:.3f} to {r['high']:.3f})"
            for r in rows
        ],
        links=[{"kind": r["kind"], "metric": r["metric"]} for r in rows],
        pattern=["/" if is_control(r["kind"], r["metric"]) else "" for r in rows],
    )


def _correlation(rows: list[Row]) -> charts.Figure:
    made = charts.bars(
        [_titled(r) for r in rows],
        [("correlation", [r["correlation"] for r in rows], charts.GOOD)],
        title="rank correlation: right where values are high (+) or low (−)",
        hover=[
            f"{charts.text(_titled(r))}: {r['correlation']:+.3f}"
            if r["correlation"] is not None
            else "no correlation"
            for r in rows
        ],
        links=[{"kind": r["kind"], "metric": r["metric"]} for r in rows],
        pattern=["/" if is_control(r["kind"], r["metric"]) else "" for r in rows],
    )
    made["layout"]["xaxis"] |= {"range": [-1, 1], "rangemode": "normal"}
    made["data"][0]["marker"]["color"] = [
        charts.GOOD if (r["correlation"] or 0) >= 0 else charts.BAD for r in rows
    ]
    return made


def judged_metrics(view: View) -> list[Row]:
    """The metrics that performance was related to: kind, metric, and which questions."""
    return view.rows(
        """select kind, metric, list_sort(list(distinct target)) as targets from performance_by_metric
           group by all order by kind desc, metric"""
    )


def by_metric(view: View, model: str, kind: str, metric: str) -> list[Row]:
    """For each question that the metric was related to, the chart of its measure."""
    out = []
    for target, question in _QUESTIONS.items():
        rows = view.rows(
            "select * from performance_by_metric where model = ? and target = ? and kind = ? and metric = ? order by bin",
            [model, target, kind, metric],
        )
        if rows:
            measure, colour = _MEASURES[target]
            out.append(
                {
                    "target": target,
                    "question": question,
                    "measure": measure,
                    "figure": histograms.binned(rows, name=metric, y_name=measure, colour=colour),
                }
            )
    return out


def gains(view: View, model: str, by: str) -> charts.Figure | None:
    """A chart of performance_gains at AP50; a loss is written, and has no bar."""
    rows = (
        [r for r in read.gains(view.rows) if r["model"] == model]
        if by == "bbox"
        else view.rows(
            """select * from performance_gains where iou_type = ? and model = ? and metric = 'AP50' and gain is not null
           order by gain desc, error_type""",
            [by, model],
        )
    )
    if not rows:
        return None
    return charts.bars(
        [r["error_type"].replace("_", " ") for r in rows],
        [("gain", [max(r["gain"], 0) for r in rows], charts.GOOD)],
        title=f"gain in AP50 over {rows[0]['value']:.3f}",
        hover=[f"{charts.text(r['error_type'].replace('_', ' '))}: {r['gain']:+.3f}" for r in rows],
    )
