"""Prints ``docs/tables.md``: ``python -m label_quality.schema > docs/tables.md``."""

from __future__ import annotations

import sys

from label_quality.schema.markdown import tables_markdown

sys.stdout.write(tables_markdown())
