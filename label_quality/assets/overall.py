"""Results over all batches: computed from what is committed, under the publish lock, by the job `refresh` alone.

One step makes all of them, so that they are of one state and the database is rewritten once.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from label_quality.assets.calibration import CALIBRATION, Calibrating
from label_quality.assets.part import Part
from label_quality.assets.parts import ACCOUNTS, PARTS
from label_quality.assets.resources import StoreResource
from label_quality.assets.reviews import judged_again, observe_reviews
from label_quality.assets.step import BESIDE_THE_DATABASE, one_sentence, table_spec, tell
from label_quality.store.accounts import accounts_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dg.multi_asset(
    specs=[
        table_spec(table, part.reads) for part in (CALIBRATION, *PARTS) for table in part.tables
    ],
    can_subset=True,
    op_tags=BESIDE_THE_DATABASE,
)
def overall(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Everything over all batches that were published."""
    asked = {key.to_user_string() for key in context.selected_asset_keys}
    with one_sentence():
        opened = store.open()
        calibrating = Calibrating(context, opened)
        parts = [calibrating.part, *PARTS]
        chosen = [_Timed(context, part) for part in parts if asked & part.tables.keys()]
        observe_reviews(context, opened)
        with opened.connect() as con:
            con.register(ACCOUNTS, accounts_table(opened.accounts()))
            first = calibrating if asked & CALIBRATION.tables.keys() else None
            with judged_again(context, opened):
                written = opened.write_overall(con, chosen, first).seconds
            batches = len(opened.batches())
            for timed in chosen:
                seconds = {"seconds": timed.seconds}  # of the part: beside its first table alone
                for table in (t for t in timed.part.tables if t in asked):
                    rows = con.execute(f'select count(*) from "{table}"').fetchone()[0]  # type: ignore[index]
                    shown = timed.part.tables[table](con, rows)
                    yield dg.MaterializeResult(
                        asset_key=table,
                        metadata={
                            "dagster/row_count": rows,
                            "batches": batches,
                            **seconds,
                            "seconds to write": round(written.get(table, 0.0), 3),
                            **shown,
                        },
                    )
                    seconds = {}


@dataclass
class _Timed:
    """A part's `build`, which tells that it begins and remembers how long it took."""

    context: dg.AssetExecutionContext
    part: Part
    seconds: float = field(default=0.0, init=False)

    def __call__(self, con: "DuckDBPyConnection") -> Mapping[str, str]:
        tell(self.context, self.part.says)
        start = time.perf_counter()
        made = self.part.build(con)
        self.seconds = round(self.part.seconds() + time.perf_counter() - start, 3)
        return made
