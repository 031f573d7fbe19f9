"""What to review next, how much is left, and when to stop: type by type, from what was decided until now."""

from __future__ import annotations

from typing import Any

from label_quality.review.database import Row, View
from label_quality.review.filters import Filters
from label_quality.review.queue import progress_of
from label_quality.review.sample import sample_progress
from label_quality.review.summary_data import rates
from label_quality.schema import ERROR_TYPES

_KEPT = ("findings", "open", "last", "last_errors", "ahead", "most_errors", "expected_next", "expected_left", "time_to_stop")  # fmt: skip


def advice(view: View, batch: str = "") -> dict[str, Any]:
    """Advice on one batch, or ("") on all.

    `types`: for each error type its findings and how many are open; errors among the last decisions; how many are expected
    among the next `ahead` findings of the ranking and at most there with 95 % confidence; how many are expected in all that is
    open; and whether it may be time to stop. Those whose next findings hold most errors come first. `sample`: cards that were
    drawn and are open, and by its answers the errors there are (of any type, those that nobody suspects included).
    """
    batches = [batch] if batch else []
    types = []
    for kind in ERROR_TYPES:
        found = progress_of(
            view, Filters.model_validate({"type": [kind], "batch": batches, "p_min": 0})
        )
        types.append({"error_type": kind, **{name: found[name] for name in _KEPT}})
    types.sort(key=lambda r: -r["expected_next"] / max(r["ahead"], 1))
    return {"types": types, "sample": {**sample_progress(view, batches), **_altogether(view, batch)}}  # fmt: skip


def _altogether(view: View, batch: str) -> Row:
    """Errors there are by the random sample, with the interval, beside those that people have found."""
    by_type = {r["error_type"]: r for r in rates(view, batch)}
    row = by_type.get("any")
    if row is None or row["reviewed_rate"] is None:
        return {"errors": None, "low": None, "high": None, "found": row["accepted"] if row else 0}
    missing = by_type["missing"]["reviewed_rate"] or 0.0
    whole = row["reviewed_labels"] / (1 - missing) if missing < 1 else 0.0
    low, high = (whole * row[f"reviewed_{end}"] for end in ("low", "high"))
    return {"errors": whole * row["reviewed_rate"], "low": low, "high": high, "found": row["accepted"]}  # fmt: skip
