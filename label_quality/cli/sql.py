"""`label-quality sql`: queries over the published database, read-only."""

from __future__ import annotations

import sys
from pathlib import Path

from label_quality.cli.common import SettingsError, fail, settings_for

_TABLES = """
select table_name as "table or view", estimated_size as rows, coalesce(comment, '') as meaning
from duckdb_tables() where not internal and table_name not like '\\_%' escape '\\'
union all select view_name, null, coalesce(comment, '') from duckdb_views() where not internal
order by 1
"""


def run_sql(query: str | None, root: Path | None, form: str) -> int:
    """Print the result of a query; returns the exit code."""
    import duckdb

    import label_quality

    try:
        audit = label_quality.open(settings_for(root).root)
        if query is None:
            query = _TABLES if sys.stdin.isatty() else sys.stdin.read()
        result = audit.sql(query if query.strip() else _TABLES)
    except (SettingsError, FileNotFoundError, ValueError, duckdb.Error) as error:
        return fail(str(error))
    if form == "csv":
        result.to_csv(sys.stdout, index=False)
    elif form == "json":
        print(result.to_json(orient="records", force_ascii=False))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(header_style="bold")
        for name in result.columns:
            table.add_column(Text(str(name)))
        for row in result.itertuples(index=False):
            table.add_row(*(Text(_cell(v)) for v in row))
        Console(highlight=False).print(table)
    return 0


def _cell(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124  NaN is the value that differs from itself
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
