"""The random sample for review: which labels, and which suspected missing ones, people are asked about.

It is drawn stratum by stratum (see ``reviews.strata``), so that errors that nobody suspects have their known share in it.
What people's answers give is computed in ``reviews.estimate``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.reviews.strata import stratum, strongest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.settings import Sample

_LEAST_LABELS, _LEAST_MISSING = 5, 10  # of each stratum, or all there are
_LOWEST, _HIGHEST = (
    0.02,
    0.5,
)  # shares of errors that strata are taken to have, at least and at most


def draw_sample(con: DuckDBPyConnection, sample: Sample) -> None:
    """Make the temporary tables ``new_review_strata`` and ``new_review_sample``, for each batch by itself.

    About `sample.size` units of a batch, more where strata are many and small: of each stratum in proportion to
    units * sqrt(p (1 - p)) (Neyman's allocation, p its mean score within bounds), of all alike in it at random. The same seed
    draws the same from the same labels and scores, and a label keeps its random number while its ids stay. The draw is named
    by all that was drawn and by the strata, so that answers to another draw do not count as answers to this one.

    Args:
        con: shows ``annotations`` and ``finding_scores``, of any number of batches.
        sample: the settings.
    """
    con.execute(
        f"""
        create or replace temp table _units as
        with labels as (
          select a.batch, a.image_id, a.annotation_id, a.category_id, f.first
          from annotations a left join ({strongest("finding_scores")}) f using (batch, annotation_id) where not a.iscrowd
        )
        select batch, image_id, annotation_id, cast(null as varchar) as finding_id, category_id,
               {stratum("first.error_type", "first.score")} as stratum, first.score as score
        from labels
        union all
        select batch, image_id, null, finding_id, category_id, {stratum("error_type", "score")}, score
        from finding_scores where error_type = 'missing'
        """
    )
    con.execute(
        """
        create or replace temp table new_review_strata as
        select batch, stratum, category_id, count(*) as units from _units group by all
        """
    )
    con.execute(f"create or replace temp table new_review_sample as {_drawn(sample)}")
    con.execute("drop table _units")


def _drawn(sample: Sample) -> str:
    # Random numbers up to a bound that leaves enough of them are all that has to be sorted.
    return f"""
with sized as (
  select batch, stratum, count(*) as units, least(greatest(coalesce(avg(score), 0), {_LOWEST}), {_HIGHEST}) as p,
         case when starts_with(stratum, 'missing') then {_LEAST_MISSING} else {_LEAST_LABELS} end as at_least
  from _units group by batch, stratum
), weighed as (
  select *, units * sqrt(p * (1 - p)) as weight from sized
), allotted as (
  select batch, stratum, units, least(units, greatest(at_least, ceil(
           {sample.size} * weight / sum(weight) over (partition by batch))::bigint)) as sampled
  from weighed where {sample.size} > 0
), numbered as (
  select u.*, a.units, a.sampled, coalesce(annotation_id::varchar, finding_id) as id,
         md5_number_lower(concat_ws('/', {sample.seed}, batch, image_id, id)) as random
  from _units u join allotted a using (batch, stratum)
  where random / power(2.0, 64) <= (a.sampled + 8 * sqrt(a.sampled) + 20) / a.units
), ordered as (
  select *, row_number() over (partition by batch, stratum order by random, id) as nth from numbered qualify nth <= sampled
), drawn as (
  select *, row_number() over (partition by batch order by (nth - 1) / sampled, random, stratum) as number from ordered
), named as (
  select batch, left(md5(string_agg(concat_ws('/', number, stratum, units, image_id, id), ',' order by number)), 16) as draw
  from drawn group by batch
)
select batch, draw, number, stratum, image_id, annotation_id, finding_id, category_id, units, sampled,
       sampled / units as probability
from drawn join named using (batch) order by batch, number"""
