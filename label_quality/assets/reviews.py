"""The review log as Dagster sees it: assets from outside, whose data version is the number of the last entry.

Verdicts come from people, so nothing here materialises `reviews` and `tags`. Whoever publishes copies them into the
database, and observes how far the log was.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import dagster as dg

from label_quality.assets.step import table_spec
from label_quality.reviews import attach, estimate_reviewed, reviewed_into
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from label_quality.assets.step import Step
    from label_quality.store import Store

OF_THE_LOG = [table_spec(t.name, []) for t in TABLES.values() if t.from_log]


def add_reviewed(s: Step) -> None:
    """Fill in what people have reviewed of the batch so far in ``new_error_rates``, so that its checks judge by that.

    The step's connection shows what the rates are made from. In the database it is brought up to date by each publication.
    """
    with closing(s.store.review_log()) as log:
        entries = log.entries()
    if not len(entries):
        return
    s.run.view(s.con, "images")
    attach(s.con, entries)
    estimate_reviewed(s.con)
    s.con.execute(reviewed_into("new_error_rates"))


def observe_reviews(context: dg.AssetExecutionContext, store: Store) -> None:
    """Record the log's last number as the data version of its tables, just before they are published."""
    with closing(store.review_log()) as log:
        last = log.last()
    tags = {"dagster/data_version": str(last)}
    for spec in OF_THE_LOG:
        context.log_event(dg.AssetObservation(spec.key, metadata={"entries": last}, tags=tags))
