"""The model's estimate of how many label errors there are: expected errors / (labels + expected missing), with an interval.

The interval is the model's own: it takes p_error for right and the errors for independent (Poisson binomial, normal
approximation). While p_error is uncalibrated the rates rank batches and categories; they do not measure. Types that need
predictions are not judged where there are none. What people's verdicts give stands beside it: ``reviews.estimate``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.schema import ERROR_TYPES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NEEDS_PREDICTIONS = ("missing", "wrong_class", "inaccurate", "spurious")
FORMULA = "expected errors / (labels + expected missing)"
_Z = 1.959963984540054


def build_error_rates(con: DuckDBPyConnection) -> None:
    """Fill the temporary table ``new_error_rates`` (schema of ``error_rates``), what was reviewed left NULL.

    Args:
        con: shows ``findings``, ``annotations``, ``categories`` and ``models`` of one batch.
    """
    con.execute(
        f"""
        create or replace temp table new_error_rates as
        with types as (
          select unnest({[*ERROR_TYPES, "any"]}) as error_type
        ), judged as (
          select error_type,
                 error_type not in {(*NEEDS_PREDICTIONS, "any")} or exists (from models where predictions_kept > 0) as judged
          from types
        ), places as (
          select category_id, name as category_name from categories union all select null, null
        ), labels as (
          select category_id, count(*) as labels from annotations where not iscrowd group by rollup (category_id)
        ), sums as (
          select coalesce(error_type, 'any') as error_type, category_id, count(*) as findings,
                 sum(p_error) as expected, sum(p_error * (1 - p_error)) as variance,
                 coalesce(sum(p_error) filter (f.error_type = 'missing'), 0) as missing,
                 bool_and(calibrated) as calibrated
          from findings f group by grouping sets ((error_type, category_id), (error_type), (category_id), ())
        ), missing as (
          select category_id, expected as missing from sums where error_type = 'missing'
        ), counted as (
          select j.error_type, p.category_id, p.category_name, coalesce(l.labels, 0) as labels, j.judged,
                 coalesce(s.findings, 0) as findings, coalesce(s.expected, 0) as expected,
                 coalesce(s.variance, 0) as variance, coalesce(m.missing, 0) as missing,
                 coalesce(s.calibrated, false) as calibrated
          from judged j cross join places p
          left join labels l on l.category_id is not distinct from p.category_id
          left join sums s on s.error_type = j.error_type and s.category_id is not distinct from p.category_id
          left join missing m on m.category_id is not distinct from p.category_id
        )
        select (select batch from batches) as batch, error_type, category_id, category_name, labels,
               case when judged then findings end as findings,
               case when judged then expected end as expected_errors,
               case when judged then missing end as expected_missing,
               case when judged then expected / nullif(labels + missing, 0) end as rate,
               case when judged then greatest(expected - {_Z} * sqrt(variance), 0) / nullif(labels + missing, 0)
                 end as rate_low,
               case when judged then least((expected + {_Z} * sqrt(variance)) / nullif(labels + missing, 0), 1)
                 end as rate_high,
               judged, calibrated, cast(0 as bigint) as n_reviewed,
               cast(null as double) as reviewed_rate, cast(null as double) as reviewed_low,
               cast(null as double) as reviewed_high, cast(null as bigint) as n_sampled,
               cast(null as bigint) as reviewed_labels
        from counted
        """
    )


# Expected errors of independent batches add up; so do their variances, taken back from the upper half of each interval:
# the lower one is cut at 0 wherever errors are rare. What was reviewed is added up when it is published.
OVERALL_ERROR_RATES = """
with summed as (
  select error_type, category_name, sum(labels)::bigint as labels, sum(findings)::bigint as findings,
         sum(expected_errors) as expected_errors, sum(expected_missing) as expected_missing,
         sqrt(sum(power((rate_high - rate) * (labels + expected_missing), 2))) as half_width,
         bool_and(judged) as judged, bool_and(calibrated) as calibrated, sum(n_reviewed)::bigint as n_reviewed
  from error_rates where judged group by all
), places as (
  select distinct error_type, category_name from error_rates
)
select p.error_type, p.category_name, coalesce(labels, 0) as labels, findings, expected_errors, expected_missing,
       expected_errors / nullif(labels + expected_missing, 0) as rate,
       greatest(expected_errors - half_width, 0) / nullif(labels + expected_missing, 0) as rate_low,
       least((expected_errors + half_width) / nullif(labels + expected_missing, 0), 1) as rate_high,
       coalesce(judged, false) as judged, coalesce(calibrated, false) as calibrated,
       coalesce(n_reviewed, 0) as n_reviewed, cast(null as double) as reviewed_rate,
       cast(null as double) as reviewed_low, cast(null as double) as reviewed_high,
       cast(null as bigint) as n_sampled, cast(null as bigint) as reviewed_labels
from places p left join summed s on s.error_type = p.error_type
  and s.category_name is not distinct from p.category_name
"""
