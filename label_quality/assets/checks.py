"""Asset checks: is every record accounted for, and is the estimated label-error rate within its limits?

Rates never block: bad labels are what this project is there to show. A rate that nobody could judge warns, it never passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from label_quality.assets.metadata import markdown_table, rounded
from label_quality.rates import FORMULA, basis, judge
from label_quality.schema import ERROR_TYPES
from label_quality.settings import Limit, Limits

if TYPE_CHECKING:
    from label_quality.assets.resources import StoreResource

LABEL_ERROR_RATE = "label_error_rate"
NOTHING_LOST = dg.AssetCheckSpec(
    "nothing_lost",
    asset="batches",
    blocking=True,
    description="Every record read was kept or quarantined.",
)
QUARANTINED_SHARE = dg.AssetCheckSpec(
    "quarantined_share", asset="batches", description="Share of the records that were not taken."
)
DELIVERY_TAKEN = dg.AssetCheckSpec(
    "delivery_taken", asset="batches", description="The annotation file could be read."
)
RESULTS_TAKEN = dg.AssetCheckSpec(
    "results_taken", asset="imported_models", description="All results files could be read."
)
PREDICTIONS_NOTHING_LOST = dg.AssetCheckSpec(
    "nothing_lost",
    asset="models",
    blocking=True,
    description="Every record read was kept or quarantined.",
)

INDEPENDENT_MODELS = dg.AssetCheckSpec(
    "independent_models",
    asset="findings",
    description="No finding rests on a model that was trained on the labels it judges.",
)


def check_name(error_type: str) -> str:
    """The name of the check that judges the rate of `error_type`."""
    return LABEL_ERROR_RATE if error_type == "any" else f"{error_type}_rate"


def rate_specs() -> list[dg.AssetCheckSpec]:
    """One check per error type, and one for all of them together."""
    return [
        dg.AssetCheckSpec(
            check_name(kind),
            asset="error_rates",
            description=f"Rate of {kind.replace('_', ' ')} errors against the limits of the settings: ERROR when it is above the "
            "error limit with 95 % confidence, WARN when it could be, or is estimated above the warn limit.",
        )
        for kind in (*ERROR_TYPES, "any")
    ]


def nothing_lost(asset: str, counts: dict[str, tuple[int, int, int]]) -> dg.AssetCheckResult:
    """`counts`: what -> (read, kept, quarantined)."""
    return dg.AssetCheckResult(
        passed=all(read == kept + quarantined for read, kept, quarantined in counts.values()),
        check_name="nothing_lost",
        asset_key=asset,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(
            f"{what}: {read} read, {kept} kept, {quarantined} quarantined"
            for what, (read, kept, quarantined) in counts.items()
        )
        or "there was nothing to read",
        metadata={
            f"{what} {word}": n
            for what, numbers in counts.items()
            for word, n in zip(("read", "kept", "quarantined"), numbers, strict=True)
        },
    )


def taken(spec: dg.AssetCheckSpec, problem: str = "") -> dg.AssetCheckResult:
    """The result of `DELIVERY_TAKEN` or `RESULTS_TAKEN`; `problem` is why it failed."""
    return dg.AssetCheckResult(
        passed=not problem,
        check_name=spec.name,
        asset_key=spec.asset_key,
        severity=dg.AssetCheckSeverity.ERROR,
        description=problem or spec.description,
    )


def told_if_untaken(
    spec: dg.AssetCheckSpec,
    store: StoreResource,
    results: Iterator[dg.MaterializeResult[Any]],
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """The `results`, whose first says that the delivery was taken; where they fail before it, that it was not, and why."""
    told = False
    try:
        for result in results:
            told = True
            yield result
    except dg.Failure as failure:
        if not told and not store.refused:
            yield taken(spec, failure.description or "")
        raise


def quarantined_share(counts: dict[str, tuple[int, int, int]], limit: float) -> dg.AssetCheckResult:
    """Warns when more than `limit` of the records were not taken."""
    read = sum(n[0] for n in counts.values())
    quarantined = sum(n[2] for n in counts.values())
    share = quarantined / read if read else 0.0
    return dg.AssetCheckResult(
        passed=share <= limit,
        check_name="quarantined_share",
        asset_key="batches",
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{quarantined} of {read} records were not taken; table quarantine says why",
        metadata={
            "share": rounded(share),
            "limit": limit,
            "quarantined": quarantined,
            "read": read,
        },
    )


def independent_models(saw: list[str], resting: int, findings: int) -> dg.AssetCheckResult:
    """Warns when models, `saw`, were trained on the labels: such a model repeats errors that it has learned."""
    told = f"{', '.join(saw)} {'was' if len(saw) == 1 else 'were'} trained on these labels and may repeat their errors"
    return dg.AssetCheckResult(
        passed=not saw,
        check_name=INDEPENDENT_MODELS.name,
        asset_key="findings",
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{told}: {resting} of {findings} findings rest on that"
        if saw
        else "no model is known to have been trained on these labels",
        metadata={"findings that rest on it": resting},
    )


def judge_rates(
    batch: str, rows: list[dict[str, object]], limits: Limits
) -> Iterator[dg.AssetCheckResult]:
    """One result per error type. `rows`: the table error_rates."""
    for kind in (*ERROR_TYPES, "any"):
        mine = [r for r in rows if r["error_type"] == kind]
        overall = next(r for r in mine if r["category_id"] is None)
        yield _judge(batch, kind, overall, mine, getattr(limits, kind))


def _judge(
    batch: str, kind: str, overall: dict[str, object], rows: list[dict[str, object]], limit: Limit
) -> dg.AssetCheckResult:
    found = judge(overall, limit)
    words = f"{kind.replace('_', ' ')} errors" if kind != "any" else "label errors of any type"
    metadata: dict[str, Any] = {
        "batch": batch,
        "warn above": limit.warn,
        "error above": limit.error,
        "formula": FORMULA,
    }
    if found.level == "not judged":
        return _result(
            kind, False, dg.AssetCheckSeverity.WARN, f"{words}: not judged, {found.why}", metadata
        )
    worst = sorted(
        (r for r in rows if r["category_id"] is not None and r["expected_errors"]),
        key=lambda r: -float(r["expected_errors"]),  # type: ignore[arg-type]
    )
    metadata |= {
        "judged by": found.by,
        "rate": rounded(found.rate),
        "rate low": rounded(found.low),
        "rate high": rounded(found.high),
        "model's rate": rounded(overall["rate"]),  # type: ignore[arg-type]
        "model's rate low": rounded(overall["rate_low"]),  # type: ignore[arg-type]
        "model's rate high": rounded(overall["rate_high"]),  # type: ignore[arg-type]
        "expected errors": rounded(overall["expected_errors"], 1),  # type: ignore[arg-type]
        "labels": overall["labels"],
        "calibrated": overall["calibrated"],
        "answers of the sample": overall["n_sampled"] or 0,
        "categories": markdown_table(
            ("category", "labels", "expected errors", "rate"),
            [(r["category_name"], r["labels"], r["expected_errors"], r["rate"]) for r in worst],
        ),
    }
    description = (
        f"{words}: {found.rate:.1%} of the labels ({found.low:.1%} to {found.high:.1%}), {found.why}; "
        f"{basis(overall)}; warns above {limit.warn:.1%}, error above {limit.error:.1%}"
    )
    severity = dg.AssetCheckSeverity.ERROR if found.level == "error" else dg.AssetCheckSeverity.WARN
    return _result(kind, found.level == "ok", severity, description, metadata)


def _result(
    kind: str,
    passed: bool,
    severity: dg.AssetCheckSeverity,
    description: str,
    metadata: dict[str, Any],
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        check_name=check_name(kind),
        asset_key="error_rates",
        severity=severity,
        description=description,
        metadata={k: v for k, v in metadata.items() if v is not None},
    )


def report(context: dg.AssetExecutionContext, checks: Iterable[dg.AssetCheckResult]) -> None:
    """Tell Dagster how checks come out now, outside of the run that made them first."""
    for check in checks:
        assert check.asset_key is not None and check.check_name is not None
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=check.check_name,
                passed=check.passed,
                severity=check.severity,
                description=check.description,
                metadata=check.metadata or {},
            )
        )
