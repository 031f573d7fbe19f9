"""What the Dagster UI shows beside an asset: schemas, rounded numbers, short tables, sparklines, a contact sheet.

Sizes follow what that UI draws inline: markdown under 1,000 characters, pictures under 100 KB (they stay in the event log).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import dagster as dg

from label_quality.schema import Table

_INLINE = 1000
_CELL = 90


def column_schema(table: Table) -> dg.TableSchema:
    """The schema of a table as the Columns section of the UI shows it."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                c.type,
                description=c.comment,
                constraints=dg.TableColumnConstraints(nullable=c.nullable),
            )
            for c in table.columns
        ]
    )


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A number that the UI can print (it shows 17 digits) and plot over batches."""
    return None if value is None else round(float(value), digits)


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[object]]
) -> dg.MarkdownMetadataValue:
    """A markdown table of as many of `rows` as the UI still draws inline."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for row in rows:
        line = "| " + " | ".join(_cell(v) for v in row) + " |"
        if sum(len(part) + 1 for part in lines) + len(line) > _INLINE - 1:
            break
        lines.append(line)
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def bars(values: dict[str, float | None], limits: dict[str, float]) -> dg.MarkdownMetadataValue:
    """A small bar chart of rates by error type, as an SVG in markdown; red where the rate is above its limit."""
    largest = max([0.01, *(v or 0 for v in values.values())])
    parts = []
    for row, (name, value) in enumerate(values.items()):
        parts.append(f"<text y='{12 * row + 9}'>{name}</text>")
        colour = "#c33" if (value or 0) > limits.get(name, 1) else "#48c"
        width = round(90 * (value or 0) / largest)
        parts.append(f"<path d='M70 {12 * row + 2}h{width}v8h-{width}' fill='{colour}'/>")
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='160' height='{12 * len(values)}' "
        f"font-size='10'>{''.join(parts)}</svg>"
    )
    return _image("rates", "svg+xml", svg.encode())


def histogram(
    name: str, counts: Sequence[int], low: float, high: float, *, log: bool = False
) -> dg.MarkdownMetadataValue:
    """A small histogram as an SVG in markdown, under 1,000 characters: `counts` of equal bins from `low` to `high`."""
    most = max([1, *counts])
    bars = "".join(f"M{4 * k} 40v-{round(38 * n / most)}h3V40" for k, n in enumerate(counts) if n)
    scale = " (log)" if log else ""
    width = 4 * len(counts)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='52' font-size='9'>"
        f"<path d='{bars}' fill='#48c'/><text y='50'>{low:.3g}</text>"
        f"<text x='{width}' y='50' text-anchor='end'>{high:.3g}{scale}</text></svg>"
    )
    return _image(name, "svg+xml", svg.encode())


_COLOURS = ("#48c", "#c73", "#393", "#939")


def curves(lines: dict[str, Sequence[float]]) -> dg.MarkdownMetadataValue:
    """Up to four lines of values from 0 to 1 over 0 to 1, as an SVG in markdown, their names in the order of the legend."""
    steps = 10  # of each line: the whole text has to stay short
    parts = ["<path d='M0 0v60h100' stroke='#888'/>"]
    for colour, values in zip(_COLOURS, lines.values(), strict=False):
        chosen = [values[k * (len(values) - 1) // steps] for k in range(steps + 1)]
        points = "L".join(f"{100 // steps * k} {round(60 - 60 * v)}" for k, v in enumerate(chosen))
        parts.append(f"<path d='M{points}' stroke='{colour}'/>")
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='200' height='120' viewBox='0 0 100 60' fill='none'>"
        f"{''.join(parts)}</svg>"
    )
    words = ("blue", "orange", "green", "violet")
    # A model's name comes from a file's name: what markdown would read as markup is left out.
    names = ("".join(c for c in n if c.isalnum() or c in "-_. ")[:20] for n in lines)
    legend = ", ".join(f"{word} {name}" for word, name in zip(words, names, strict=False))
    return _image(legend, "svg+xml", svg.encode(), f" {legend}")


def reliability_diagram(bins: Sequence[tuple[float, float]]) -> dg.MarkdownMetadataValue:
    """Observed over predicted, 0 to 1 each, as an SVG in markdown: what is right lies on the diagonal."""
    dots = "".join(
        f"<circle cx='{round(60 * p)}' cy='{round(60 - 60 * o)}' r='1.5'/>" for p, o in bins
    )
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='160' height='160' viewBox='-2 -2 64 64'>"
        f"<path d='M0 0v60h60M0 60L60 0' stroke='#888' fill='none'/><g fill='#48c'>{dots}</g></svg>"
    )
    return _image("reliability", "svg+xml", svg.encode())


def picture(data: bytes, kind: str = "jpeg") -> dg.MarkdownMetadataValue:
    """A picture in markdown. Keep it under 100 KB: it stays in the event log."""
    return _image("picture", kind, data)


def _image(name: str, kind: str, data: bytes, behind: str = "") -> dg.MarkdownMetadataValue:
    """An image of that type as markdown, and what is to stand behind it."""
    text = base64.b64encode(data).decode("ascii")
    return dg.MetadataValue.md(f"![{name}](data:image/{kind};base64,{text}){behind}")
