"""Charts as inline SVG for the report: bars, lines, a matrix. Each takes plain rows and gives markup with all text escaped.

Colours and text sizes come from the page's style sheet by class, so that charts follow light, dark and print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_ROW, _NAMES, _WIDTH, _LETTER = 24, 190, 340, 7
_SIDE, _MARGIN = 250, 44


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its parts from the left, and, of a bar with one part, its interval; `text` stands behind it."""

    name: str
    parts: Sequence[float]
    text: str
    low: float | None = None
    high: float | None = None
    style: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a plot: its name, points as (x, y), and the interval of each y where there is one."""

    name: str
    points: Sequence[tuple[float, float]]
    interval: Sequence[tuple[float, float]] = ()


def bars(rows: Sequence[Bar], title: str, parts: Sequence[str] = (), style: str = "") -> Markup:
    """Horizontal bars, each with its name before and its text behind it; `parts` names the parts for the legend."""
    top = _ROW if parts else 4
    largest = max([1e-12, *(max(sum(r.parts), r.high or 0) for r in rows)])
    scale = _WIDTH / largest
    out = [_legend(parts, _NAMES, style)] if parts else []
    for number, row in enumerate(rows):
        y = top + number * _ROW
        out.append(
            Markup('<text class="name" x="{}" y="{}">{}</text>').format(
                _NAMES - 8, y + 16, _short(row.name)
            )
        )
        x = float(_NAMES)
        for k, part in enumerate(row.parts):
            out.append(
                Markup('<rect class="c{} {}" x="{}" y="{}" width="{}" height="14"/>').format(
                    k, row.style or style, _n(x), y + 5, _n(part * scale)
                )
            )
            x += part * scale
        if row.low is not None and row.high is not None:
            a, b = (_n(_NAMES + v * scale) for v in (row.low, row.high))
            out.append(
                Markup('<path class="whisker" d="M{0} {1}v8m0-4H{2}m0-4v8"/>').format(a, y + 8, b)
            )
        end = max(x, _NAMES + (row.high or 0) * scale)
        out.append(Markup('<text x="{}" y="{}">{}</text>').format(_n(end + 8), y + 16, row.text))
    width = _NAMES + _WIDTH + 24 + _LETTER * max((len(r.text) for r in rows), default=0)
    return _svg(width, top + len(rows) * _ROW + 2, title, out)


def lines(
    series: Sequence[Line],
    title: str,
    *,
    x_name: str,
    y_name: str,
    ticks: Sequence[tuple[float, str]] = (),
) -> Markup:
    """Lines over x from 0 to 1 and y from 0 to 1, with bands for intervals; `ticks` are (x, text) below the axis."""
    bottom, legend = _SIDE + 12, 18 * len(series) if len(series) > 1 else 0
    out = [_axes(x_name, y_name, ticks or [(k / 4, f"{k / 4:g}") for k in range(5)])]
    for k, line in enumerate(series):
        if line.interval:
            upper = [
                (x, high) for (x, _), (_, high) in zip(line.points, line.interval, strict=True)
            ]
            lower = [(x, low) for (x, _), (low, _) in zip(line.points, line.interval, strict=True)]
            out.append(
                Markup('<polygon class="band c{}" points="{}"/>').format(
                    k % 6, _points([*upper, *reversed(lower)])
                )
            )
        out.append(
            Markup('<polyline class="line s{}" points="{}"/>').format(k % 6, _points(line.points))
        )
        if len(series) > 1:
            y = bottom + 44 + 18 * k
            out.append(
                Markup(
                    '<path class="line s{}" d="M{} {}h22"/><text x="{}" y="{}">{}</text>'
                ).format(k % 6, _MARGIN, y, _MARGIN + 28, y + 4, _short(line.name, 44))
            )
    return _svg(_MARGIN + _SIDE + 24, bottom + 40 + legend, title, out)


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Sequence[Sequence[float]],
    title: str,
    *,
    row_name: str,
    column_name: str,
) -> Markup:
    """A matrix of counts: the stronger the colour of a cell, the larger its share of its row. Every cell names itself when pointed at."""
    cell, left, top = 30, 130, 120
    out = [
        Markup('<text class="axis" x="{}" y="14">{} → {}</text>').format(4, row_name, column_name)
    ]
    for j, name in enumerate(columns):
        x = left + j * cell + cell / 2
        out.append(
            Markup(
                '<text class="column" transform="translate({},{}) rotate(-50)">{}</text>'
            ).format(x, top - 8, _short(name, 18))
        )
    for i, (name, values) in enumerate(zip(rows, counts, strict=True)):
        y, total = top + i * cell, sum(values) or 1
        out.append(
            Markup('<text class="name" x="{}" y="{}">{}</text>').format(
                left - 6, y + 19, _short(name, 18)
            )
        )
        for j, value in enumerate(values):
            out.append(
                _cell(left + j * cell, y, cell, value, value / total, f"{name} → {columns[j]}")
            )
    return _svg(left + len(columns) * cell + 60, top + len(rows) * cell + 4, title, out)


def _cell(x: int, y: int, side: int, value: float, share: float, name: str) -> Markup:
    shown = f"{value:.0f}" if value < 1000 else f"{value / 1000:.0f}k"
    text = (
        Markup('<text class="count {}" x="{}" y="{}">{}</text>').format(
            "strong" if share > 0.6 else "", x + side / 2, y + 19, shown
        )
        if value
        else ""
    )
    return Markup(
        '<g><title>{}: {:,.0f} ({:.0%})</title><rect class="cell" x="{}" y="{}" width="{}" height="{}"/>'
        '<rect class="c0" fill-opacity="{}" x="{}" y="{}" width="{}" height="{}"/>{}</g>'
    ).format(
        name, value, share, x, y, side - 2, side - 2, f"{share:.2f}", x, y, side - 2, side - 2, text
    )  # fmt: skip


def _axes(x_name: str, y_name: str, ticks: Sequence[tuple[float, str]]) -> Markup:
    bottom = _SIDE + 12
    parts = [
        Markup(
            '<path class="grid" d="M{} {}h{}"/><text class="tick y" x="{}" y="{}">{}</text>'
        ).format(
            _MARGIN,
            _n(bottom - _SIDE * v),
            _SIDE,
            _MARGIN - 6,
            _n(bottom - _SIDE * v + 4),
            f"{v:g}",
        )
        for v in (0, 0.25, 0.5, 0.75, 1)
    ]
    parts += [
        Markup('<text class="tick x" x="{}" y="{}">{}</text>').format(
            _n(_MARGIN + _SIDE * x), bottom + 15, text
        )
        for x, text in _apart(ticks)
    ]
    parts.append(
        Markup('<text class="axis x" x="{}" y="{}">{}</text>').format(
            _MARGIN + _SIDE / 2, bottom + 32, x_name
        )
    )
    parts.append(
        Markup('<text class="axis x" transform="translate(11,{}) rotate(-90)">{}</text>').format(
            bottom - _SIDE / 2, y_name
        )
    )
    return Markup("").join(parts)


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those of the ticks, from the left, whose texts do not run into each other; the last is always among them."""
    kept: list[tuple[float, str]] = []
    for x, text in ticks:
        if x == ticks[-1][0]:
            while len(kept) > 1 and _collide(kept[-1], (x, text)):
                kept.pop()
        elif kept and _collide(kept[-1], (x, text)):
            continue
        kept.append((x, text))
    return kept


def _collide(left: tuple[float, str], right: tuple[float, str]) -> bool:
    half = _LETTER * (len(left[1]) + len(right[1])) / 2
    return (right[0] - left[0]) * _SIDE < half + _LETTER


def _legend(parts: Sequence[str], x: int, style: str) -> Markup:
    out, place = [], x
    for k, name in enumerate(parts):
        out.append(
            Markup(
                '<rect class="c{} {}" x="{}" y="5" width="12" height="12"/><text x="{}" y="16">{}</text>'
            ).format(k, style, place, place + 17, name)
        )
        place += 40 + 7 * len(name)
    return Markup("").join(out)


def _svg(width: float, height: float, title: str, parts: Sequence[Markup | str]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img"><title>{2}</title>{3}</svg>'
    ).format(_n(width), _n(height), title, Markup("").join(map(escape, parts)))


def _points(points: Sequence[tuple[float, float]]) -> str:
    bottom = _SIDE + 12
    return " ".join(f"{_n(_MARGIN + _SIDE * x)},{_n(bottom - _SIDE * y)}" for x, y in points)


def compact(value: float, digits: int = 3) -> str:
    """A number in a few characters: 0.0123, 12.3, 1,230, 12.3k, 4.56M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.{digits}g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _short(text: str, length: int = 28) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
