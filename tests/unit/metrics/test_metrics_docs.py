from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from label_quality import registry
from label_quality.metrics.markdown import metrics_markdown

DOCS = Path(__file__).parents[3] / "docs"


def test_the_document_is_up_to_date() -> None:
    assert (DOCS / "metrics.md").read_text("utf-8") == metrics_markdown(), (
        "metrics changed: python -m label_quality.metrics > docs/metrics.md"
    )


def test_the_command_prints_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "label_quality.metrics"], capture_output=True, check=True
    )
    assert done.stdout.decode("utf-8") == metrics_markdown()


def test_every_metric_is_in_it() -> None:
    text = metrics_markdown()
    for kind in registry.KINDS:
        for metric in registry.metrics(kind).values():
            assert f"\n| `{metric.name}` | {metric.unit} |" in text
            assert metric.description in text
