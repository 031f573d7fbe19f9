"""Prints ``docs/metrics.md``: ``python -m label_quality.metrics > docs/metrics.md``."""

from __future__ import annotations

import sys

from label_quality.metrics.markdown import metrics_markdown

sys.stdout.write(metrics_markdown())
