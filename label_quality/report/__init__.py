"""The report: one HTML page that opens offline, from what was published. Reads, draws, escapes; computes no result."""

from __future__ import annotations

from label_quality.report.page import render_report

__all__ = ["render_report"]
