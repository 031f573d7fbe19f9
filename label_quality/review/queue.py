"""The queue: findings filtered, sorted, grouped by image and paged by key; the counts beside the filters; how far one is.

Decisions are ``verdicts``' matter.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from label_quality.review.answers import Database, Refused, answer
from label_quality.review.database import Row, View
from label_quality.review.filters import COLUMNS, SOURCE, Filters
from label_quality.reviews import content_hash

router = APIRouter()

_SORTS = {
    "p_error": "p_error",
    "confidence": "coalesce(model_score, -1)",
    "area": "area",
    "iou": "coalesce(iou, -1)",
}
_LAST = 20  # verdicts that the yield is taken from
_FEW = 2  # errors among them, at which it may be time to stop

# The columns of a finding as the page knows it; q is a row of `SOURCE`.
_FINDING = f"""f.*, q.category, q.suggested_category, q.model_score, q.outcome, q.status, q.disagreement,
  {content_hash("a")} as content_hash, {content_hash("o")} as other_content_hash, o.category_id as other_category_id,
  a.iscrowd, a.segmentation_type <> 'none' as label_has_mask, d.verdicts, t.tags"""
_FINDING_JOINS = """join findings f on f.rowid = q."row"
  left join annotations a on a.batch = f.batch and a.annotation_id = f.annotation_id
  left join annotations o on o.batch = f.batch and o.annotation_id = f.other_annotation_id
  left join live.decided d on d.batch = f.batch and d.finding_id = f.finding_id
  left join (select batch, finding_id, list(tag order by tag) as tags from live.tagged group by all) t
    on t.batch = f.batch and t.finding_id = f.finding_id"""


class Page(Filters):
    """A page: what is shown, in which order, from which place on (`after`, `before`: keys; `at`: batch/finding_id)."""

    sort: Literal["p_error", "confidence", "area", "iou"] = "p_error"
    order: Literal["desc", "asc"] = "desc"
    group: Literal["image", "none"] = "image"
    limit: int = Field(24, ge=1, le=100)
    after: str = ""
    before: str = ""
    at: str = ""


@dataclass(frozen=True)
class Key:
    """The place of a group in the queue: its best value, and the image or finding, which tells groups of one value apart."""

    value: float
    batch: str
    thing: int | str

    def encoded(self) -> str:
        """The key as a word that may stand in a URL."""
        packed = msgspec.json.encode([self.value, self.batch, self.thing])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _key(text: str) -> Key:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return Key(*msgspec.json.decode(raw, type=tuple[float, str, int | str]))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise Refused("this is not a place in the queue") from None


@router.get("/api/queue/page")
def page(asked: Annotated[Page, Query()], db: Database) -> Response:
    """Groups of findings from a place on: those of one image together, or each by itself.

    `linked` is the finding that `at` names, by itself, where it is not among those that the filters show.
    """
    with db.view() as view:
        place = _place(view, asked)
        groups, more = _groups(view, asked, place)
        lost = asked.at and place[0] == "true"
        linked = find(view, *_split(asked.at)) if lost else None
        return answer(
            {"groups": groups, "more": more, "linked": linked, "generation": view.generation}
        )


@router.get("/api/queue/finding")
def finding(batch: str, finding_id: str, db: Database) -> Response:
    """One finding as it is now; 404 when it is not there (any more)."""
    with db.view() as view:
        found = find(view, batch, finding_id)
    if found is None:
        raise Refused("this finding is no longer there", 404)
    return answer(found)


def find(view: View, batch: str, finding_id: str) -> Row | None:
    """A finding with all that the page knows of it."""
    return next(iter(find_many(view, [(batch, finding_id)])), None)


def find_many(view: View, keys: list[tuple[str, str]]) -> list[Row]:
    """Findings by batch and finding_id, in no order; those that are not there are left out."""
    return view.rows(
        f"""with wanted as (select unnest(?::varchar[]) as batch, unnest(?::varchar[]) as finding_id)
            select {_FINDING} from {SOURCE} q join wanted using (batch, finding_id) {_FINDING_JOINS}""",
        [[b for b, _ in keys], [f for _, f in keys]],
    )


def _split(at: str) -> tuple[str, str]:
    batch, _, finding_id = at.rpartition("/")
    return batch, finding_id


def _groups(
    view: View, asked: Page, place: tuple[str, list[Any]]
) -> tuple[list[dict[str, Any]], bool]:
    condition, values = asked.conditions()
    best, forwards = ("max", "desc") if asked.order == "desc" else ("min", "asc")
    backwards = bool(asked.before)
    outwards = {"desc": "asc", "asc": "desc"}[forwards] if backwards else forwards
    tie = "desc" if backwards else "asc"
    rows = view.rows(
        f"""with matching as (
              select "row", batch, {_thing(asked)} as thing, {_SORTS[asked.sort]} as value from {SOURCE} where {condition}
            ), groups as (
              select batch, thing, {best}(value) as best from matching group by batch, thing
            ), chosen as (
              select * from groups where {place[0]}
              order by best {outwards}, batch {tie}, thing {tie} limit {asked.limit + 1}
            )
            select s.best, s.thing, m.value, {_FINDING}
            from chosen s join matching m using (batch, thing) join {SOURCE} q on q."row" = m."row" {_FINDING_JOINS}
            order by s.best {forwards}, s.batch, s.thing, m.value {forwards}, f.finding_id""",
        [*values, *place[1]],
    )
    return _grouped(rows, asked.limit, backwards)


def _thing(asked: Page) -> str:
    return "image_id" if asked.group == "image" else "finding_id"


def _place(view: View, asked: Page) -> tuple[str, list[Any]]:
    """The condition that begins the page at its place, "true" for the first page."""
    if asked.after or asked.before:
        key, same = _key(asked.after or asked.before), ""
        if isinstance(key.thing, int) != (asked.group == "image"):
            raise Refused("this place is one of the queue grouped otherwise")
    else:
        found = _key_of(view, asked) if asked.at else None
        if found is None:
            return "true", []
        key, same = found, "="
    greater, smaller = (">", "<") if asked.order == "desc" else ("<", ">")
    worse, later = (greater, "<") if asked.before else (smaller, ">")
    return (
        f"(best {worse} ? or (best = ? and (batch, thing) {later}{same} (?, ?)))",
        [key.value, key.value, key.batch, key.thing],
    )


def _key_of(view: View, asked: Page) -> Key | None:
    """The place of the finding that a link names; None where it is not among those shown."""
    batch, finding_id = _split(asked.at)
    condition, values = asked.conditions()
    best = "max" if asked.order == "desc" else "min"
    row = view.row(
        f"""with matching as (
              select *, {_SORTS[asked.sort]} as value, {_thing(asked)} as thing from {SOURCE} where {condition}
            )
            select {best}(value) as best, any_value(thing) as thing from matching
            where batch = ? and thing = (select thing from matching where batch = ? and finding_id = ?)
            having count(*) > 0""",
        [*values, batch, batch, finding_id],
    )
    return Key(row["best"], batch, row["thing"]) if row else None


def _grouped(rows: list[Row], limit: int, backwards: bool) -> tuple[list[dict[str, Any]], bool]:
    groups: list[dict[str, Any]] = []
    for row in rows:
        key = Key(row.pop("best"), row["batch"], row.pop("thing")).encoded()
        if not groups or groups[-1]["key"] != key:
            groups.append({"key": key, "findings": []})
        groups[-1]["findings"].append(row)
    more = len(groups) > limit
    if more:
        groups = groups[1:] if backwards else groups[:limit]
    return groups, more


@router.get("/api/queue/facets")
def facets(asked: Annotated[Filters, Query()], db: Database) -> Response:
    """How many findings there are for each value of each filter, the other filters as they are; and how far one is."""
    with db.view() as view:
        counts = {field: _facet(view, asked, field) for field in COLUMNS}
        counts["tag"] = _tag_facet(view, asked)
        return answer(
            {"facets": counts, "progress": _progress(view, asked), "generation": view.generation}
        )


@router.get("/api/queue/progress")
def progress(asked: Annotated[Filters, Query()], db: Database) -> Response:
    """How far one is, and how many of the last decisions found an error, whatever their status."""
    with db.view() as view:
        return answer(_progress(view, asked))


def _facet(view: View, asked: Filters, field: str) -> list[Row]:
    condition, values = asked.conditions(without=field)
    found = view.rows(
        f"""select {COLUMNS[field]} as value, count(*) as n, count(*) filter (disagreement) as disagreements
            from {SOURCE} where {condition} group by all having value is not null order by n desc, value""",
        values,
    )
    disagreements = sum(row.pop("disagreements") for row in found)
    if field == "status" and disagreements:
        found.append({"value": "disagreement", "n": disagreements})
    return found


def _tag_facet(view: View, asked: Filters) -> list[Row]:
    condition, values = asked.conditions(without="tag")
    return view.rows(
        f"""select tag as value, count(*) as n from {SOURCE} join live.tagged using (batch, finding_id)
            where {condition} group by all order by n desc, value""",
        values,
    )


def _progress(view: View, asked: Filters) -> dict[str, Any]:
    condition, values = asked.conditions(without="status")
    total = view.row(
        f"""with matching as (from {SOURCE} where {condition}),
            last as (select status from matching where status in ('accept', 'relabel', 'reject') order by seq desc limit {_LAST})
            select count(*) as findings, count(distinct (batch, image_id)) as images,
                   {", ".join(f"count(*) filter (status = '{s}') as {s}" for s in ("accept", "reject", "unsure", "relabel"))},
                   coalesce(sum(p_error) filter (status = 'open'), 0) as expected_left,
                   (select count(*) from last) as last, (select count(*) from last where status <> 'reject') as last_errors
            from matching""",
        values,
    )
    assert total is not None
    stop = total["last"] == _LAST and total["last_errors"] <= _FEW
    return {**total, "time_to_stop": stop}
