"""Between which bounds a metric's values are usual: the robust rule and Encord Active's, as SQL over one metric.

Both read a relation ``measured(category_name, value, …)``, NULLs left out, and give one row per category and one, with
category_name NULL, for all objects together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.outliers.scales import MODERATE, scale_of

if TYPE_CHECKING:
    from label_quality.registry import Metric

LEAST = 20
"""Values that a group needs for bounds of its own."""
_SPIKE_AT_END, _SPIKE = 0.25, 0.5
_RARE = 0.01
_QUARTILE, _EIGHTH = 0.6744897501960817, 1.1503493803760079  # of the standard normal distribution


def robust_fences(metric: Metric) -> str:
    """The query of the robust rule: category_name, group_name, spike, rare, m, s_low, s_high, low, high.

    With t the metric's scale (`scale_of`), m the median of t in the group, and a spread s of its own on each side, a value
    lies (t - m) / s robust standard deviations out; low and high are m -+ 3.5 s taken back from the scale, NULL on a side
    that is not bad or that no value can cross.

    s is the larger of |quartile - median| / 0.674 and |eighth - median| / 1.150, which are one for a bell. The quartile's
    alone is the median deviation of that side ("double MAD"), with the fences of Kimber, Applied Statistics 39 (1990); the
    eighth, the next of Tukey's letter values, widens them for heavy tails and for values in clumps, as sizes of photographs
    are. What an eighth of the objects on one side have in common is therefore never unusual.

    Categories: s is (n s + 20 s_all) / (n + 20), for few values say little about their spread; one with fewer than 20
    values has the bounds of all objects together (group_name NULL), and these need 20 too.

    Zero inflation: a value that more than half of the group share, or one end of the metric's range that a quarter
    shares, is the spike. It is never unusual, nor is what lies between it and the others, which are compared with each
    other alone. Where they are at most
    1 % of all objects (`rare`), being off the spike is unusual by itself: low and high are the spike.

    Where the eighth and the median are one value, that side is not judged.
    """
    t = scale_of(metric).there.format("value")
    at_low, at_high = (_literal(end) for end in (metric.low, metric.high))
    return f"""
    with grouped as materialized (
      select category_name, value from measured where {metric.per_category} and category_name is not null
      union all select null, value from measured
    ), counted as (
      select category_name, count(*) as n, quantile_disc(value, 0.5) as middle,
             count(*) filter (value = {at_low}) as at_low, count(*) filter (value = {at_high}) as at_high
      from grouped group by all
    ), middles as (
      select g.category_name, count(*) as at_middle
      from grouped g join counted c on g.category_name is not distinct from c.category_name and g.value = c.middle
      group by g.category_name
    ), spikes as (
      select c.category_name, c.n,
             case when at_low >= {_SPIKE_AT_END} * n and at_low >= at_high then {at_low}
                  when at_high >= {_SPIKE_AT_END} * n then {at_high}
                  when at_middle > {_SPIKE} * n then middle end as spike
      from counted c join middles m on m.category_name is not distinct from c.category_name
    ), usual as (
      select s.category_name, s.n, s.spike, count(value) as judged,
             quantile_cont({t}, [0.125, 0.25, 0.5, 0.75, 0.875]) as q
      from spikes s left join grouped g
        on g.category_name is not distinct from s.category_name and g.value is distinct from s.spike
      group by all
    ), spread as (
      select *, greatest((q[3] - q[2]) / {_QUARTILE}, (q[3] - q[1]) / {_EIGHTH}) as s_low,
             greatest((q[4] - q[3]) / {_QUARTILE}, (q[5] - q[3]) / {_EIGHTH}) as s_high
      from usual
    ), chosen as (
      select o.category_name, o.own, o.spike, not o.own and e.rare as rare, e.spike as common,
             case when o.own then o.q[3] when e.enough then e.q[3] end as m,
             {_shrunk("s_low")}, {_shrunk("s_high")}
      from (select *, category_name is not null and judged >= {LEAST} as own from spread) o
      cross join (
        select *, judged >= {LEAST} as enough, spike is not null and judged <= {_RARE} * n as rare
        from spread where category_name is null
      ) e
    )
    select category_name, case when own then category_name end as group_name, spike, rare, m, s_low, s_high,
           {_bounds(metric)}
    from chosen
    """


def _literal(value: float | None) -> str:
    return "NULL" if value is None else f"{float(value)!r}::double"


def _shrunk(side: str) -> str:
    """The spread of one side: drawn towards that of all objects, NULL where there is none."""
    return f"""
      nullif(case when o.own then (o.judged * o.{side} + {LEAST} * coalesce(e.{side}, o.{side})) / (o.judged + {LEAST})
                  when e.enough then e.{side} end, 0) as {side}"""


def _bounds(metric: Metric) -> str:
    scale = scale_of(metric)
    below, above = f"m - {MODERATE} * s_low", f"m + {MODERATE} * s_high"
    low = f"case when {scale.low} is null or {below} > {scale.low} then {scale.back.format(below)} end"
    high = f"case when {scale.high} is null or {above} < {scale.high} then {scale.back.format(above)} end"
    judged = {
        "low": (True, False),
        "high": (False, True),
        "both": (True, True),
        "none": (False, False),
    }[metric.bad]
    parts = (
        f"case when rare then common else {wider}({bound}, case when {bound} is not null then spike end) end as {name}"
        if wanted
        else f"null::double as {name}"
        for name, bound, wider, wanted in zip(
            ("low", "high"), (low, high), ("least", "greatest"), judged, strict=True
        )
    )
    return ", ".join(parts)


# Encord Active, lib/dataset/outliers.py: 1.5 and 2.5 interquartile ranges from the quartiles (linear interpolation),
# both sides, all objects together, whatever the metric.
ENCORD_MODERATE, ENCORD_SEVERE = 1.5, 2.5
ENCORD_FENCES = f"""
    select q[1] as q1, q[2] as q3, q[2] - q[1] as iqr,
           q1 - {ENCORD_MODERATE} * iqr as low, q3 + {ENCORD_MODERATE} * iqr as high
    from (select quantile_cont(value, [0.25, 0.75]) as q from measured)
"""
