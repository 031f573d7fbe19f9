"""Calibration: fitted anew when the data have changed enough, and the findings of all batches brought in step with it.

Works under the publish lock, before anything else of `refresh`, so that everything over all batches is of the new findings. A killed
run leaves batches that are in step and batches that are not: the next one finds the latter by their findings' version.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from label_quality.assets.checks import judge_rates, report
from label_quality.assets.drift import judge_drift
from label_quality.assets.findings import RATED
from label_quality.assets.metadata import markdown_table, reliability_diagram, rounded
from label_quality.assets.part import Part
from label_quality.assets.reviews import add_reviewed
from label_quality.assets.step import tell
from label_quality.calibration import (
    build_tables,
    calibrate,
    is_current,
    judged_findings,
    rests_on,
)
from label_quality.drift import READS, build_drift
from label_quality.findings import build_findings
from label_quality.rates import build_error_rates
from label_quality.store.accounts import accounts_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.store import BatchRun, Calibration, Store

_DERIVED = ("findings", "error_rates", "drift")
_READS = [
    *("images", "categories", "annotations", "annotation_masks", "predictions", "prediction_masks"),
    *("prediction_overlaps", "models", "finding_scores"),
]
# Batches whose findings are of another calibration than the latest; with "" for none.
_BEHIND = """
select batch from findings left join _accounts using (batch)
group by batch, first_seen having bool_or(coalesce(calibration_version, '') <> ?) order by first_seen, batch
"""


class Calibrating:
    """One run of `refresh`: called first, under the publish lock; then `part` shows what it came to."""

    def __init__(self, context: dg.AssetExecutionContext, store: Store) -> None:
        self._context = context
        self._store = store
        self._latest: Calibration | None = None
        self._reason = ""
        self._seconds = 0.0
        self._derived: list[str] = []
        tables = {
            **dict.fromkeys(CALIBRATION.tables, _nothing),
            "calibration": self._metadata,
            "calibration_reliability": _reliability_metadata,
            "expected_recall": _recall_metadata,
        }
        self.part = Part(
            CALIBRATION.says,
            CALIBRATION.reads,
            tables,
            lambda con: build_tables(con, self._latest),
            lambda: self._seconds,
        )

    def __call__(self) -> None:
        """Fit, if it is due, and derive the findings, rates and drift of batches that are behind."""
        start = time.perf_counter()
        with self._store.connect() as con:
            self._store.view(con)
            con.register("_accounts", accounts_table(self._store.accounts()))
            self._fit(con)
            version = self._latest.version if self._latest else ""
            behind = [batch for (batch,) in con.execute(_BEHIND, [version]).fetchall()]
        for batch in behind:
            tell(self._context, f"calibrating the findings of {batch}")
            derive = partial(_derive, self._store, self._latest)
            if self._store.derive(batch, self._context.run.run_id, derive):
                self._derived.append(batch)
                _report(self._context, self._store, batch)
        self._seconds = time.perf_counter() - start

    def _fit(self, con: DuckDBPyConnection) -> None:
        with closing(self._store.review_log()) as log:
            judged = judged_findings(con, log.entries(), con.table("_accounts").to_arrow_table())
        named = {b: m.tables for b in self._store.batches() if (m := self._store.manifest(b))}
        shown = {batch for (batch,) in con.execute("select batch from batches").fetchall()}
        versions = {
            b: t["finding_scores"] for b, t in named.items() if b in shown and "finding_scores" in t
        }
        self._latest = self._store.calibrations.latest()
        if is_current(con, self._latest, versions, len(judged.kinds)):
            return
        found = calibrate(con, versions, judged, partial(tell, self._context))
        if isinstance(found, str):
            self._reason = found
            tell(self._context, found)
            self._store.calibrations.forget()
            self._latest = None
        else:
            self._latest = self._store.calibrations.keep(found)

    def _metadata(self, _con: DuckDBPyConnection, _rows: int) -> Mapping[str, Any]:
        latest = self._latest
        if latest is None:
            return {"calibrated": False, "why": self._reason or "there is nothing to calibrate on"}
        told = {
            "calibrated": True,
            "rests on": rests_on(latest.basis, latest.verdicts),
            "version": latest.version,
            "default cut": latest.default_cut,
            "calibration error": rounded(latest.reliability.error),
            "calibration slope": rounded(latest.reliability.slope, 2),
            "planted errors": sum(t.planted for t in latest.types),
            "verdicts": latest.verdicts,
            "batches derived anew": len(self._derived),
            "types": markdown_table(
                ("type", "planted", "reached", "expected errors"),
                [(t.error_type, t.planted, t.reached, t.expected_errors) for t in latest.types],
            ),
        }
        return {name: value for name, value in told.items() if value is not None}


def committed_checks(store: Store, batch: str) -> list[dg.AssetCheckResult]:
    """The checks of rates and drift of a batch by its committed tables."""
    with store.connect() as con:
        store.view(con, "error_rates", "drift", batches=[batch])
        rates, drift = (
            con.sql(f"from {t}").to_arrow_table().to_pylist() for t in ("error_rates", "drift")
        )
    settings = store.settings
    earlier = store.predecessors(batch, settings.drift.predecessors)
    return [
        *judge_rates(batch, rates, settings.limits),
        *judge_drift(batch, drift, earlier, settings.drift),
    ]


def _derive(store: Store, latest: Calibration | None, run: BatchRun) -> None:
    """Write findings, rates and drift of one batch from its findings' scores."""
    limits = store.settings.drift
    with store.connect() as con, store.connect() as before:
        run.view(con, "finding_scores", "annotations", "categories", "models", "batches")
        build_findings(con, latest)
        run.write_sql(con, "findings", "select * from new_findings")
        run.view(con, *RATED)
        build_error_rates(con)
        add_reviewed(con, store, run)
        run.write_sql(con, "error_rates", "select * from new_error_rates")
        earlier = store.predecessors(run.batch, limits.predecessors)
        run.view(con, *READS)
        store.view(before, *READS, batches=earlier)
        run.write("drift", build_drift(con, before, len(earlier), limits))


def _report(context: dg.AssetExecutionContext, store: Store, batch: str) -> None:
    """Tell Dagster of the new versions, and of the checks as they come out now: as if the batch's own run had made them."""
    for table in _DERIVED:
        said = {"derived from": "the latest calibration, by refresh"}
        context.log_event(dg.AssetMaterialization(table, partition=batch, metadata=said))
    report(context, committed_checks(store, batch))


def _nothing(_con: DuckDBPyConnection, _rows: int) -> Mapping[str, Any]:
    return {}


def _reliability_metadata(con: DuckDBPyConnection, _rows: int) -> Mapping[str, Any]:
    bins = con.execute(
        "select predicted, observed from calibration_reliability order by bin"
    ).fetchall()
    return {"observed over predicted": reliability_diagram(bins)} if bins else {}


def _recall_metadata(con: DuckDBPyConnection, _rows: int) -> Mapping[str, Any]:
    table = con.execute(
        """select error_type, budget, findings, recall, precision from expected_recall
           order by error_type <> 'any', error_type, budget"""
    ).fetchall()
    header = ("type", "budget", "findings", "recall", "precision")
    return {"expected recall": markdown_table(header, table)} if table else {}


CALIBRATION = Part(
    "calibrating",
    _READS,
    dict.fromkeys(
        ("calibration", "calibration_curve", "calibration_reliability", "expected_recall"), _nothing
    ),
    lambda con: build_tables(con, None),
)
"""What the part is called, reads and makes; `Calibrating.part` is the one that works."""
