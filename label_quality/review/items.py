"""A page of images, labels or predictions in the order of a metric, each with what a card shows of it.

Pages follow by key: the value and the identity of the last one shown. What has no value of the metric is not in the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
from pydantic import Field

from label_quality.review.answers import Refused
from label_quality.review.database import Row, View
from label_quality.review.details import details
from label_quality.review.kinds import KEYS, SORTED_BY, MetricName, known_metric
from label_quality.review.shown import Condition, Shown, condition, key_of_image, whole

_NAMES = {"batch", "model"}  # of the keys; the others are numbers


class Page(Shown):
    """What is shown, in which order, from where. `after` and `before` are keys of items; the page begins or ends there."""

    sort: str = Field("", max_length=100)
    order: Literal["asc", "desc"] = "asc"
    limit: int = Field(48, ge=1, le=200)
    after: str = Field("", max_length=500)
    before: str = Field("", max_length=500)


@dataclass(frozen=True)
class Items:
    """A page: its items, and whether there are more in the direction that was asked for."""

    items: list[Row]
    more: bool


def page(view: View, asked: Page) -> Items:
    """The items of a page, in order."""
    made = condition(view, asked)
    value = sort_value(view, asked, made)
    keys = KEYS[asked.kind]
    backwards = bool(asked.before)
    _begin(made, asked, value)
    outward = _turned(asked.order) if backwards else asked.order
    tie = "desc" if backwards else "asc"
    ordered = ", ".join(f"m.{key} {tie}" for key in keys)
    known = ", ".join(f"m.{key}" for key in dict.fromkeys((*keys, "image_id")))
    view.con.execute(
        f"""create or replace temp table _page as
            select {value} as value, {known} from {made.source} where {made.where} and isfinite({value})
            order by value {outward}, {ordered} limit {asked.limit + 1}""",
        made.values,
    )
    rows = details(view, asked)
    more = len(rows) > asked.limit
    if more:
        rows = rows[1:] if backwards else rows[:-1]
    return Items(rows, more)


def sort_value(view: View, asked: Page, made: Condition) -> str:
    """The expression that items are ordered by: a metric, in how many bits a perceptual hash differs, the place of a neighbour."""
    if asked.like:
        batch, image = key_of_image(asked.like)
        row = view.row(
            "select perceptual_hash as hash from image_metrics where batch = ? and image_id = ?",
            [batch, image],
        )
        if row is None or row["hash"] is None:
            raise Refused("this image was not measured, so nothing is known to look like it")
        return f"bit_count(xor({_bits('m.perceptual_hash')}, {made.bind(int(row['hash'], 16))}::ubigint))::double"
    if asked.near:
        return "near.place"
    return f'm."{sort_metric(view, asked).name}"'


def sort_metric(view: View, asked: Page) -> MetricName:
    """The metric that is sorted by."""
    return known_metric(view, asked.kind, asked.sort or SORTED_BY[asked.kind])


def _bits(column: str) -> str:
    return f"('0x' || {column})::ubigint"


def _begin(made: Condition, asked: Page, value: str) -> None:
    text = asked.after or asked.before
    if not text:
        return
    keys = KEYS[asked.kind]
    try:
        first, *identity = msgspec.json.decode(text)
        place = float(first)
        parts = [
            str(part) if key in _NAMES else whole(part)
            for key, part in zip(keys, identity, strict=True)
        ]
    except (msgspec.MsgspecError, ValueError, TypeError):
        raise Refused("this is not a place in the list") from None
    onward = asked.order if asked.after else _turned(asked.order)
    beyond, later = (">" if onward == "asc" else "<"), (">" if asked.after else "<")
    at = made.bind(place)
    names = ", ".join(f"m.{key}" for key in keys)
    bound = ", ".join(made.bind(part) for part in parts)
    made.parts.append(
        f"({value} {beyond} {at} or ({value} = {at} and ({names}) {later} ({bound})))"
    )


def _turned(order: str) -> str:
    return "asc" if order == "desc" else "desc"
