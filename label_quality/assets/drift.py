"""Drift: the batch against the batches that were published before it, and the checks on that."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from label_quality.assets.metadata import markdown_table, rounded
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import step, table_spec
from label_quality.drift import MEASURES, READS, build_drift
from label_quality.settings import Drift

_CHECKS = {
    "error_rate": ("error_rate_jump", "No estimated error rate has risen against earlier batches."),
    "unmatched": (
        "unmatched_share",
        "The share of labels that no model finds has not risen against earlier batches.",
    ),
    "class_mix": ("class_mix_drift", "Labels are of the classes that they were of before."),
    "box_size": (
        "box_size_drift",
        "Boxes are as large, against their images, as they were before.",
    ),
}
_WORDS = {
    "unmatched": "share of labels that no model finds",
    "class_mix": "Cramér's V of the class mix",
    "box_size": "Kolmogorov-Smirnov distance of box sizes",
}


@dg.multi_asset(
    specs=[table_spec("drift", list(READS))],
    check_specs=[
        dg.AssetCheckSpec(name, asset="drift", description=text) for name, text in _CHECKS.values()
    ],
)
def drift(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Whether this batch differs more than usual from its predecessors. The first batch is not judged."""
    with step(context, store) as s:
        limits = s.store.settings.drift
        earlier = s.store.predecessors(s.batch, limits.predecessors)
        s.run.view(s.con, *READS)
        with s.store.connect() as before:
            s.store.view(before, *READS, batches=earlier)
            table = build_drift(s.con, before, len(earlier), limits)
        rows = table.to_pylist()
        checks = judge_drift(s.batch, rows, earlier, limits)
        shown = [
            (r["error_type"] or r["measure"], r["value"], r["before"], r["effect"], r["p_value"])
            for r in rows
            if r["judged"]
        ]
        header = ("measure", "now", "before", "difference", "p")
        yield s.result(
            "drift",
            s.run.write("drift", table),
            {"predecessors": len(earlier), "compared": markdown_table(header, shown)},
            checks,
        )


def judge_drift(
    batch: str, rows: list[dict[str, Any]], earlier: list[str], limits: Drift
) -> list[dg.AssetCheckResult]:
    """One result per measure. `rows`: the table drift."""
    return [_judge(batch, measure, rows, earlier, limits) for measure in MEASURES]


def _judge(
    batch: str, measure: str, rows: list[dict[str, Any]], earlier: list[str], limits: Drift
) -> dg.AssetCheckResult:
    mine = [r for r in rows if r["measure"] == measure]
    judged = [r for r in mine if r["judged"]]
    drifted = [r for r in judged if r["drifted"]]
    if drifted:
        description = "; ".join(_sentence(r) for r in drifted)
    elif judged:
        description = (
            f"{len(judged)} compared with {len(earlier)} earlier batches, none over its limit"
        )
    else:
        why = "there is nothing to compare" if earlier else "there is no batch before this one"
        description = f"not judged, {why}"
    return dg.AssetCheckResult(
        passed=not drifted,
        check_name=_CHECKS[measure][0],
        asset_key="drift",
        severity=dg.AssetCheckSeverity[limits.severity.upper()],
        description=description,
        metadata={
            "batch": batch,
            "limit": mine[0]["limit"],
            "significance": limits.significance,
            "compared with": ", ".join(earlier)[:500] or "none",
            **({"largest": rounded(max(r["effect"] for r in judged))} if judged else {}),
        },
    )


def _sentence(row: dict[str, Any]) -> str:
    kind = row["error_type"]
    if row["value"] is not None and row["measure"] != "box_size":
        text = f"{_subject(kind) or _WORDS[row['measure']]}: {row['value']:.1%} after {row['before']:.1%} in earlier batches"
    else:
        text = f"{_WORDS[row['measure']]}: {row['effect']:.2f}"
    return f"{text} (p = {row['p_value']:.1g}, limit {row['limit']:g})"


def _subject(kind: str | None) -> str:
    if kind == "any":
        return "label errors of any type"
    return f"{kind.replace('_', ' ')} errors" if kind else ""
