"""The Summary: its shell, and its numbers and charts as JSON."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from label_quality.outliers import MODERATE, SEVERE
from label_quality.rates import FORMULA
from label_quality.report import read
from label_quality.report.charts import compact
from label_quality.review import charts, fields, histograms, summary_data
from label_quality.review.answers import Database, Refused, answer
from label_quality.review.database import Row
from label_quality.review.kinds import Kind, metrics_of
from label_quality.review.pages import render
from label_quality.schema import ERROR_TYPES

router = APIRouter()

_MOST_CATEGORIES, _MOST_BARS = 24, 120
_COLOURS: dict[Kind, str] = {
    "image": charts.GOOD,
    "annotation": charts.LABEL,
    "prediction": charts.PREDICTION,
}


@router.get("/summary")
def summary(request: Request) -> Response:
    """The shell of the page."""
    return render(request, "summary")


@router.get("/api/summary/errors")
def errors(db: Database, batch: str = "", type: str = "any") -> Response:
    """Totals, estimated error rates by type and by category, batches, models that are simulated."""
    if type not in (*ERROR_TYPES, "any"):
        raise Refused(f"{type!r} is not an error type")
    with db.view() as view:
        rates = summary_data.rates(view, batch)
        categories = summary_data.category_rates(view, batch, type)
        return answer(
            {
                "totals": summary_data.totals(view, batch),
                "batches": read.batches(view.rows),
                "simulated": [m["model"] for m in read.models(view.rows) if m["simulated"]],
                "formula": FORMULA,
                "rates": rates,
                "calibrated": bool(rates) and all(r["calibrated"] for r in rates if r["judged"]),
                "rates_figure": _rates(rates),
                "categories": len(categories),
                "categories_figure": _categories(categories, type),
                "generation": view.generation,
            }
        )


@router.get("/api/summary/kind")
def kind_summary(db: Database, kind: Kind = "annotation", batch: str = "") -> Response:
    """What is unusual among images, labels or predictions, and how many there are of each category."""
    with db.view() as view:
        unusual = summary_data.outliers(view, kind)
        counts = summary_data.per_category(view, kind, batch)
        return answer(
            {
                "metrics": [msgspec.to_builtins(m) for m in metrics_of(view, kind)],
                "outliers": unusual.total,
                "outliers_figure": _outliers(unusual.metrics),
                "without": [r["metric"] for r in unusual.metrics if not r["objects"]],
                "usual": sum(
                    1 for r in unusual.metrics if r["objects"] and not r["severe"] + r["moderate"]
                ),
                "farthest": unusual.farthest,
                "bounds": {"moderate": MODERATE, "severe": SEVERE},
                "per_category_figure": _per_category(counts, kind),
                "per_category": {"all": len(counts), "drawn": min(len(counts), _MOST_BARS)},
            }
        )


@router.get("/api/summary/distribution")
def distribution(db: Database, metric: str, kind: Kind = "annotation", batch: str = "") -> Response:
    """How the values of a metric lie, with quartiles."""
    with db.view() as view:
        found = summary_data.distribution(view, kind, metric, batch)
    marks = list(zip(found.quartiles, ("¼", "median", "¾"), strict=False))
    figure = found.histogram and histograms.histogram(
        found.histogram,
        colour=_COLOURS[kind],
        name=_titled(found.metric.name, found.metric.unit),
        marks=marks,
    )
    return answer(
        {
            "figure": figure,
            "quartiles": found.quartiles,
            "valued": found.valued,
            "objects": found.objects,
            "description": found.metric.description,
        }
    )


@router.get("/api/summary/scatter")
def scatter(db: Database, x: str, y: str, kind: Kind = "annotation", batch: str = "") -> Response:
    """Two metrics of a sample against each other."""
    with db.view() as view:
        found = summary_data.points(view, kind, x, y, batch)
    hover = [
        f"{x} {compact(r['x'])}, {y} {compact(r['y'])}<br>{charts.text(_thing(kind, r))}"
        for r in found.rows
    ]
    figure = fields.scatter(
        [r["x"] for r in found.rows],
        [r["y"] for r in found.rows],
        names=(_titled(found.x.name, found.x.unit), _titled(found.y.name, found.y.unit)),
        log=(found.x.log, found.y.log),
        hover=hover,
        links=[f"{r['batch']}/{r['image_id']}" for r in found.rows],
        colour=_COLOURS[kind],
        trend=found.trend,
    )
    return answer(
        {
            "figure": figure,
            "shown": len(found.rows),
            "objects": found.objects,
            "correlation": found.correlation,
        }
    )


def _titled(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name


def _thing(kind: Kind, row: Row) -> str:
    which = {
        "image": "image {image_id}",
        "annotation": "label {annotation_id}",
        "prediction": "{model} {prediction_id}",
    }
    return f"{row['batch']}, {which[kind].format(**row)}"


def _rates(rows: list[Row]) -> charts.Figure | None:
    known = [r for r in rows if r["judged"] and r["rate"] is not None]
    known.sort(key=lambda r: (r["error_type"] != "any", -r["rate"]))
    if not known:
        return None
    return charts.bars(
        [
            "all together" if r["error_type"] == "any" else r["error_type"].replace("_", " ")
            for r in known
        ],
        [("rate", [r["rate"] for r in known], charts.BAD)],
        title="estimated share of labels",
        interval=[(r["rate_low"], r["rate_high"]) for r in known],
        hover=[_rate_in_words(r) for r in known],
        links=[{} if r["error_type"] == "any" else {"type": r["error_type"]} for r in known],
        percent=True,
    )


def _categories(rows: list[Row], error_type: str) -> charts.Figure | None:
    shown = [r for r in rows if r["expected_errors"]][:_MOST_CATEGORIES]
    if not shown:
        return None
    link = {} if error_type == "any" else {"type": error_type}
    made = charts.bars(
        [r["category_name"] for r in shown],
        [("rate", [r["rate"] for r in shown], charts.BAD)],
        title="estimated share of the category's labels; most expected errors first",
        interval=[(r["rate_low"], r["rate_high"]) for r in shown],
        hover=[f"{charts.text(r['category_name'])}: {_rate_in_words(r)}" for r in shown],
        links=[link | {"category": r["category_name"]} for r in shown],
        percent=True,
    )
    # The list is longer than its place, so the axis stands where it is seen.
    made["layout"]["xaxis"]["side"] = "top"
    made["layout"]["margin"] |= {"t": 44, "b": 6}
    return made


def _rate_in_words(row: Row) -> str:
    said = f"{row['rate']:.1%}" if row["rate"] is not None else "no rate"
    if row["rate_low"] is not None:
        said += f" ({row['rate_low']:.1%} to {row['rate_high']:.1%})"
    return (
        f"{said}<br>{row['expected_errors']:,.1f} errors expected in {row['labels']:,} labels, {row['findings']:,} findings"
        f"<br>{row['reviewed']:,} reviewed, {row['accepted']:,} of them errors{_sampled_in_words(row)}"
    )


def _sampled_in_words(row: Row) -> str:
    if row["reviewed_rate"] is None:
        return ""
    return (
        f"<br>by {row['n_sampled']:,} answers of the random sample {row['reviewed_rate']:.1%} "
        f"({row['reviewed_low']:.1%} to {row['reviewed_high']:.1%})"
    )


def _outliers(rows: list[Row]) -> charts.Figure | None:
    shown = [r for r in rows if r["severe"] + r["moderate"]]
    if not shown:
        return None
    return charts.bars(
        [r["metric"] for r in shown],
        [
            ("severe", [r["severe"] for r in shown], charts.SEVERE),
            ("moderate", [r["moderate"] for r in shown], charts.MODERATE),
        ],
        title="objects",
        hover=[
            f"{charts.text(r['metric'])}: {r['severe']:,} severe, {r['moderate']:,} moderate of {r['objects']:,}"
            f"<br>by Encord Active's rule {r['encord'] or 0:,}"
            for r in shown
        ],
        links=[
            [{"outlier": r["metric"], "severity": s} for r in shown] for s in ("severe", "moderate")
        ],
    )


def _per_category(rows: list[Row], kind: Kind) -> charts.Figure | None:
    """All categories, the largest first; those of less than half the median are pale, as too few to learn from."""
    if not rows:
        return None
    counts = sorted(r["n"] for r in rows)
    few = counts[len(counts) // 2] / 2
    rows = rows[:_MOST_BARS]
    what = {"image": "images with a label", "annotation": "labels", "prediction": "predictions"}[
        kind
    ]
    return charts.figure(
        [
            {
                "type": "bar",
                "x": list(range(len(rows))),
                "y": [r["n"] for r in rows],
                "marker": {
                    "color": [charts.FAINT if r["n"] <= few else _COLOURS[kind] for r in rows]
                },
                "text": [charts.text(r["category_name"]) for r in rows],
                "textposition": "none",
                "customdata": [{"category": r["category_name"]} for r in rows],
                "hovertemplate": f"%{{text}}: %{{y:,}} {what}<extra></extra>",
            }
        ],
        height=280,
        bargap=0.15,
        xaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [charts.text(charts.shortened(r["category_name"], 16)) for r in rows],
            "tickangle": -55 if len(rows) <= 40 else -90,
            "tickfont": {"size": 11 if len(rows) <= 40 else 9},
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
        },
        yaxis={"title": {"text": what}, "fixedrange": True, "rangemode": "tozero", "nticks": 5},
        margin={"l": 60, "r": 8, "t": 8, "b": 8},
    )
