"""The verdicts and tags as they are published: the tables `reviews` and `tags`, and what was reviewed beside each rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.reviews.attach import attach
from label_quality.reviews.estimate import estimate_reviewed
from label_quality.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

REVIEWED = ("reviewed_rate", "reviewed_low", "reviewed_high", "n_sampled", "reviewed_labels")
"""The columns of the tables of rates that are about what was reviewed."""


def publish_reviews(con: DuckDBPyConnection, entries: pa.Table) -> None:
    """Replace the rows of ``reviews`` and ``tags``, and what was reviewed in the tables of rates, in the current database.

    Args:
        con: its current catalog is a database with all published tables, those of batches filled.
        entries: the whole log, as ``ReviewLog.entries()`` gives it.
    """
    attach(con, entries)
    con.register("_entries", entries)
    for table, sql in (("reviews", _REVIEWS), ("tags", "from _tags")):
        columns = ", ".join(f'"{c}"' for c in TABLES[table].column_names)
        con.execute(f"delete from {table}")
        con.execute(f"insert into {table} select {columns} from ({sql})")
    con.unregister("_entries")
    con.execute(_COUNT)
    con.execute(_COUNT_OVERALL)
    estimate_reviewed(con)
    con.execute(reviewed_into("error_rates"))
    con.execute(_REVIEWED_OVERALL)
    con.execute("drop table _reviewed")
    con.execute("drop table _verdicts")
    con.execute("drop table _tags")


_REVIEWS = """
select e.*, v.seq is not null as standing, attached_annotation_id, attached_finding_id,
       coalesce(applied, false) as applied, coalesce(superseded, false) as superseded,
       coalesce(disagreement, false) as disagreement
from _entries e
left join (select seq, attached_annotation_id, attached_finding_id, applied, superseded, disagreement from _verdicts) v
  using (seq)
where e.action = 'verdict'
order by e.seq
"""
# A thing that two people judged counts once; what is no longer there does not.
_COUNT = """
with things as (
  select distinct batch, error_type, category_id,
         coalesce('label ' || coalesce(attached_annotation_id, annotation_id), attached_finding_id, 'drawn ' || seq) as thing
  from _verdicts where not superseded
), counts as (
  select batch, coalesce(error_type, 'any') as error_type, category_id, count(distinct thing) as n
  from things where error_type is not null group by grouping sets ((batch, error_type, category_id), (batch, error_type))
  union all
  select batch, 'any', category_id, count(distinct thing) as n
  from things group by grouping sets ((batch, category_id), (batch))
), told as (
  select r.rowid as row, coalesce(c.n, 0) as n
  from error_rates r left join counts c on c.batch = r.batch and c.error_type = r.error_type
    and c.category_id is not distinct from r.category_id
  where r.n_reviewed <> coalesce(c.n, 0)
)
update error_rates set n_reviewed = told.n from told where error_rates.rowid = told.row
"""
_COUNT_OVERALL = """
with told as (
  select o.rowid as row, sum(r.n_reviewed)::bigint as n
  from overall_error_rates o join error_rates r
    on r.error_type = o.error_type and r.category_name is not distinct from o.category_name
  where r.judged
  group by o.rowid, o.n_reviewed having o.n_reviewed <> sum(r.n_reviewed)
)
update overall_error_rates set n_reviewed = told.n from told where overall_error_rates.rowid = told.row
"""


def reviewed_into(rates: str) -> str:
    """UPDATE of the columns about what was reviewed in a table like ``error_rates``, from ``_reviewed``; NULL where it has none."""
    return f"""
with told as (
  select r.rowid as row, {", ".join(f"n.{c}" for c in REVIEWED)}
  from {rates} r left join _reviewed n on n.batch = r.batch and n.error_type = r.error_type
    and n.category_id is not distinct from r.category_id
  where {_differ("r", "n")}
)
update {rates} set {_SET} from told where {rates}.rowid = told.row"""


def _differ(a: str, b: str) -> str:
    return " or ".join(f"{a}.{c} is distinct from {b}.{c}" for c in REVIEWED)


_SET = ", ".join(f"{c} = told.{c}" for c in REVIEWED)


def reviewed_overall(rates: str) -> str:
    """SELECT of what was reviewed over all batches by error_type and category_name, from rows like ``error_rates``.

    Batches are independent: errors add up, and so do the squares of the distances to either limit. It is about the batches
    that have a reviewed rate; each counts by its labels and missing ones, labels / (1 - rate of missing ones).
    """
    return f"""
with rates as (select * from {rates} where n_sampled is not null),
weighed as (
  select r.*, r.reviewed_labels / nullif(1 - coalesce(m.reviewed_rate, 0), 0) as whole
  from rates r left join rates m on m.error_type = 'missing' and m.batch = r.batch
    and m.category_id is not distinct from r.category_id
)
select error_type, category_name, sum(whole * reviewed_rate order by batch) / sum(whole order by batch) as reviewed_rate,
       greatest(sum(whole * reviewed_rate order by batch) - sqrt(sum(power(whole * (reviewed_rate - reviewed_low), 2) order by batch)), 0) / sum(whole order by batch)
         as reviewed_low,
       least((sum(whole * reviewed_rate order by batch) + sqrt(sum(power(whole * (reviewed_high - reviewed_rate), 2) order by batch))) / sum(whole order by batch), 1)
         as reviewed_high,
       coalesce(sum(n_sampled) filter (reviewed_rate is not null), sum(n_sampled))::bigint as n_sampled,
       sum(reviewed_labels)::bigint as reviewed_labels
from weighed group by error_type, category_name"""


_REVIEWED_OVERALL = f"""
with told as (
  select o.rowid as row, {", ".join(f"n.{c}" for c in REVIEWED)}
  from overall_error_rates o left join ({reviewed_overall("error_rates")}) n
    on n.error_type = o.error_type and n.category_name is not distinct from o.category_name
  where {_differ("o", "n")}
)
update overall_error_rates set {_SET} from told where overall_error_rates.rowid = told.row
"""
