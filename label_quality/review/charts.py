"""Charts as plotly figures: plain dictionaries of data and layout, drawn in the browser by ``charts.js``.

A colour that begins with ``--`` is a variable of the style sheet, so that charts follow light and dark. What a click on a mark
means stands in its customdata: the query of the page that it opens. Text from the data is escaped: plotly reads some HTML.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from markupsafe import escape

from label_quality.report.charts import compact
from label_quality.review.overview import Histogram

Figure = dict[str, Any]

LABEL, PREDICTION, GOOD, BAD, SOFT, FAINT = (
    "--label",
    "--prediction",
    "--fix",
    "--bad",
    "--soft",
    "--faint",
)
SERIES = ("--label", "--prediction", "--fix", "--unsure", "--relabel", "--bad")
SEVERE, MODERATE = "--bad", "--moderate"
_ROW, _MOST_TICKS, _STEEP = 24, 9, 15


def text(value: object) -> str:
    """Text from the data as plotly may have it."""
    return str(escape(str(value)))


def figure(data: Sequence[dict[str, Any]], **layout: Any) -> Figure:
    """A figure."""
    return {"data": list(data), "layout": layout}


def bars(
    names: Sequence[str],
    parts: Sequence[tuple[str, Sequence[float | None], str]],
    *,
    title: str,
    hover: Sequence[str] | None = None,
    interval: Sequence[tuple[float | None, float | None]] | None = None,
    links: Sequence[Any] | None = None,
    percent: bool = False,
    pattern: Sequence[str] | None = None,
) -> Figure:
    """Horizontal bars, the first on top. `parts`: name, values and colour of each part, stacked.

    Args:
        names: of the rows.
        parts: what stands beside each other in a row.
        title: of the axis of values.
        hover: a sentence for each row, already escaped; else name and value.
        interval: low and high of each row, where there is one part.
        links: customdata of each row; where there are several parts, of each part.
        percent: whether values are shares.
        pattern: fill patterns of the rows, "" for none.
    """
    data = []
    for number, (part, values, colour) in enumerate(parts):
        trace: dict[str, Any] = {
            "type": "bar",
            "orientation": "h",
            "name": part,
            "y": list(range(len(names))),
            "x": list(values),
            "marker": {"color": colour}
            | ({"pattern": {"shape": list(pattern)}} if pattern else {}),
            "hovertemplate": "%{text}<extra></extra>"
            if hover
            else f"%{{x:{'.1%' if percent else ',.4~g'}}}<extra>{part}</extra>",
        }
        if hover:
            trace |= {"text": list(hover), "textposition": "none"}
        if links:
            trace["customdata"] = list(links[number] if len(parts) > 1 else links)
        if interval:
            known = [(low, high, v) for (low, high), v in zip(interval, values, strict=True)]
            trace["error_x"] = {
                "type": "data",
                "symmetric": False,
                "array": [0 if h is None or v is None else max(h - v, 0) for _, h, v in known],
                "arrayminus": [
                    0 if lo is None or v is None else max(v - lo, 0) for lo, _, v in known
                ],
                "color": SOFT,
                "thickness": 1.2,
                "width": 3,
            }
        data.append(trace)
    return figure(
        data,
        barmode="stack",
        height=_ROW * max(len(names), 1) + (70 if len(parts) > 1 else 56),
        showlegend=len(parts) > 1,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        xaxis={
            "title": {"text": title},
            "rangemode": "tozero",
            "tickformat": ".0%" if percent else "",
            "fixedrange": True,
        },
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": [text(shortened(name)) for name in names],
            "range": [len(names) - 0.5, -0.5],
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
        },
        margin={"l": 8, "r": 16, "t": 26 if len(parts) > 1 else 6, "b": 44},
        bargap=0.28,
    )


def histogram(
    found: Histogram,
    *,
    colour: str,
    name: str,
    marks: Sequence[tuple[float, str]] = (),
    height: int = 260,
) -> Figure:
    """Counts in bins. The axis runs over the bins' numbers, whatever their scale; `meta.edges` has what they begin and end at.

    `marks` are values with a line and a word: quartiles.
    """
    bins = len(found.counts)
    step = max(round(bins / _MOST_TICKS), 1)
    ticks = [k + 0.5 * found.whole for k in range(0, bins + (not found.whole), step)]
    shapes, notes = [], []
    for value, word in marks:
        place = _place(found, value)
        shapes.append(
            {
                "type": "line",
                "x0": place,
                "x1": place,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": SOFT, "width": 1, "dash": "dot"},
            }
        )
        notes.append(
            {
                "x": place,
                "yref": "paper",
                "y": 1,
                "yanchor": "bottom",
                "text": word,
                "showarrow": False,
                "font": {"size": 10.5, "color": SOFT},
            }
        )
    ends = list(zip(found.edges, found.edges[1:], strict=False))
    between = [
        compact((a + b) / 2) if found.whole else f"{compact(a)} to {compact(b)}" for a, b in ends
    ]
    # Where nearly everything has one value, the rest is seen on a logarithmic scale only.
    most, *others = [*sorted(found.counts, reverse=True), 0]
    steep = most > _STEEP * max(others[0], 1) and others[0] > 0
    counted = {
        "type": "log",
        "range": [-0.3, math.log10(most) * 1.04],
        "title": {"text": "logarithmic"},
        "nticks": 4,
    }
    made = figure(
        [
            {
                "type": "bar",
                "x": [k + 0.5 for k in range(bins)],
                "y": found.counts,
                "width": 1,
                "marker": {"color": colour, "line": {"width": 0}},
                "text": between,
                "textposition": "none",
                "hovertemplate": "%{text}: %{y:,}<extra></extra>",
            }
        ],
        height=height,
        bargap=0.06,
        shapes=shapes,
        annotations=notes,
        xaxis={
            "title": {"text": text(name) + (" (logarithmic)" if found.log else "")},
            "tickvals": ticks,
            "ticktext": [compact(found.edges[int(k)] + 0.5 * found.whole) for k in ticks],
            "range": [0, bins],
            "showgrid": False,
            "fixedrange": True,
            "zeroline": False,
        },
        yaxis={"fixedrange": True, **(counted if steep else {"rangemode": "tozero", "nticks": 5})},
        margin={"l": 58 if steep else 46, "r": 12, "t": 22 if marks else 8, "b": 42},
    )
    made["layout"]["meta"] = {"edges": found.edges}
    return made


def _place(found: Histogram, value: float) -> float:
    """Where a value lies on the axis of bins."""
    edges = found.edges
    k = min(max(bisect.bisect_right(edges, value) - 1, 0), len(edges) - 2)
    low, high = edges[k], edges[k + 1]
    if found.log and value > 0 and low > 0:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return k + (min(max((value - low) / (high - low), 0), 1) if high > low else 0.5)


def lines(
    series: Sequence[tuple[str, Sequence[float], Sequence[float | None], str]],
    *,
    x_name: str,
    y_name: str,
    height: int = 340,
    dashed: Sequence[bool] = (),
    x_range: tuple[float, float] | None = (0, 1),
) -> Figure:
    """Lines: name, x, y and colour of each. y from 0 to 1."""
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": text(name),
            "x": list(x),
            "y": list(y),
            "line": {
                "color": colour,
                "width": 2,
                "dash": "dash" if dashed and dashed[k] else "solid",
            },
            "hovertemplate": f"{x_name} %{{x:.2f}}: %{{y:.3f}}<extra>{text(name)}</extra>",
        }
        for k, (name, x, y, colour) in enumerate(series)
    ]
    return figure(
        data,
        height=height,
        showlegend=len(series) > 1,
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        xaxis={
            "title": {"text": x_name},
            "range": list(x_range) if x_range else None,
            "fixedrange": True,
        },
        yaxis={"title": {"text": y_name}, "range": [0, 1.02], "fixedrange": True},
        margin={"l": 52, "r": 12, "t": 8, "b": 44},
    )


def binned(
    rows: Sequence[dict[str, Any]], *, name: str, y_name: str, colour: str, height: int = 280
) -> Figure:
    """A measure in the bins of a metric, each as wide as its share of the objects, with its interval (rows of performance_by_metric)."""
    total = sum(r["count"] for r in rows)
    x, y, low, high, ticks, done = [], [], [], [], [(0.0, compact(rows[0]["low"]))], 0
    for row in rows:
        for place in (done, done + row["count"]):
            x.append(place / total)
            y.append(row["value"])
            low.append(row["value_low"])
            high.append(row["value_high"])
        done += row["count"]
        word = compact(row["high"])
        if done / total - ticks[-1][0] >= 0.12 and word != ticks[-1][1]:
            ticks.append((done / total, word))
    hover = [
        f"{compact(r['low'])} to {compact(r['high'])}: {r['value']:.1%} of {r['count']:,}"
        for r in rows
        for _ in (0, 1)
    ]
    band = {
        "type": "scatter",
        "mode": "lines",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return figure(
        [
            band | {"x": x, "y": low},
            band | {"x": x, "y": high, "fill": "tonexty", "fillcolor": f"{colour}-soft"},
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": y,
                "line": {"color": colour, "width": 2},
                "text": hover,
                "hovertemplate": "%{text}<extra></extra>",
                "showlegend": False,
            },
        ],
        height=height,
        xaxis={
            "title": {"text": f"{text(name)}, at quantiles of {total:,}"},
            "tickvals": [t for t, _ in ticks],
            "ticktext": [w for _, w in ticks],
            "range": [0, 1],
            "fixedrange": True,
            "showgrid": False,
        },
        yaxis={
            "title": {"text": y_name},
            "range": [0, 1.02],
            "tickformat": ".0%",
            "fixedrange": True,
        },
        margin={"l": 58, "r": 12, "t": 8, "b": 44},
    )


def matrix(
    rows: Sequence[str | None],
    columns: Sequence[str | None],
    counts: Sequence[Sequence[int]],
    *,
    background: str,
) -> Figure:
    """Counts of labels (rows) by predictions (columns), coloured by their share of the row; None is background.

    customdata of a cell: the names of row and column.
    """
    shares, words = [], []
    for name, values in zip(rows, counts, strict=True):
        total = sum(values) or 1
        shares.append([v / total if v else None for v in values])
        words.append(
            [
                f"label {text(name or background)}, prediction {text(column or background)}: {v:,} ({v / total:.0%} of the row)"
                for column, v in zip(columns, values, strict=True)
            ]
        )
    side = 26 if len(rows) <= 24 else 15
    return figure(
        [
            {
                "type": "heatmap",
                "z": shares,
                "zmin": 0,
                "zmax": 1,
                "text": [
                    [_count(v) if v and len(rows) <= 24 else "" for v in values]
                    for values in counts
                ],
                "texttemplate": "%{text}",
                "textfont": {"size": 10.5},
                "hovertext": words,
                "hovertemplate": "%{hovertext}<extra></extra>",
                "customdata": [[[r, c] for c in columns] for r in rows],
                "colorscale": [[0, "--stage"], [0.06, "--label-faint"], [1, "--label"]],
                "showscale": False,
                "xgap": 1,
                "ygap": 1,
                "hoverongaps": False,
            }
        ],
        height=side * len(rows) + 130,
        xaxis={
            "title": {"text": "prediction"},
            "tickvals": list(range(len(columns))),
            "ticktext": [text(shortened(c or background, 16)) for c in columns],
            "tickangle": -50,
            "side": "top",
            "zeroline": False,
            "fixedrange": True,
            "showgrid": False,
            "automargin": True,
        },
        yaxis={
            "title": {"text": "label"},
            "tickvals": list(range(len(rows))),
            "ticktext": [text(shortened(r or background, 16)) for r in rows],
            "autorange": "reversed",
            "zeroline": False,
            "fixedrange": True,
            "showgrid": False,
            "automargin": True,
        },
        margin={"l": 8, "r": 44, "t": 8, "b": 8},
    )


def scatter(
    x: Sequence[float],
    y: Sequence[float],
    *,
    names: tuple[str, str],
    log: tuple[bool, bool],
    hover: Sequence[str],
    links: Sequence[Any],
    colour: str,
    trend: Sequence[tuple[float, float]] = (),
) -> Figure:
    """Points with a trend line. Selecting a box gives ranges of both values."""
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": list(x),
            "y": list(y),
            "marker": {"color": colour, "size": 5, "opacity": 0.45, "line": {"width": 0}},
            "text": list(hover),
            "customdata": list(links),
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": False,
        }
    ]
    if trend:
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [p[0] for p in trend],
                "y": [p[1] for p in trend],
                "line": {"color": BAD, "width": 2},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    axes = [
        {
            "title": {"text": text(name)},
            "type": "log" if wanted else "linear",
            "fixedrange": True,
            "zeroline": False,
        }
        for name, wanted in zip(names, log, strict=True)
    ]
    return figure(
        data,
        height=380,
        xaxis=axes[0],
        yaxis=axes[1],
        dragmode="select",
        margin={"l": 62, "r": 12, "t": 8, "b": 44},
    )


def places(rows: Sequence[dict[str, Any]], most: int = 6) -> Figure:
    """Points of x and y in the colours of their categories, the `most` commonest by name and the rest together."""
    counts = Counter(r["category_name"] for r in rows)
    named = [name for name, _ in counts.most_common(most)]
    groups = [(name, [r for r in rows if r["category_name"] == name]) for name in named]
    rest = [r for r in rows if r["category_name"] not in named]
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": text(shortened(str(name), 18)),
            "x": [r["x"] for r in some],
            "y": [r["y"] for r in some],
            "marker": {"color": colour, "size": 5, "opacity": 0.6, "line": {"width": 0}},
            "text": [f"{text(r['category_name'])}, label {r['annotation_id']}" for r in some],
            "customdata": [f"{r['batch']}/{r['annotation_id']}" for r in some],
            "hovertemplate": "%{text}<extra></extra>",
        }
        for (name, some), colour in zip(
            [*groups, ("others", rest)], [*SERIES[: len(groups)], FAINT], strict=True
        )
        if some
    ]
    hidden = {"showticklabels": False, "zeroline": False, "fixedrange": True}
    return figure(
        data,
        height=380,
        xaxis=hidden,
        yaxis=hidden,
        dragmode="select",
        legend={"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top"},
        margin={"l": 10, "r": 10, "t": 8, "b": 10},
    )


def shortened(name: str, length: int = 30) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _count(value: int) -> str:
    return f"{value:,}" if value < 1000 else f"{value / 1000:.3g}k"
