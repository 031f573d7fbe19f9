"""The random sample for review: which labels people are asked about, so that error rates can be measured and not only estimated."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from label_quality.assets.metadata import markdown_table
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import step, table_spec
from label_quality.rates import draw_sample

_READS = ["finding_scores", "annotations"]


@dg.multi_asset(specs=[table_spec("review_strata", _READS), table_spec("review_sample", _READS)])
def review_sample(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Labels and suspected missing ones drawn at random, stratum by stratum; the queue asks about them in between."""
    with step(context, store) as s:
        s.run.view(s.con, *_READS)
        draw_sample(s.con, s.store.settings.sample)
        strata = s.run.write_sql(s.con, "review_strata", "select * from new_review_strata")
        yield s.result("review_strata", strata)
        rows = s.run.write_sql(s.con, "review_sample", "select * from new_review_sample")
        drawn = s.con.execute(
            """select stratum, any_value(units), count(*) from new_review_sample
               group by stratum order by any_value(units) desc, stratum"""
        ).fetchall()
        table = markdown_table(("stratum", "labels or findings", "drawn"), drawn)
        yield s.result("review_sample", rows, {"strata": table})
