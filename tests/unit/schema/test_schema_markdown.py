from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from label_quality.schema import TABLES
from label_quality.schema.markdown import tables_markdown

FILE = Path(__file__).parents[3] / "docs" / "tables.md"


def test_the_document_is_up_to_date() -> None:
    assert FILE.read_text("utf-8") == tables_markdown(), (
        "the schema changed: python -m label_quality.schema > docs/tables.md"
    )


def test_the_command_prints_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "label_quality.schema"], capture_output=True, check=True
    )
    assert done.stdout.decode("utf-8") == tables_markdown()


def test_every_table_and_column_is_in_it() -> None:
    text = tables_markdown()
    for table in TABLES.values():
        assert f"\n### {table.name}\n\n{table.description}" in text
        assert all(f"\n| `{c.name}` | {c.type} |" in text for c in table.columns)
