"""Runs the error types in turn: from predictions, overlaps and pairs to `finding_scores`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings import (
    duplicate,
    inaccurate,
    merge,
    missing,
    spurious,
    suspects,
    wrong_class,
)
from label_quality.findings.confidence import build_confidence
from label_quality.findings.evidence import build_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

# What compares labels with predictions, and what can be said of labels alone.
BY_PREDICTIONS: tuple[Callable[[DuckDBPyConnection], None], ...] = (
    inaccurate.score,
    missing.score,  # after inaccurate
    wrong_class.score,
    spurious.score,  # after duplicate
)
BY_LABELS: tuple[Callable[[DuckDBPyConnection], None], ...] = (duplicate.score,)


def build_finding_scores(con: DuckDBPyConnection) -> dict[str, int]:
    """Fill the temporary table ``new_finding_scores`` (schema of ``finding_scores``).

    Args:
        con: shows ``images``, ``annotations``, ``predictions``, ``prediction_overlaps``, ``annotation_pairs`` and
            ``label_probes`` of one batch. Without probes the scores are those of predictions alone.

    Returns:
        Counts of what was left out, by reason.
    """
    build_confidence(con)
    build_labels(con)
    suspects.create(con)
    has_predictions = con.execute("select count(*) from predictions").fetchone()[0] > 0  # type: ignore[index]
    for score in (*BY_LABELS, *(BY_PREDICTIONS if has_predictions else ())):
        score(con)
    return merge.merge(con)
