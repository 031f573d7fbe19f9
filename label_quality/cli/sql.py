"""`label-quality sql`: queries over the published database, read-only."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from label_quality.cli.common import SettingsError, console, fail, settings_for

_WIDEST = 10_000  # a program that reads the table wants no cell wrapped
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
    from label_quality.store import StoreError

    try:
        audit = label_quality.open(settings_for(root).root)
        if query is None:
            query = _TABLES if sys.stdin.isatty() else sys.stdin.read()
        result = audit.sql(query if query.strip() else _TABLES)
    except (SettingsError, StoreError, FileNotFoundError, ValueError) as error:
        return fail(str(error))
    except KeyError:
        return fail("two columns of the result have one name: give one of them another, with AS")
    except duckdb.Error as error:
        if "read-only mode" in str(error):
            return fail(
                "the database is only read here: the next publish would undo what is written"
            )
        return fail(str(error))
    if form == "csv":
        result.to_csv(sys.stdout, index=False)
    elif form == "json":
        # Not DataFrame.to_json: it keeps 15 digits, and a score has 17.
        plain = result.astype(object).where(result.notna(), None)
        print(json.dumps(plain.to_dict("records"), ensure_ascii=False, default=_plain))
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table(header_style="bold")
        for name in result.columns:
            table.add_column(Text(str(name)))
        for row in result.itertuples(index=False):
            table.add_row(*(Text(_cell(v)) for v in row))
        console(_WIDEST).print(table)
    return 0


def _cell(value: object) -> str:
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(value: object) -> object:
    """What JSON has no word for: a list as a list, the rest (dates, decimals) as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
