"""Publish: the run's tables become the batch's state, and the database is brought in step with it."""

from typing import Any

import dagster as dg

from label_quality.assets.resources import BATCHES, StoreResource
from label_quality.assets.reviews import OF_THE_LOG, judged_again, observe_reviews
from label_quality.assets.step import BESIDE_THE_DATABASE, CODE_VERSION, OWNERS, step
from label_quality.schema import TABLES


@dg.asset(
    deps=[*(t.name for t in TABLES.values() if t.per_batch), *OF_THE_LOG],
    partitions_def=BATCHES,
    group_name="publish",
    kinds={"duckdb"},
    op_tags=BESIDE_THE_DATABASE,
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="label_quality.duckdb, brought in step with what the batches have committed.",
)
def publish(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult[Any]:
    """Commit the tables that belong together, then rewrite the database beside the old one and swap."""
    with step(context, store) as s:
        s.say("publishing")
        s.store.commit(s.batch, context.run.run_id)
        observe_reviews(context, s.store)
        with judged_again(context, s.store):
            done = s.store.publish()
        s.store.purge(s.batch)
        size = s.store.database.stat().st_size
        return dg.MaterializeResult(
            metadata={
                "database": s.store.database.name,
                "megabytes": round(size / 1e6, 2),
                "batches": len(s.store.batches()),
                "seconds": s.seconds,
                "seconds by table": {n: round(t, 3) for n, t in done.seconds.items()},
            }
        )
