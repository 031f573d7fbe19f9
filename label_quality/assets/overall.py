"""Results over all batches: computed from what is committed, under the publish lock, by the job `refresh` alone."""

from typing import Any

import dagster as dg

from label_quality.assets.metadata import rounded
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import one_sentence, table_spec
from label_quality.rates import OVERALL_ERROR_RATES


@dg.multi_asset(specs=[table_spec("overall_error_rates", ["error_rates"])])
def overall_error_rates(
    context: dg.AssetExecutionContext, store: StoreResource
) -> dg.MaterializeResult[Any]:
    """Label-error rates over all batches that were published."""
    with one_sentence():
        opened = store.open()
        with opened.connect() as con:
            opened.write_overall(con, {"overall_error_rates": OVERALL_ERROR_RATES})
            rows, rate = con.execute(
                f"""select count(*), max(rate) filter (error_type = 'any' and category_name is null)
                    from ({OVERALL_ERROR_RATES})"""
            ).fetchone()  # type: ignore[misc]
    metadata: dict[str, Any] = {"dagster/row_count": rows, "batches": len(opened.batches())}
    if rate is not None:
        metadata["label error rate"] = rounded(rate)
    return dg.MaterializeResult(metadata=metadata)
