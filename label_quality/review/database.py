"""What the pages read: the published database as it is now, with the review log joined live.

Each published file gets, once, what the pages need beyond it, as tables of a database in memory beside it, ``live``:

- queue: one row per finding, with what the queue filters and sorts by
- sample: one row per label or finding of the random sample, in the order in which they are asked
- verdicts, tags: what ``reviews.attach`` makes of the log, made again whenever the log has grown
- reviewed, reviewed_overall: rates by the answers of the random sample, as publishing computes them
- decided: one row per finding that somebody decided; tagged: one per finding (`row`) and tag of its image, label or prediction

A publish while the server runs, and what somebody else decided, are seen by the next request.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from label_quality.reviews import REVIEWED, attach, estimate_reviewed, reviewed_overall
from label_quality.settings import Settings
from label_quality.store import Reader, Store, StoreError

Row = dict[str, Any]
Values = Sequence[object] | Mapping[str, object]

# `row` and `picture`, places in their tables, find the finding and its image again, and are quick to join by.
# `model_score` is the prediction's own score, `confidence` the calibrated one.
_QUEUE = """
create or replace table live.queue as
select f.rowid as "row", i.rowid as picture, f.batch, f.finding_id, f.error_type, f.image_id, f.annotation_id, f.model,
       f.prediction_id, f.p_error, f.confidence, p.score as model_score, f.iou, f.width * f.height as area,
       c.name as category, s.name as suggested_category, o.outcome, o.reason as outcome_reason
from findings f
join images i on i.batch = f.batch and i.image_id = f.image_id
left join categories c on c.batch = f.batch and c.category_id = f.category_id
left join categories s on s.batch = f.batch and s.category_id = f.suggested_category_id
left join predictions p on p.batch = f.batch and p.model = f.model and p.prediction_id = f.prediction_id
left join prediction_outcomes o on o.batch = f.batch and o.model = f.model and o.prediction_id = f.prediction_id
  and o.iou_type = 'bbox'
"""
# Counting by what has few values is four times as fast when they are numbers inside.
_FEW_VALUES = ("error_type", "batch", "model", "category", "outcome")
_SAMPLE = """
create or replace table live.sample as
select batch, draw, image_id, annotation_id, finding_id, row_number() over (order by number, batch) as place from review_sample
"""
_STATE = """
create or replace table live.state as
select left(coalesce(md5(string_agg(batch || run_id || committed_at, '|' order by batch)), ''), 12) as generation,
       -1::bigint as seq
from _published
"""
_DECIDED = """
create or replace table live.decided as
with standing as (
  select batch, attached_finding_id as finding_id, arg_max(verdict, seq) as status, max(seq) as seq,
         arg_max(coalesce(sample, ''), seq) <> '' as sampled,
         bool_or(disagreement) as disagreement,
         list({'author': author, 'verdict': verdict, 'seq': seq, 'at': "at", 'note': note, 'fix': fix} order by seq) as verdicts
  from live.verdicts where attached_finding_id is not null group by all
)
select q."row", s.* from standing s join live.queue q using (batch, finding_id)
"""
_REVIEWED = f"""
create or replace table live.reviewed as
select e.batch, e.error_type, e.category_id, e.category_name, {", ".join(f"n.{c}" for c in REVIEWED)}
from error_rates e join _reviewed n on n.batch = e.batch and n.error_type = e.error_type
  and n.category_id is not distinct from e.category_id
"""
_REVIEWED_OVERALL = (
    f"create or replace table live.reviewed_overall as {reviewed_overall('live.reviewed')}"
)
_TAGGED = """
create or replace table live.tagged as
select distinct q."row", t.tag
from live.queue q join live.tags t on t.batch = q.batch and t.image_id = q.image_id
where t.kind = 'image' or (t.kind = 'annotation' and t.annotation_id = q.annotation_id)
   or (t.kind = 'prediction' and t.model = q.model and t.prediction_id = q.prediction_id)
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
    """The published database of a root and its review log, for many threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.root_path, settings)
        self.log = self.store.review_log()
        self._reader = Reader(self.store.database, settings.duckdb.memory_limit)
        self._preparing = threading.Lock()

    @contextlib.contextmanager
    def view(self) -> Iterator[View]:
        """The file as it is now, whatever is published while the block runs. FileNotFoundError before the first publish."""
        con = self._reader.connection()
        try:
            yield View(con, self._brought_up_to_date(con))
        finally:
            con.close()

    def warm(self) -> None:
        """Have ready what the first request would wait for; what is wrong is said to that request."""
        with contextlib.suppress(FileNotFoundError, StoreError), self.view():
            pass

    def close(self) -> None:
        """Let go of the file and the log."""
        self._reader.close()
        self.log.close()

    def _brought_up_to_date(self, con: duckdb.DuckDBPyConnection) -> str:
        last = self.log.last()
        state = _state(con)
        if state is None or state[1] != last:
            with self._preparing:
                state = _state(con) or _prepare(con)
                if state[1] < last:
                    self._join_log(con)
        return state[0]

    def _join_log(self, con: duckdb.DuckDBPyConnection) -> None:
        entries = self.log.entries()
        seq = entries["seq"][-1].as_py() if entries.num_rows else 0
        attach(con, entries)
        con.execute("begin")
        for table in ("verdicts", "tags"):
            con.execute(f"create or replace table live.{table} as from _{table}")
            con.execute(f"drop table _{table}")
        con.execute(_DECIDED)
        estimate_reviewed(con, "live.verdicts")
        con.execute(_REVIEWED)
        con.execute(_REVIEWED_OVERALL)
        con.execute("drop table _reviewed")
        con.execute(_TAGGED)
        con.execute("update live.state set seq = ?", [seq])
        con.execute("commit")


def _state(con: duckdb.DuckDBPyConnection) -> tuple[str, int] | None:
    """Which published state the tables in memory belong to, and up to which entry of the log; None before they are made."""
    try:
        ((generation, seq),) = con.execute("select generation, seq from live.state").fetchall()
    except duckdb.CatalogException:
        return None
    return str(generation), int(seq)


def _prepare(con: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    con.execute("attach if not exists ':memory:' as live (read_write)")
    con.execute(_QUEUE)
    for column in _FEW_VALUES:
        kind = f"live.{column}_names"
        con.execute(f"drop type if exists {kind}")
        con.execute(
            f"""create type {kind} as enum (
                  select distinct {column} from live.queue where {column} is not null union select '' order by 1)"""
        )
    narrowed = ", ".join(f"{c}::live.{c}_names as {c}" for c in _FEW_VALUES)
    con.execute(
        f"create or replace table live.queue as select * replace ({narrowed}) from live.queue"
    )
    con.execute(_SAMPLE)
    con.execute(_STATE)
    state = _state(con)
    assert state is not None
    return state
