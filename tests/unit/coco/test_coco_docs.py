from __future__ import annotations

from pathlib import Path

import pytest

from label_quality.coco.quarantine import ISSUES

DOCS = (Path(__file__).parents[3] / "docs" / "ingest.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("issue", ISSUES)
def test_each_issue_is_explained(issue):
    assert f"| `{issue}` |" in DOCS
