"""The review log as Dagster sees it: assets from outside, whose data version is the number of the last entry.

Verdicts come from people, so nothing here materialises `reviews` and `tags`. Whoever publishes copies them into the
database, and observes how far the log was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
import duckdb

from label_quality.assets.checks import judge_rates, report
from label_quality.assets.step import table_spec
from label_quality.reviews import attach, estimate_reviewed, reviewed_into
from label_quality.schema import TABLES
from label_quality.store import Reader, StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.store import BatchRun, Store

OF_THE_LOG = [table_spec(t.name, []) for t in TABLES.values() if t.from_log]


def add_reviewed(con: DuckDBPyConnection, store: Store, run: BatchRun) -> None:
    """Fill in what people have reviewed of the batch so far in ``new_error_rates``, so that its checks judge by that.

    `con` shows what the rates are made from. In the database it is brought up to date by each publication.
    """
    with closing(store.review_log()) as log:
        entries = log.entries()
    if not len(entries):
        return
    run.view(con, "images")
    attach(con, entries)
    estimate_reviewed(con)
    con.execute(reviewed_into("new_error_rates"))


def observe_reviews(context: dg.AssetExecutionContext, store: Store) -> None:
    """Record the log's last number as the data version of its tables, just before they are published."""
    with closing(store.review_log()) as log:
        last = log.last()
    tags = {"dagster/data_version": str(last)}
    for spec in OF_THE_LOG:
        context.log_event(dg.AssetObservation(spec.key, metadata={"entries": last}, tags=tags))


@contextmanager
def judged_again(context: dg.AssetExecutionContext, store: Store) -> Iterator[None]:
    """What is published in the block may hold verdicts that came after the rates were judged: their checks are told anew.

    Only of batches in which that changed a reviewed rate; the checks of a run's own batch have seen the log already.
    """
    before = _reviewed(store)
    yield
    after = _reviewed(store)
    for batch in sorted(before.keys() | after.keys()):
        rows = after.get(batch) or _rates(store, batch)
        if not rows or before.get(batch) == after.get(batch):
            continue
        report(context, judge_rates(batch, rows, store.settings.limits))


def _reviewed(store: Store) -> dict[str, list[dict[str, Any]]]:
    """The published rates of each batch whose sample has an answer."""
    rows = _query(
        store, "from error_rates semi join (from error_rates where n_sampled > 0) using (batch)", []
    )
    return {batch: list(some) for batch, some in groupby(rows, key=lambda r: str(r["batch"]))}


def _rates(store: Store, batch: str) -> list[dict[str, Any]]:
    return _query(store, "from error_rates where batch = ?", [batch])


def _query(store: Store, rows: str, values: list[str]) -> list[dict[str, Any]]:
    """Rows of rates in a fixed order; none before anything was published, or where the database is of another version."""
    try:
        with closing(Reader(store.database)) as reader:
            found = reader.connection().sql(
                f"{rows} order by batch, error_type, category_id", params=values
            )
            return cast("list[dict[str, Any]]", found.to_arrow_table().to_pylist())
    except (FileNotFoundError, StoreError, duckdb.BinderException, duckdb.CatalogException):
        return []
