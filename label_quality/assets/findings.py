"""Findings: suspected errors with their evidence, the queue that people see, and the estimated error rates."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from label_quality.assets.checks import (
    INDEPENDENT_MODELS,
    independent_models,
    judge_rates,
    rate_specs,
)
from label_quality.assets.contact_sheet import contact_sheet
from label_quality.assets.metadata import bars, markdown_table, picture, rounded
from label_quality.assets.resources import StoreResource
from label_quality.assets.reviews import add_reviewed
from label_quality.assets.step import Step, step, table_spec
from label_quality.findings import build_finding_scores, build_findings
from label_quality.rates import FORMULA, build_error_rates
from label_quality.schema import ERROR_TYPES
from label_quality.settings import review_link

_EVIDENCE = [
    *("images", "annotations", "predictions", "prediction_overlaps", "annotation_pairs"),
    "label_probes",
]


@dg.multi_asset(
    specs=[table_spec("finding_scores", _EVIDENCE)],
)
def finding_scores(
    context: dg.AssetExecutionContext, store: StoreResource
) -> dg.MaterializeResult[Any]:
    """One row per suspected error: the evidence and its strength."""
    with step(context, store) as s:
        s.say("scoring disagreements")
        s.run.view(s.con, *_EVIDENCE)
        left_out = build_finding_scores(s.con)
        rows = s.run.write_sql(s.con, "finding_scores", "select * from new_finding_scores")
        return s.result(
            "finding_scores", rows, {k.replace("_", " "): n for k, n in left_out.items()}
        )


@dg.multi_asset(
    specs=[table_spec("findings", ["finding_scores", "annotations", "categories", "models"])],
    check_specs=[INDEPENDENT_MODELS],
)
def findings(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """The queue: every suspected error with its probability, its sentence and a suggested fix."""
    with step(context, store) as s:
        s.say("writing findings")
        s.run.view(s.con, "finding_scores", "annotations", "categories", "images", "models")
        latest = s.store.calibrations.latest()
        build_findings(s.con, latest)
        rows = s.run.write_sql(s.con, "findings", "select * from new_findings")
        s.run.view(s.con, "findings")
        counts = dict(
            s.con.execute("select error_type, count(*) from findings group by all").fetchall()
        )
        metadata: dict[str, Any] = {kind: counts.get(kind, 0) for kind in ERROR_TYPES}
        top = s.con.execute(
            """select error_type, image_id, p_error, reason from findings
               order by p_error desc, finding_id limit 12"""
        ).fetchall()
        metadata["top findings"] = markdown_table(
            ("type", "image", "p", "reason"), [(t, i, round(p, 2), r) for t, i, p, r in top]
        )
        metadata["calibration"] = (
            latest.version if latest else "not calibrated: p_error is the score"
        )
        sheet = contact_sheet(s.con, s.run.delivery.images)
        if sheet:
            metadata["contact sheet"] = picture(sheet)
        saw = s.con.execute("select model from models where saw_labels order by model").fetchall()
        (resting,) = s.con.execute("select count(*) filter (saw_labels) from findings").fetchone()  # type: ignore[misc]
        check = independent_models([model for (model,) in saw], resting, rows)
        yield s.result("findings", rows, metadata | _review(s), [check])


RATED = [
    *("findings", "annotations", "categories", "models", "batches"),
    *("review_sample", "review_strata"),
]


@dg.multi_asset(
    specs=[table_spec("error_rates", RATED)],
    check_specs=rate_specs(),
)
def error_rates(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """How many label errors there are, by type and category, judged against the limits of the settings."""
    with step(context, store) as s:
        s.run.view(s.con, *RATED)
        build_error_rates(s.con)
        add_reviewed(s.con, s.store, s.run)
        rows = s.run.write_sql(s.con, "error_rates", "select * from new_error_rates")
        table = s.con.sql("select * from new_error_rates").to_arrow_table().to_pylist()
        checks = list(judge_rates(s.batch, table, s.store.settings.limits))
        yield s.result("error_rates", rows, _rate_metadata(s, table), checks)


def _rate_metadata(s: Step, table: list[dict[str, Any]]) -> dict[str, Any]:
    overall = {r["error_type"]: r for r in table if r["category_id"] is None}
    limits = s.store.settings.limits
    metadata: dict[str, Any] = {
        f"{kind} rate" if kind != "any" else "label error rate": rounded(row["rate"])
        for kind, row in overall.items()
        if row["rate"] is not None
    }
    worst = sorted(
        (
            r
            for r in table
            if r["error_type"] == "any" and r["category_id"] is not None and r["expected_errors"]
        ),
        key=lambda r: -r["expected_errors"],
    )
    metadata["worst categories"] = markdown_table(
        ("category", "labels", "expected errors", "rate"),
        [(r["category_name"], r["labels"], r["expected_errors"], r["rate"]) for r in worst[:20]],
    )
    metadata["rates by type"] = bars(
        {kind: overall[kind]["rate"] for kind in ERROR_TYPES},
        {kind: getattr(limits, kind).warn for kind in ERROR_TYPES},
    )
    metadata["formula"] = FORMULA
    return metadata | _review(s)


def _review(s: Step) -> dict[str, Any]:
    """The link to the queue of this batch, where the settings say where the review page is served."""
    link = review_link(s.store.settings.review_url, batch=s.batch)
    return {"review": dg.MetadataValue.url(link)} if link else {}
