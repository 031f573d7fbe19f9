"""Suspected label errors: one module per error type, `evidence` that they share, `merge` that makes one list of them.

Add an error type by adding a module with a function ``score(con)`` that leaves rows in ``_suspects`` (see `suspects`)
and naming it in ``scores``, plus a sentence in ``reasons``: CONTRIBUTING.md has the list. Nothing here knows Dagster or files.
"""

from __future__ import annotations

from label_quality.findings.ranking import RULE_VERSION, build_findings
from label_quality.findings.scores import build_finding_scores

__all__ = ["RULE_VERSION", "build_finding_scores", "build_findings"]
