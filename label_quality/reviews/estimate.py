"""The error rates that people's verdicts give: what they decided counts as known, the rest by the random sample.

Verdicts from the ranked queue are not random: they stand for themselves and for nothing else, wherever they are. All that
nobody chose to judge is estimated from the answers of the random sample among it, stratum by stratum (Horvitz and Thompson:
each answer counts units / answers times). Strata are put together by the method of variance estimates recovery (Zou,
Huang & Zhang 2009): squares of the distances from estimate to limit add up. docs/rates.md has formulas and measurements.

For missing labels only objects that are suspected can be asked about: what no model sees is in no rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from label_quality.reviews.intervals import share_interval
from label_quality.reviews.strata import stratum, strongest
from label_quality.schema import ERROR_TYPES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ENOUGH = 30
"""Answers from which on there is a reviewed rate; fewer only where no more were drawn."""
_NONE = """batch varchar, error_type varchar, category_id bigint, reviewed_rate double, reviewed_low double,
           reviewed_high double, n_sampled bigint, reviewed_labels bigint"""
_OF_LABELS = tuple(t for t in ERROR_TYPES if t != "missing")


def estimate_reviewed(con: DuckDBPyConnection, verdicts: str = "_verdicts") -> None:
    """Make the temporary table ``_reviewed``: reviewed_rate, reviewed_low, reviewed_high, n_sampled and reviewed_labels.

    By batch, error_type and category_id (NULL for all together), of batches whose sample has an answer. The rate and its
    limits are NULL while a stratum has no answer, or there are fewer than `ENOUGH`.

    Args:
        con: shows ``review_sample``, ``review_strata``, ``annotations`` and ``findings``, of any number of batches.
        verdicts: name of the table that ``attach`` makes.
    """
    answered = (
        f"from {verdicts} v semi join review_sample s on s.batch = v.batch and s.draw = v.sample"
    )
    if not con.execute(f"{answered} limit 1").fetchall():
        con.execute(f"create or replace temp table _reviewed ({_NONE})")
        return
    cells = con.sql(_cells(verdicts)).to_arrow_table()
    shares = share_interval(*(cells[name].to_numpy() for name in ("wrong", "asked", "open")))
    for name, values in zip(("share", "low", "high"), shares, strict=True):
        cells = cells.append_column(name, pa.array(values, from_pandas=True))
    con.register("_bounded", cells)
    con.execute(f"create or replace temp table _reviewed as {combine('_bounded')}")
    con.unregister("_bounded")


def _cells(verdicts: str) -> str:
    """SELECT of one row per batch, type, stratum and category (NULL: all): how much is known, and asked of what is not."""
    return f"""
with answered as (
  select distinct batch from {verdicts} v semi join review_sample s on s.batch = v.batch and s.draw = v.sample
), facts as ({_facts(verdicts)}),
-- What was decided aside from the sample is known; a unit's answer counts where nothing else is known of it.
judged as (
  select batch, annotation_id, finding_id, error_type, bool_or(not asked) as known,
         coalesce(arg_max(wrong, seq) filter (not asked), arg_max(wrong, seq)) as wrong
  from facts group by all
), labels as (
  select j.batch, j.error_type, coalesce(s.stratum, {stratum("f.first.error_type", "f.first.score")}) as stratum,
         a.category_id, j.known, j.wrong
  from judged j join annotations a using (batch, annotation_id)
  left join review_sample s using (batch, annotation_id)
  left join ({strongest("(from findings semi join judged using (batch, annotation_id))")}) f using (batch, annotation_id)
  where not a.iscrowd
), missing as (
  select j.batch, j.error_type, {stratum("f.error_type", "f.score")} as stratum, f.category_id, j.known, j.wrong
  from judged j join findings f using (batch, finding_id)
), counted as (
  select batch, error_type, stratum, category_id, count(*) filter (known) as known,
         count(*) filter (known and wrong) as known_wrong, count(*) filter (not known) as asked,
         count(*) filter (not known and wrong) as wrong
  from (from labels union all by name from missing) group by all
), frame as (
  select batch, stratum, category_id, units, starts_with(stratum, 'missing') as missing,
         unnest(case when missing then ['missing', 'any'] else {[*_OF_LABELS, "any"]} end) as error_type
  from review_strata semi join answered using (batch)
), drawn as (
  select batch, stratum, count(*) as drawn from review_sample semi join answered using (batch) group by all
)
select f.batch, f.error_type, f.stratum, f.category_id, f.missing, sum(f.units)::double as units,
       coalesce(sum(known_wrong), 0)::double as known_wrong,
       -- Scores that a calibration no longer keeps as findings may shift a label that is known to another stratum.
       greatest(sum(f.units) - coalesce(sum(known), 0), coalesce(sum(asked), 0))::double as open,
       coalesce(sum(asked), 0)::double as asked, coalesce(sum(c.wrong), 0)::double as wrong,
       max(coalesce(drawn, 0))::double as drawn
from frame f left join counted c using (batch, error_type, stratum, category_id) left join drawn d using (batch, stratum)
group by grouping sets ((f.batch, f.error_type, f.stratum, f.missing, f.category_id), (f.batch, f.error_type, f.stratum, f.missing))
"""


def _facts(verdicts: str) -> str:
    """SELECT of what each verdict says of a label, or of a finding of a missing one: error_type, wrong, and whether it was asked."""
    return f"""
  with said as (
    select v.batch, v.seq, v.verdict, v.error_type, v.verdict <> 'reject' and not v.applied as wrong,
           v.annotation_id is null as of_missing, v.category_id, v.fix->>'action' as action,
           (v.fix->>'category_id')::bigint as to_category_id, v.sample,
           case when not of_missing then v.attached_annotation_id end as annotation_id,
           case when of_missing then v.attached_finding_id end as finding_id
    from {verdicts} v semi join answered using (batch)
    where not v.superseded and not v.disagreement and v.verdict <> 'unsure'
  ), twice as (
    select distinct batch, unnest([annotation_id, other_annotation_id]) as annotation_id
    from findings semi join answered using (batch) where error_type = 'duplicate'
  ), listed as (
    select v.*, coalesce(s.draw = v.sample, false) as asked, case
      when of_missing then [{{'error_type': 'missing', 'wrong': wrong}}, {{'error_type': 'any', 'wrong': wrong}}]
      -- About a finding: of its type alone. That it is no such error leaves open whether it is another.
      when v.error_type is not null and wrong then [{{'error_type': v.error_type, 'wrong': true}}, {{'error_type': 'any', 'wrong': true}}]
      when v.error_type is not null then [{{'error_type': v.error_type, 'wrong': false}}]
      -- About a label as such: the fix says what was wrong; who sends it to relabelling leaves that open.
      when wrong and verdict = 'relabel' then [{{'error_type': 'any', 'wrong': true}}]
      else [
        {{'error_type': 'wrong_class', 'wrong': wrong and coalesce(to_category_id <> v.category_id, false)}},
        {{'error_type': 'inaccurate', 'wrong': wrong and action in ('change_box', 'change_mask')}},
        {{'error_type': 'duplicate', 'wrong': wrong and action = 'remove' and t.annotation_id is not null}},
        {{'error_type': 'spurious', 'wrong': wrong and action = 'remove' and t.annotation_id is null}},
        {{'error_type': 'any', 'wrong': wrong}}
      ] end as facts
    from said v left join review_sample s on s.batch = v.batch
      and s.annotation_id is not distinct from v.annotation_id and s.finding_id is not distinct from v.finding_id
    left join twice t on t.batch = v.batch and t.annotation_id = v.annotation_id
    where v.annotation_id is not null or v.finding_id is not null
  )
  select batch, annotation_id, finding_id, seq, asked, fact.error_type, fact.wrong
  from (select *, unnest(facts) as fact from listed)"""


def combine(cells: str) -> str:
    """SELECT of the rates, from a table of cells with share, low and high (see `share_interval`) of what is open in each.

    rate = errors / (labels + missing), with errors = known + sum over strata of open * share. A missing label is in the
    denominator too, so that it counts 1 - rate times; what the denominator of the other types adds to the interval is left out.
    """
    return f"""
with filled as (
  -- A category's stratum without an answer: the share of the whole stratum, anything between 0 and 1.
  select c.* exclude (share), case when c.open = 0 then 0 else coalesce(c.share, w.share) end as share
  from {cells} c left join {cells} w on c.category_id is not null and w.category_id is null
    and w.batch = c.batch and w.error_type = c.error_type and w.stratum = c.stratum
), sums as (
  -- In a fixed order, so that the same answers give the same rates to the last digit.
  select batch, error_type, category_id, sum(known_wrong) as known, sum(known_wrong + open * share order by stratum) as errors,
         sum(asked)::bigint as n_sampled, bool_and(share is not null) as covered,
         sum(asked) >= least({ENOUGH}, sum(drawn)) or sum(open) = 0 as enough,
         coalesce(sum(units) filter (not missing), 0) as labels,
         coalesce(sum(power(open * (share - low), 2) order by stratum) filter (not missing), 0) as below,
         coalesce(sum(power(open * (share - low), 2) order by stratum) filter (missing), 0) as below_missing,
         coalesce(sum(power(open * (high - share), 2) order by stratum) filter (not missing), 0) as above,
         coalesce(sum(power(open * (high - share), 2) order by stratum) filter (missing), 0) as above_missing
  from filled group by batch, error_type, category_id
), rated as (
  select s.* exclude (labels), a.labels::bigint as labels, a.labels + coalesce(m.errors, 0) as whole,
         case when s.covered and s.enough then s.errors / nullif(whole, 0) end as rate
  from sums s
  join sums a on a.error_type = 'any' and a.batch = s.batch and a.category_id is not distinct from s.category_id
  left join sums m on m.error_type = 'missing' and m.batch = s.batch and m.category_id is not distinct from s.category_id
)
select batch, error_type, category_id, rate as reviewed_rate,
       greatest(rate - sqrt(below + power(1 - rate, 2) * below_missing) / whole, known / whole) as reviewed_low,
       least(rate + sqrt(above + power(1 - rate, 2) * above_missing) / whole, 1) as reviewed_high,
       n_sampled, case when rate is not null then labels end as reviewed_labels
from rated
"""
