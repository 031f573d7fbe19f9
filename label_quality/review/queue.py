"""The queue: findings filtered, sorted, grouped by image and paged by key; the counts beside the filters; how far one is.

Decisions are ``verdicts``' matter.
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from label_quality.rates import NEXT, WINDOW, errors_left, may_stop, most_errors
from label_quality.review.answers import Database, Int64, Refused, answer
from label_quality.review.database import Row, View
from label_quality.review.filters import COLUMNS, SOURCE, Filters
from label_quality.review.sample import label_cards, next_labels, sample_progress
from label_quality.reviews import content_hash

router = APIRouter()

_SORTS = {
    "p_error": "p_error",
    "confidence": "coalesce(model_score, -1)",
    "area": "area",
    "iou": "coalesce(iou, -1)",
}
_IN_A_PAGE = 5  # cards of the sample in a page of findings, at most

# All that the page knows of the findings of the CTE ``shown`` ("row" and what else is to come back). The large tables are
# joined by one number each, which is several times as fast as by their keys; what came along is then sorted out.
_DETAILS = f"""
  found as materialized (
    select s.*, f.* from shown s join findings f on f.rowid = s."row"
  ), labels as materialized (
    select batch, annotation_id, category_id, iscrowd, {content_hash("a")} as content_hash
    from annotations a
    where annotation_id in (select annotation_id from found union all select other_annotation_id from found)
  ), tags as (
    select "row", list(tag order by tag) as tags from live.tagged semi join shown using ("row") group by all
  )
  select f.* exclude ("row"), q.category, q.suggested_category, q.model_score, q.outcome, coalesce(d.status, 'open') as status,
         coalesce(d.disagreement, false) as disagreement, d.seq, d.verdicts, t.tags, a.iscrowd, a.content_hash,
         o.content_hash as other_content_hash, o.category_id as other_category_id
  from found f join live.queue q using ("row") left join live.decided d using ("row") left join tags t using ("row")
  left join labels a on a.batch = f.batch and a.annotation_id = f.annotation_id
  left join labels o on o.batch = f.batch and o.annotation_id = f.other_annotation_id"""


class Page(Filters):
    """A page: what is shown, in which order, from which place on (`after`, `before`: keys; `at`: batch/finding_id).

    `sample`: whether cards of the random sample go with it, or nothing else; `sampled`: the place of the last one that was shown.
    """

    sort: Literal["p_error", "confidence", "area", "iou"] = "p_error"
    order: Literal["desc", "asc"] = "desc"
    group: Literal["image", "none"] = "image"
    limit: int = Field(24, ge=1, le=100)
    after: str = ""
    before: str = ""
    at: str = ""
    sample: Literal["none", "mixed", "only"] = "none"
    sampled: int = Field(0, ge=0)


@dataclass(frozen=True)
class Key:
    """The place of a group in the queue: its best value, and the number of its image or finding in what is published."""

    value: float
    number: int

    def encoded(self) -> str:
        """The key as a word that may stand in a URL."""
        packed = msgspec.json.encode([self.value, self.number])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _key(text: str) -> Key:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return Key(*msgspec.json.decode(raw, type=tuple[float, Int64]))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise Refused("this is not a place in the queue") from None


@router.get("/api/queue/page")
def page(asked: Annotated[Page, Query()], db: Database) -> Response:
    """Groups of findings from a place on: those of one image together, or each by itself.

    `linked` is the finding that `at` names, by itself, where it is not among those that the filters show. `sample` are cards
    to mix in, each with its `place` and `draw`.
    """
    with db.view() as view:
        if asked.sample == "only":
            cards = sample_cards(view, asked.batch, asked.sampled, asked.limit + 1)
            some, more = cards[: asked.limit], len(cards) > asked.limit
            return answer({"groups": [], "more": more, "linked": None, "sample": some, "generation": view.generation})  # fmt: skip
        place = _place(view, asked)
        groups, more = _groups(view, asked, place)
        lost = asked.at and place[0] == "true"
        linked = find(view, *_split(asked.at)) if lost else None
        shown = sum(len(g["findings"]) for g in groups)
        mixed = min(math.ceil(shown * db.settings.sample.share), _IN_A_PAGE)
        if asked.sample == "none" or asked.before or not mixed:
            cards = []
        else:
            cards = sample_cards(view, asked.batch, asked.sampled, mixed)
        return answer(
            {"groups": groups, "more": more, "linked": linked, "sample": cards, "generation": view.generation}
        )  # fmt: skip


def sample_cards(view: View, batches: list[str], after: int, limit: int) -> list[Row]:
    """The next cards of the random sample: labels as they are, suspected missing ones as their findings."""
    units = next_labels(view, batches, after, limit)
    labels = label_cards(view, units)
    keys = [(u["batch"], u["finding_id"]) for u in units if u["finding_id"] is not None]
    findings = {(f["batch"], f["finding_id"]): f for f in (find_many(view, keys) if keys else [])}
    cards = []
    for unit in units:
        card = labels.get((unit["batch"], unit["annotation_id"])) or findings.get((unit["batch"], unit["finding_id"]))  # fmt: skip
        if card is not None:
            cards.append({**card, "place": unit["place"], "draw": unit["draw"]})
    return cards


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
        f"""with wanted as (select unnest(?::varchar[]) as batch, unnest(?::varchar[]) as finding_id),
            near as (select "row", batch, finding_id from live.queue semi join wanted using (finding_id)),
            shown as (select "row" from near semi join wanted using (batch, finding_id)), {_DETAILS}""",
        [[b for b, _ in keys], [f for _, f in keys]],
    )


def _split(at: str) -> tuple[str, str]:
    batch, _, finding_id = at.rpartition("/")
    return batch, finding_id


def _groups(
    view: View, asked: Page, place: tuple[str, list[Any]]
) -> tuple[list[dict[str, Any]], bool]:
    forwards = asked.order
    backwards = bool(asked.before)
    outwards = {"desc": "asc", "asc": "desc"}[forwards] if backwards else forwards
    matching, values = _matching(asked)
    rows = view.rows(
        f"""with {matching}, chosen as (
              select * from groups where {place[0]}
              order by best {outwards}, number {"desc" if backwards else "asc"} limit {asked.limit + 1}
            ), shown as (
              select s.best, m.* from chosen s join matching m using (number)
            ), {_DETAILS}
            order by f.best {forwards}, f.number, f.value {forwards}, f.finding_id""",
        [*values, *place[1]],
    )
    return _grouped(rows, asked.limit, backwards)


def _matching(asked: Page) -> tuple[str, list[Any]]:
    """CTEs ``matching`` (row, number, value of each finding shown) and ``groups`` (number, best), and their values."""
    condition, values = asked.conditions()
    number = "picture" if asked.group == "image" else '"row"'
    best = "max" if asked.order == "desc" else "min"
    groups = f"select number, {best}(value) as best from matching group by number"
    if asked.group == "none":
        groups = "select number, value as best from matching"
    return (
        f"""matching as (
              select "row", {number} as number, {_SORTS[asked.sort]} as value from {SOURCE} where {condition}
            ), groups as ({groups})""",
        values,
    )


def _place(view: View, asked: Page) -> tuple[str, list[Any]]:
    """The condition that begins the page at its place, "true" for the first page."""
    if asked.after or asked.before:
        key, same = _key(asked.after or asked.before), ""
    else:
        found = _key_of(view, asked) if asked.at else None
        if found is None:
            return "true", []
        key, same = found, "="
    greater, smaller = (">", "<") if asked.order == "desc" else ("<", ">")
    worse, later = (greater, "<") if asked.before else (smaller, ">")
    condition = f"(best {worse} ? or (best = ? and number {later}{same} ?))"
    return condition, [key.value, key.value, key.number]


def _key_of(view: View, asked: Page) -> Key | None:
    """The place of the finding that a link names; None where it is not among those shown."""
    matching, values = _matching(asked)
    row = view.row(
        f"""with {matching}
            select best, number from groups where number = (
              select m.number from matching m join live.queue q on q."row" = m."row"
              where q.batch = ? and q.finding_id = ?)""",
        [*values, *_split(asked.at)],
    )
    return Key(row["best"], row["number"]) if row else None


def _grouped(rows: list[Row], limit: int, backwards: bool) -> tuple[list[dict[str, Any]], bool]:
    groups: list[dict[str, Any]] = []
    for row in rows:
        key = Key(row.pop("best"), row.pop("number")).encoded()
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
        counts = {**_facets(view, asked), "tag": _tag_facet(view, asked)}
        return answer(
            {"facets": counts, "progress": progress_of(view, asked), "generation": view.generation}
        )


@router.get("/api/queue/progress")
def progress(asked: Annotated[Filters, Query()], db: Database) -> Response:
    """How far one is, and how many of the last decisions found an error, whatever their status."""
    with db.view() as view:
        return answer(progress_of(view, asked))


def _facets(view: View, asked: Filters) -> dict[str, list[Row]]:
    """Values and counts of each list filter. Findings are counted once, by all fields together; the rest is small."""
    condition, values = asked.ranges()
    own = {field: f'"{field}"' for field in COLUMNS}
    parts = []
    for field in COLUMNS:
        chosen, more = asked.choices(own, without=field)
        parts.append(
            f"""select '{field}' as field, "{field}" as value, sum(n)::bigint as n,
                       (sum(n) filter (disagreement))::bigint as disagreements
                from cells where {chosen} and "{field}" is not null group by "{field}\""""
        )
        values += more
    rows = view.rows(
        f"""with cells as materialized (
              select {", ".join(f'{column} as "{field}"' for field, column in COLUMNS.items())}, disagreement, count(*) as n
              from {SOURCE} where {condition} group by all
            )
            {" union all ".join(parts)} order by n desc, value""",
        values,
    )
    found: dict[str, list[Row]] = {field: [] for field in COLUMNS}
    for row in rows:
        found[row["field"]].append({"value": row["value"], "n": row["n"]})
    disagreements = sum(r["disagreements"] or 0 for r in rows if r["field"] == "status")
    if disagreements:
        found["status"].append({"value": "disagreement", "n": disagreements})
    return found


def _tag_facet(view: View, asked: Filters) -> list[Row]:
    condition, values = asked.model_copy(update={"tag": []}).conditions()
    return view.rows(
        f"""select tag as value, count(*) as n from {SOURCE} join live.tagged using ("row")
            where {condition} group by all order by n desc, value""",
        values,
    )


def progress_of(view: View, asked: Filters) -> dict[str, Any]:
    """Counts by status; what the last decisions found, and what that says of the next ones and of what is left."""
    condition, values = asked.conditions(without="status")
    total = view.row(
        f"""with matching as (from {SOURCE} where {condition}),
            judged as (select *, status in ('accept', 'relabel') as error from matching
                       where status in ('accept', 'relabel', 'reject') and not sampled),
            last as (select error from judged order by seq desc limit {WINDOW})
            select count(*) as findings, count(distinct picture) as images,
                   {", ".join(f"count(*) filter (status = '{s}') as {s}" for s in ("accept", "reject", "unsure", "relabel"))},
                   count(*) filter (status = 'open') as open,
                   (select coalesce(sum(p_error), 0) from (
                      select p_error from matching where status = 'open' order by p_error desc limit {NEXT})) as p_next,
                   coalesce(sum(p_error) filter (status = 'open'), 0) as p_open,
                   (select coalesce(sum(p_error), 0) from judged) as p_decided,
                   (select count(*) from judged where error) as errors,
                   (select count(*) from last) as last, (select count(*) from last where error) as last_errors
            from matching""",
        values,
    )
    assert total is not None
    ahead = min(NEXT, total["open"])
    most = most_errors(total["last_errors"], total["last"], ahead)
    return {
        **{k: v for k, v in total.items() if k not in ("p_open", "p_next", "p_decided", "errors")},
        "expected_left": errors_left(total["p_open"], total["p_decided"], total["errors"]),
        "expected_next": errors_left(total["p_next"], total["p_decided"], total["errors"]),
        "ahead": ahead,
        "most_errors": most,
        "time_to_stop": bool(ahead and total["last"]) and may_stop(total["last_errors"], total["last"], ahead),
        "sample": sample_progress(view, asked.batch),
    }  # fmt: skip
