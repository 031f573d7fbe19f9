"""Figures of two dimensions: a matrix of counts, points of two metrics, the map of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from label_quality.review.charts import BAD, FAINT, SERIES, Figure, figure, shortened, text


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


def _count(value: int) -> str:
    return f"{value:,}" if value < 1000 else f"{value / 1000:.3g}k"
