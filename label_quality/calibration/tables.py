"""The tables that show a calibration: ``calibration``, ``calibration_curve``, ``calibration_reliability``, ``expected_recall``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from label_quality.schema import TABLES
from label_quality.schema.rows import offer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.store import Calibration


def build_tables(con: DuckDBPyConnection, calibration: Calibration | None) -> dict[str, str]:
    """Show `con` the tables of the calibration, empty where there is none; returns table -> SELECT."""
    rows: dict[str, list[dict[str, Any]]] = {"calibration": [], "calibration_curve": []}
    rows |= {"calibration_reliability": [], "expected_recall": []}
    if calibration:
        shared = {
            "version": calibration.version,
            "basis": calibration.basis,
            "images": calibration.images,
            "sample_labels": calibration.labels,
            "default_cut": calibration.default_cut,
            "calibration_error": calibration.reliability.error,
            "slope": calibration.reliability.slope,
        }
        for t in calibration.types:
            said = {"error_type": t.error_type, "planted": t.planted, "reached": t.reached}
            told = {"expected_errors": t.expected_errors, "verdicts": t.verdicts}
            rows["calibration"].append(shared | said | told)
            rows["calibration_curve"] += [
                {"error_type": t.error_type, "score": s, "p_error": p}
                for s, p in zip(t.curve.scores, t.curve.p_errors, strict=True)
            ]
        rows["calibration_reliability"] = [
            {"bin": k, "findings": b.findings, "predicted": b.predicted, "observed": b.observed}
            for k, b in enumerate(calibration.reliability.bins, start=1)
        ]
        rows["expected_recall"] = [
            {
                "error_type": b.error_type,
                "budget": b.budget,
                "findings": b.findings,
                "recall": b.recall,
                "precision": b.precision,
            }
            for b in calibration.recall
        ]
    return offer(
        con,
        {
            name: [pa.Table.from_pylist(some, schema=TABLES[name].arrow_schema())]
            for name, some in rows.items()
        },
    )
