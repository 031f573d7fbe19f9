"""The queue: findings filtered, sorted, grouped by image and paged by key; the counts beside the filters.

Reads ``live.queue`` (see ``database``). Decisions are ``verdicts``' matter.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from label_quality.review.answers import Database, Refused, answer
from label_quality.review.database import View

router = APIRouter()

_SORTS = {
    "p_error": "p_error",
    "confidence": "coalesce(model_score, -1)",
    "area": "area",
    "iou": "coalesce(iou, -1)",
}
SMALL, LARGE = 32**2, 96**2  # px², COCO's limits of small, medium and large
_SIZES = {
    "small": f"area < {SMALL}",
    "medium": f"area >= {SMALL} and area < {LARGE}",
    "large": f"area >= {LARGE}",
}
_MOST = 200  # findings in one page, whatever the images bring


class Filters(BaseModel, extra="forbid"):
    """What is shown. Lists: any of them; empty: all."""

    type: list[str] = []
    category: list[str] = []
    batch: list[str] = []
    model: list[str] = []
    size: list[Literal["small", "medium", "large"]] = []
    outcome: list[Literal["FP", "TP", "ignored"]] = []
    p_min: float = Field(0.5, ge=0, le=1)
    p_max: float = Field(1.0, ge=0, le=1)
    confidence_min: float = Field(0.0, ge=0, le=1)
    confidence_max: float = Field(1.0, ge=0, le=1)

    def conditions(self, without: str = "") -> tuple[str, list[Any]]:
        """A condition over ``live.queue`` and its values; `without` names a field that is left out."""
        parts, values = ["p_error between ? and ?"], [self.p_min, self.p_max]
        for field, column in _COLUMNS.items():
            chosen = getattr(self, field)
            if chosen and field != without:
                parts.append(f"list_contains(?, {column})")
                values.append(chosen)
        if self.size and without != "size":
            parts.append("(" + " or ".join(_SIZES[s] for s in self.size) + ")")
        if (self.confidence_min, self.confidence_max) != (0, 1):
            parts.append("model_score between ? and ?")
            values += [self.confidence_min, self.confidence_max]
        return " and ".join(parts), values


_COLUMNS = {
    "type": "error_type",
    "category": "category",
    "batch": "batch",
    "model": "model",
    "outcome": "outcome",
}


class Page(Filters):
    """A page: what is shown, in which order, from where."""

    sort: Literal["p_error", "confidence", "area", "iou"] = "p_error"
    order: Literal["desc", "asc"] = "desc"
    group: Literal["image", "none"] = "image"
    limit: int = Field(24, ge=1, le=100)
    after: str = ""
    before: str = ""
    at: str = ""


@dataclass(frozen=True)
class Key:
    """The place of a group in the queue: its best value, and what tells groups of one value apart."""

    value: float
    batch: str
    thing: str

    def encoded(self) -> str:
        """The key as a word that may stand in a URL."""
        packed = msgspec.json.encode([self.value, self.batch, self.thing])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _key(text: str) -> Key:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return Key(*msgspec.json.decode(raw, type=tuple[float, str, str]))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise Refused("this is not a place in the queue") from None


@router.get("/api/queue/page")
def page(asked: Annotated[Page, Query()], db: Database) -> Response:
    """Groups of findings from a place on: those of one image together, or each by itself."""
    with db.view() as view:
        found, more = _groups(view, asked)
        return answer({"groups": found, "more": more, "generation": view.generation})


def _groups(view: View, asked: Page) -> tuple[list[dict[str, Any]], bool]:
    condition, values = asked.conditions()
    thing = "image_id" if asked.group == "image" else "finding_id"
    best, direction = ("max", "desc") if asked.order == "desc" else ("min", "asc")
    backwards = bool(asked.before)
    place, place_values = _place(view, asked, thing)
    outward = direction if not backwards else ("asc" if direction == "desc" else "desc")
    tie = "asc" if not backwards else "desc"
    rows = view.rows(
        f"""with matching as (
              select *, {_SORTS[asked.sort]} as value, {thing}::varchar as thing from live.queue where {condition}
            ), groups as (
              select batch, thing, {best}(value) as best from matching group by batch, thing
            ), chosen as (
              select * from groups where {place}
              order by best {outward}, batch {tie}, thing {tie} limit {asked.limit + 1}
            )
            select s.best, s.thing, m.value, f.*, m.category, m.suggested_category, m.model_score, m.outcome,
                   o.category_id as other_category_id
            from chosen s join matching m using (batch, thing)
            join findings f on f.rowid = m."row"
            left join annotations o on o.batch = f.batch and o.annotation_id = f.other_annotation_id
            order by s.best {direction}, s.batch, s.thing, m.value {direction}, f.finding_id""",
        [*values, *place_values],
    )
    return _grouped(rows, asked.limit, backwards)


def _place(view: View, asked: Page, thing: str) -> tuple[str, list[Any]]:
    """The condition that begins the page at its place."""
    key, strict = None, True
    if asked.after or asked.before:
        key = _key(asked.after or asked.before)
    elif asked.at:
        key, strict = _key_of(view, asked, thing), False
    if key is None:
        return "true", []
    greater, smaller = (">", "<") if asked.order == "desc" else ("<", ">")
    worse, later = (greater, "<") if asked.before else (smaller, ">")
    same = "" if strict else "="
    return (
        f"(best {worse} ? or (best = ? and (batch, thing) {later}{same} (?, ?)))",
        [key.value, key.value, key.batch, key.thing],
    )


def _key_of(view: View, asked: Page, thing: str) -> Key | None:
    """The place of the finding that a link names; None where it is not among those shown."""
    batch, _, finding = asked.at.rpartition("/")
    condition, values = asked.conditions()
    best = "max" if asked.order == "desc" else "min"
    row = view.row(
        f"""with one as (select batch, {thing} as thing from live.queue where batch = ? and finding_id = ?)
            select {best}({_SORTS[asked.sort]}) as best, any_value(one.thing)::varchar as thing,
                   bool_or(finding_id = ?) as there
            from live.queue q join one on q.batch = one.batch and q.{thing} = one.thing where {condition.replace("batch", "q.batch")}""",
        [batch, finding, finding, *values],
    )
    return Key(row["best"], batch, row["thing"]) if row and row["there"] else None


def _grouped(
    rows: list[dict[str, Any]], limit: int, backwards: bool
) -> tuple[list[dict[str, Any]], bool]:
    groups: list[dict[str, Any]] = []
    for row in rows:
        key = Key(row.pop("best"), row["batch"], row.pop("thing")).encoded()
        if not groups or groups[-1]["key"] != key:
            groups.append(
                {"key": key, "batch": row["batch"], "image_id": row["image_id"], "findings": []}
            )
        groups[-1]["findings"].append(row)
    more = len(groups) > limit
    if more:
        groups = groups[1:] if backwards else groups[:limit]
    return groups, more


@router.get("/api/queue/facets")
def facets(asked: Annotated[Filters, Query()], db: Database) -> Response:
    """How many findings there are for each value of each filter, the other filters as they are."""
    with db.view() as view:
        counts = {field: _facet(view, asked, field) for field in (*_COLUMNS, "size")}
        condition, values = asked.conditions()
        total = view.row(
            f"""select count(*) as findings, count(distinct (batch, image_id)) as images, sum(p_error) as expected_errors
                from live.queue where {condition}""",
            values,
        )
        return answer({"facets": counts, "total": total, "generation": view.generation})


def _facet(view: View, asked: Filters, field: str) -> list[dict[str, Any]]:
    column = _COLUMNS.get(field, _SIZE)
    condition, values = asked.conditions(without=field)
    return view.rows(
        f"""select {column} as value, count(*) as n from live.queue where {condition} and {column} is not null
            group by all order by n desc, value""",
        values,
    )


_SIZE = f"case when area < {SMALL} then 'small' when area < {LARGE} then 'medium' else 'large' end"
