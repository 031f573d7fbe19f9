"""The part of the data that errors are planted into: some images of some batches, so that the cost is bounded.

Read as the store shows it, copied into a database in memory. Nothing is planted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from label_quality.schema import TABLES
from label_quality.store.scan import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LABELS = 6_000
"""Labels of the sample at most, but for the rest of its last image."""

BATCHES = 4
"""Batches that they are taken from at most, the largest."""

READS = (
    "images",
    "categories",
    "annotations",
    "annotation_masks",
    "predictions",
    "prediction_masks",
    "prediction_overlaps",
)
_BY_IMAGE = ("images", "annotations", "predictions", "prediction_overlaps")

# Only batches with predictions can be planted into: without them nothing but duplicates would be found.
_LARGEST = f"""
with judged as (
  select distinct batch from models where predictions_kept > 0
)
select batch, count(*) as labels from annotations semi join judged using (batch)
where not iscrowd group by batch order by labels desc, batch limit {BATCHES}
"""


@dataclass(frozen=True)
class Part:
    """Some images of a batch: which, and how many labels they have."""

    batch: str
    images: int
    labels: int


def choose(con: DuckDBPyConnection, most: int = LABELS) -> list[Part]:
    """Choose images for `most` labels, evenly from the largest batches; leaves ``_sampled`` (batch, image_id) on `con`.

    Whole runs of images in the order of their ids, from a place that the batch's name gives: their rows lie together in the
    files. `con` shows the tables of all batches.
    """
    con.execute("create or replace temp table _sampled (batch varchar, image_id bigint)")
    batches = con.execute(_LARGEST).fetchall()
    parts, left = [], most
    for place, (batch, labels) in enumerate(sorted(batches, key=lambda b: b[1])):
        share = left / (len(batches) - place)
        con.execute(
            f"""
            insert into _sampled
            with counted as (
              select image_id, count(annotation_id) filter (not iscrowd) as labels
              from (select image_id from images where batch = {quoted(batch)}) left join
                   (select image_id, annotation_id, iscrowd from annotations where batch = {quoted(batch)}) using (image_id)
              group by image_id
            ), placed as (
              select image_id, labels, (row_number() over (order by image_id) + hash({quoted(batch)}) % 1000003)
                       % count(*) over () as place from counted
            ), summed as (
              select image_id, sum(labels) over (order by place rows unbounded preceding) - labels as before from placed
            )
            select {quoted(batch)}, image_id from summed where before < {share}
            """
        )
        rows = con.execute(
            f"""select count(distinct image_id), count(*) filter (not iscrowd) from annotations
                semi join _sampled using (batch, image_id) where batch = {quoted(batch)}"""
        ).fetchall()
        parts.append(Part(batch, *rows[0]))
        left -= min(labels, parts[-1].labels)
    return parts


@contextmanager
def opened(con: DuckDBPyConnection, part: Part) -> Iterator[DuckDBPyConnection]:
    """A database in memory that shows `READS` of the part. `con` is the one that it was chosen on."""
    threads = con.execute("select current_setting('threads')").fetchall()[0][0]
    where = f"where batch = {quoted(part.batch)}"
    with duckdb.connect(config={"threads": threads}) as copy:
        con.execute(
            f"create or replace temp view _of_part as select image_id from _sampled {where}"
        )
        for name in READS:
            columns = ", ".join(TABLES[name].column_names)
            chosen = _chosen(name)
            copy.register(
                "_rows", con.sql(f"select {columns} from {name} {chosen} {where}").to_arrow_table()
            )
            copy.execute(f"create table {name} as from _rows")
            copy.unregister("_rows")
        yield copy


def _chosen(table: str) -> str:
    """The join that leaves the sampled rows of a table."""
    if table in _BY_IMAGE:
        return "semi join _of_part using (image_id)"
    keys = {"annotation_masks": "annotation_id", "prediction_masks": "model, prediction_id"}.get(
        table
    )
    if keys is None:
        return ""
    of = "annotations" if table == "annotation_masks" else "predictions"
    return f"semi join (select batch, {keys} from {of} semi join _of_part using (image_id)) using (batch, {keys})"
