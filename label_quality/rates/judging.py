"""Whether an error rate is within its limits: the interval decides, not the estimate alone. One rule for checks, command and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from label_quality.settings import Limit


@dataclass(frozen=True)
class Judgement:
    """A rate against its limit.

    `by`: whose interval decided, the reviewed one wherever there is one. `level` is error when the rate is above the
    error limit with 95 % confidence: the whole interval is; warn when it could be (the interval reaches beyond the error
    limit), or the estimate is above the warn limit; ok otherwise. `why` says which, in words.
    """

    level: Literal["ok", "warn", "error", "not judged"]
    by: Literal["reviewed", "model", "nobody"]
    rate: float | None
    low: float | None
    high: float | None
    why: str


def judge(row: Mapping[str, Any], limit: Limit) -> Judgement:
    """A row of ``error_rates`` or ``overall_error_rates`` against its limit."""
    if row["reviewed_rate"] is not None:
        by: Literal["reviewed", "model"] = "reviewed"
        rate, low, high = (row[f"reviewed_{name}"] for name in ("rate", "low", "high"))
    elif row["judged"] and row["rate"] is not None:
        by = "model"
        rate, low, high = row["rate"], row["rate_low"], row["rate_high"]
    else:
        why = "there are no labels" if row["judged"] else "there are no predictions to judge by"
        return Judgement("not judged", "nobody", None, None, None, why)
    if low > limit.error:
        return Judgement(
            "error", by, rate, low, high, f"above {limit.error:.1%} with 95 % confidence"
        )
    reasons = []
    if rate > limit.warn:
        reasons.append(f"above {limit.warn:.1%}")
    if high > limit.error:
        reasons.append(f"could be above {limit.error:.1%}")
    if reasons:
        return Judgement("warn", by, rate, low, high, " and ".join(reasons))
    return Judgement("ok", by, rate, low, high, f"not above {limit.warn:.1%}")


def basis(row: Mapping[str, Any]) -> str:
    """What the deciding interval of a row rests on, in words."""
    if row["reviewed_rate"] is not None:
        return f"by {row['n_sampled']:,} answers of the random sample"
    if row["calibrated"]:
        return "by the model, calibrated; nobody has reviewed a sample"
    return "by the model, not calibrated: its interval takes p_error for right; nobody has reviewed a sample"
