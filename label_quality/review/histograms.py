"""How values lie, and how a measure goes with them: figures over the bins of a metric."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any

from label_quality.report.charts import compact
from label_quality.review.charts import SOFT, Figure, figure, text
from label_quality.review.overview import Histogram

_MOST_TICKS, _STEEP = 9, 15


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
