"""Charts as plotly figures: plain dictionaries of data and layout, drawn in the browser by ``charts.js``.

A colour that begins with ``--`` is a variable of the style sheet, so that charts follow light and dark. What a click on a mark
means stands in its customdata: the query of the page that it opens. Text from the data is escaped: plotly reads some HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import escape

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
_ROW = 24


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


def shortened(name: str, length: int = 30) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= length else f"{name[: length - 1]}…"
