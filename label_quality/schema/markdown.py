"""``docs/tables.md``, made from the schema: ``python -m label_quality.schema > docs/tables.md``."""

from __future__ import annotations

from label_quality.schema import TABLES, Table

_HEAD = """# Tables

Made from `label_quality/schema` by `python -m label_quality.schema`; do not edit.

The key of everything is (`batch`, the original COCO id). Boxes are x, y, width, height in pixels of the image, as COCO
has them. A column may hold NULL only where the table below says so. Tables marked *Parquet only* are not copied into
`label_quality.duckdb`: their files lie in `tables/<table>/<batch>/`, and `batches/<batch>.json` names the current ones.
The views that are published beside the tables are described in [queries.md](queries.md).
"""


def tables_markdown() -> str:
    """The text of ``docs/tables.md``."""
    groups = list(dict.fromkeys(t.group for t in TABLES.values()))
    parts = [_HEAD, _contents(groups)]
    for group in groups:
        parts.append(f"## Group: {group}\n")
        parts += [_table(t) for t in TABLES.values() if t.group == group]
    return "\n".join(parts)


def _contents(groups: list[str]) -> str:
    lines = []
    for group in groups:
        names = ", ".join(f"[{t.name}](#{t.name})" for t in TABLES.values() if t.group == group)
        lines.append(f"- {group}: {names}\n")
    return "".join(lines)


def _table(table: Table) -> str:
    where = "" if table.published else " *Parquet only.*"
    rows = "".join(
        f"| `{c.name}` | {c.type} | {c.unit} | {'yes' if c.nullable else ''} | {_cell(c.description)} |\n"
        for c in table.columns
    )
    return (
        f"### {table.name}\n\n{table.description}{where}\n\n"
        f"| column | type | unit | NULL | meaning |\n|---|---|---|---|---|\n{rows}"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
