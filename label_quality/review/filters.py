"""What the queue can be filtered by, as SQL over ``live.queue`` joined with ``live.decided``. Nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

SMALL, LARGE = 32**2, 96**2  # px², COCO's limits of small, medium and large
# Each list filter: the expression whose value has to be one of those chosen.
COLUMNS = {
    "type": "error_type",
    "category": "category",
    "batch": "batch",
    "model": "model",
    "outcome": "outcome",
    "size": f"case when area < {SMALL} then 'small' when area < {LARGE} then 'medium' else 'large' end",
    "status": "status",
}
# Findings with what was decided on them: `status` is open until somebody has.
SOURCE = """(
  select q.*, coalesce(d.status, 'open') as status, coalesce(d.disagreement, false) as disagreement, d.seq,
         coalesce(d.sampled, false) as sampled
  from live.queue q left join live.decided d using ("row")
)"""
_TAGGED = '"row" in (select "row" from live.tagged where list_contains(?, tag))'


class Filters(BaseModel, extra="forbid"):
    """What is shown. Lists: any of them; empty: all."""

    type: list[str] = []
    category: list[str] = []
    batch: list[str] = []
    model: list[str] = []
    outcome: list[Literal["FP", "TP", "ignored"]] = []
    size: list[Literal["small", "medium", "large"]] = []
    status: list[Literal["open", "accept", "reject", "unsure", "relabel", "disagreement"]] = []
    tag: list[str] = []
    p_min: float = Field(0.5, ge=0, le=1)
    p_max: float = Field(1.0, ge=0, le=1)
    confidence_min: float = Field(0.0, ge=0, le=1)
    confidence_max: float = Field(1.0, ge=0, le=1)

    def conditions(self, without: str = "") -> tuple[str, list[Any]]:
        """A condition over `SOURCE` and its values; `without` names a list that is left out."""
        ranges, choices = self.ranges(), self.choices(COLUMNS, without)
        return f"{ranges[0]} and {choices[0]}", ranges[1] + choices[1]

    def ranges(self) -> tuple[str, list[Any]]:
        """The part of the condition that is about numbers and tags."""
        parts = ["p_error between ? and ?"]
        values: list[Any] = [self.p_min, self.p_max]
        if self.tag:
            parts.append(_TAGGED)
            values.append(self.tag)
        if (self.confidence_min, self.confidence_max) != (0, 1):
            parts.append("model_score between ? and ?")
            values += [self.confidence_min, self.confidence_max]
        return " and ".join(parts), values

    def choices(self, columns: Mapping[str, str], without: str = "") -> tuple[str, list[Any]]:
        """The part that is about lists, over other names of their `columns`."""
        parts, values = ["true"], []
        for field, column in columns.items():
            chosen = [c for c in getattr(self, field) if c]
            if not chosen or field == without:
                continue
            either = f"list_contains(?, {column})"
            if field == "status" and "disagreement" in chosen:
                either = f"({either} or disagreement)"
            parts.append(either)
            values.append(chosen)
        return " and ".join(parts), values
