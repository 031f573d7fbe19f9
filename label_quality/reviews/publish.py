"""The verdicts and tags as they are published: the tables `reviews` and `tags`, and the number reviewed beside each rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.reviews.attach import attach
from label_quality.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


def publish_reviews(con: DuckDBPyConnection, entries: pa.Table) -> None:
    """Replace the rows of ``reviews`` and ``tags``, and ``n_reviewed`` in the tables of rates, in the current database.

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
