"""How many things the Explorer shows, how their values lie, and how many there are of each category, batch and outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass

from label_quality.review import outcomes
from label_quality.review.database import Row, View
from label_quality.review.items import Page, sort_metric, sort_value
from label_quality.review.kinds import MetricName
from label_quality.review.shown import Shown, condition

BINS = 48
_MOST_CATEGORIES = 200


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each of the bins between `edges`, one more than `counts`; equally wide, or their logarithms are.

    `whole`: each bin is about one whole number.
    """

    edges: list[float]
    counts: list[int]
    log: bool
    whole: bool = False


@dataclass(frozen=True)
class Overview:
    """`total`: things that are shown; `without_value`: those that the filters leave, and that have no value to sort by."""

    total: int
    without_value: int
    histogram: Histogram | None


def overview(view: View, asked: Page) -> Overview:
    """Counts of what is shown. The histogram leaves the range of its own metric aside, so that a brush can be widened again."""
    made = condition(view, asked)
    value = sort_value(view, asked, made)
    row = view.row(
        f"select count(*) as n, count(*) filter (isfinite({value})) as valued from {made.source} where {made.where}",
        made.values,
    )
    assert row is not None
    histogram = None
    if not (asked.like or asked.near):
        histogram = histogram_of(view, asked, sort_metric(view, asked))
    return Overview(row["valued"], row["n"] - row["valued"], histogram)


def histogram_of(
    view: View, shown: Shown, metric: MetricName, bins: int = BINS
) -> Histogram | None:
    """The values of a metric among what is shown, without its own range; None where there is none.

    Whole numbers have bins of their own, where there are few enough of them.
    """
    made = condition(view, shown, without={f"range:{metric.name}"})
    value = f'm."{metric.name}"'
    where = f"{made.where} and isfinite({value})"
    ends = view.row(
        f"""select min({value}) as low, max({value}) as high, min({value}) filter ({value} > 0) as positive,
                   bool_and({value} = floor({value})) as whole
            from {made.source} where {where}""",
        made.values,
    )
    if ends is None or ends["low"] is None:
        return None
    low, high, positive = ends["low"], ends["high"], ends["positive"]
    whole = ends["whole"] and high - low < bins
    log = not whole and metric.log and positive is not None and high > positive
    scaled = f"ln(greatest({value}, {positive!r}))" if log else value
    start, stop = (math.log(positive), math.log(high)) if log else (low, high)
    if whole:
        start, stop, bins = low - 0.5, high + 0.5, round(high - low) + 1
    width = (stop - start) / bins
    if not width > 0:
        width, bins = 1.0, 1
    rows = view.rows(
        f"""select least(floor(({scaled} - {start!r}) / {width!r}), {bins - 1})::integer as place, count(*) as n
            from {made.source} where {where} group by all""",
        made.values,
    )
    counts = [0] * bins
    for row in rows:
        counts[max(row["place"], 0)] += row["n"]
    edges = [start + k * width for k in range(bins)] + [stop if bins > 1 else start]
    return Histogram([math.exp(e) for e in edges] if log else edges, counts, log, bool(whole))


def facets(view: View, asked: Page) -> dict[str, list[Row]]:
    """For each filter how many things its values would show, the other filters as they are: value and n, the most first."""
    found = {
        "category": _categories(view, asked),
        "batch": _facet(view, asked, "batch", "m.batch"),
        "tag": _tag_facet(view, asked, asked.kind),
        "image_tag": _tag_facet(view, asked, "image"),
    }
    if asked.kind == "prediction":
        found["model"] = _facet(view, asked, "model", "m.model")
    if asked.kind in outcomes.OUTCOMES:
        judge = asked.model or (outcomes.first_model(view) if asked.kind == "annotation" else "")
        found["outcome"] = outcomes.counts(view, asked.kind, asked.by, judge)
    return found


def _facet(view: View, asked: Page, field: str, column: str) -> list[Row]:
    made = condition(view, asked, without={field})
    return view.rows(
        f"""select {column} as value, count(*) as n from {made.source} where {made.where} group by all
            order by n desc, value""",
        made.values,
    )


def _categories(view: View, asked: Page) -> list[Row]:
    made = condition(view, asked, without={"category"})
    if asked.kind == "image":
        counted = f"""select distinct m.batch, m.image_id, a.category_id from {made.source}
                      join annotations a on a.batch = m.batch and a.image_id = m.image_id where {made.where}"""
    else:
        counted = f"select m.batch, m.category_id from {made.source} where {made.where}"
    return view.rows(
        f"""with counted as (select batch, category_id, count(*) as n from ({counted}) group by all)
            select name as value, sum(n)::bigint as n from counted join categories using (batch, category_id)
            group by all order by n desc, value limit {_MOST_CATEGORIES}""",
        made.values,
    )


def _tag_facet(view: View, asked: Page, kind: str) -> list[Row]:
    """All tags there are, however few of what is shown have them: a tag that was just given must not vanish."""
    return view.rows(
        "select tag as value, count(*) as n from live.tags where kind = ? group by all order by n desc, value",
        [kind],
    )
