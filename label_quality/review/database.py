"""What the pages read: the published database as it is now, with the review log joined live.

Each published file gets, once, what the pages need beyond it, as tables of a database in memory beside it (``live``): see
``queue_sql``. A publish while the server runs is seen by the next request.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from label_quality.settings import Settings
from label_quality.store import Reader, Store

Row = dict[str, Any]
Values = Sequence[object] | Mapping[str, object]

# One row per finding: what the queue filters and sorts by. `row` finds the finding itself again.
_QUEUE = """
create table live.queue as
select f.rowid as "row", f.batch, f.finding_id, f.error_type, f.image_id, f.annotation_id, f.model, f.prediction_id,
       f.p_error, f.confidence, p.score as model_score, f.iou, f.width * f.height as area,
       c.name as category, s.name as suggested_category, o.outcome, o.reason as outcome_reason
from findings f
left join categories c on c.batch = f.batch and c.category_id = f.category_id
left join categories s on s.batch = f.batch and s.category_id = f.suggested_category_id
left join predictions p on p.batch = f.batch and p.model = f.model and p.prediction_id = f.prediction_id
left join prediction_outcomes o on o.batch = f.batch and o.model = f.model and o.prediction_id = f.prediction_id
  and o.iou_type = 'bbox'
order by f.p_error desc, f.batch, f.finding_id
"""


@dataclass(frozen=True)
class View:
    """The database as one request sees it. `generation` changes when something else was published."""

    con: duckdb.DuckDBPyConnection
    generation: str

    def rows(self, sql: str, values: Values | None = None) -> list[Row]:
        """The rows of a query as dictionaries."""
        cursor = self.con.execute(sql, values)
        names = [d[0] for d in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, values: Values | None = None) -> Row | None:
        """The first row of a query, None where there is none."""
        return next(iter(self.rows(sql, values)), None)


class Published:
    """The published database of a root, for many threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.root_path, settings)
        self._reader = Reader(self.store.database, settings.duckdb.memory_limit)
        self._preparing = threading.Lock()

    @contextmanager
    def view(self) -> Iterator[View]:
        """The database as it is now; it stays so while the block runs. FileNotFoundError before the first publish."""
        con = self._reader.connection()
        try:
            yield View(con, self._prepared(con))
        finally:
            con.close()

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def _prepared(self, con: duckdb.DuckDBPyConnection) -> str:
        generation = _generation(con)
        if generation is None:
            with self._preparing:
                generation = _generation(con) or _prepare(con)
        return generation


def _generation(con: duckdb.DuckDBPyConnection) -> str | None:
    """What this file was prepared under; None where it has not been."""
    found = con.execute(
        "select comment from duckdb_tables() where database_name = 'live' and table_name = 'ready'"
    ).fetchone()
    return None if found is None else str(found[0])


def _prepare(con: duckdb.DuckDBPyConnection) -> str:
    con.execute("attach if not exists ':memory:' as live (read_write)")
    con.execute("drop table if exists live.queue")
    con.execute(_QUEUE)
    ((state,),) = con.execute(
        "select md5(string_agg(batch || run_id || committed_at, '|' order by batch)) from _published"
    ).fetchall()
    con.execute("create or replace table live.ready as select 1 as ready")
    con.execute(f"comment on table live.ready is '{str(state)[:12]}'")
    return str(state)[:12]
