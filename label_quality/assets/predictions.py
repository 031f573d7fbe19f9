"""Predictions: the results files of a batch, the union of all predictions, and the union of what was not taken."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa

from label_quality.assets.checks import (
    PREDICTIONS_NOTHING_LOST,
    RESULTS_TAKEN,
    nothing_lost,
    taken,
    told_if_untaken,
)
from label_quality.assets.metadata import markdown_table
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import Step, step, table_spec, take_from_inbox
from label_quality.coco import read_predictions
from label_quality.schema import TABLES

_FROM_LABELS = ["images", "categories"]
_TABLES = (
    "imported_models",
    "imported_predictions",
    "imported_prediction_masks",
    "quarantined_predictions",
)
_UNIONS = ("models", "predictions", "prediction_masks")
SIMULATED = "simulated"


@dg.multi_asset(
    specs=[table_spec(table, _FROM_LABELS) for table in _TABLES], check_specs=[RESULTS_TAKEN]
)
def import_predictions(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Read and validate the results file of each model. A model whose name says simulated is marked so."""
    yield from told_if_untaken(RESULTS_TAKEN, store, _import(context, store))


def _import(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    # A run that was asked for because of new results alone begins here.
    if dg.AssetKey("batches") not in (context.run.asset_selection or {dg.AssetKey("batches")}):
        take_from_inbox(context, store)
    with step(context, store) as s:
        models, refused = _read_all(s)
        counts = {str(m["model"]): int(m["predictions_kept"]) for m in models}
        rows = pa.Table.from_pylist(models, schema=TABLES["imported_models"].arrow_schema())
        kept = sum(counts.values())
        yield s.result(
            "imported_models",
            s.run.write("imported_models", rows),
            {"predictions kept": kept},
            [taken(RESULTS_TAKEN)],
        )
        by_model = markdown_table(("model", "kept"), list(counts.items()))
        yield s.result("imported_predictions", kept, {"by model": by_model})
        masks = s.run.rows("imported_prediction_masks")
        yield s.result("imported_prediction_masks", masks)
        yield s.result("quarantined_predictions", refused)


def _read_all(s: Step) -> tuple[list[dict[str, Any]], int]:
    images, categories = s.run.read("images"), s.run.read("categories")
    models, refused = [], 0
    with (
        s.run.writer("imported_predictions") as write,
        s.run.writer("imported_prediction_masks") as write_masks,
        s.run.writer("quarantined_predictions") as write_quarantine,
    ):
        for model, file in s.run.delivery.predictions.items():
            s.say(f"reading {file.name}")
            read = read_predictions(
                file.path,
                s.batch,
                model,
                images=images,
                categories=categories,
                write=write,
                write_masks=write_masks,
                file_name=file.name,
            )
            write_quarantine(read.quarantined)
            refused += read.quarantined_count
            models.append(
                {
                    "batch": s.batch,
                    "model": model,
                    "file": file.name,
                    "sha256": file.sha256,
                    "simulated": SIMULATED in model.lower(),
                    "saw_labels": s.store.settings.saw_labels(model, s.batch),
                    "predictions_read": read.read,
                    "predictions_kept": read.kept,
                    "predictions_quarantined": read.quarantined_count,
                    "reader": read.reader,
                }
            )
    return models, refused


@dg.multi_asset(
    specs=[table_spec(table, [*TABLES[table].union_of]) for table in _UNIONS],
    check_specs=[PREDICTIONS_NOTHING_LOST],
)
def predictions(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """The union of all sources of predictions. With one source it is that source's file."""
    with step(context, store) as s:
        for table in _UNIONS:
            rows = _union(s, table)
            yield s.result(table, rows, checks=[_nothing_lost(s)] if table == "models" else None)


def _union(s: Step, table: str) -> int:
    imported, inferred = TABLES[table].union_of
    if not s.run.rows(inferred):
        return s.run.link(table, imported)
    if not s.run.rows(imported):
        return s.run.link(table, inferred)
    s.run.view(s.con, imported, inferred)
    return s.run.write_sql(s.con, table, f"from {imported} union all by name from {inferred}")


def _nothing_lost(s: Step) -> dg.AssetCheckResult:
    columns = ["model", *(f"predictions_{state}" for state in ("read", "kept", "quarantined"))]
    rows = s.run.read("models", columns).to_pylist()
    return nothing_lost(
        "models", {m: (r, k, q) for m, r, k, q in (tuple(x.values()) for x in rows)}
    )


@dg.multi_asset(specs=[table_spec("quarantine", ["quarantined_labels", "quarantined_predictions"])])
def quarantine(
    context: dg.AssetExecutionContext, store: StoreResource
) -> dg.MaterializeResult[Any]:
    """Everything that was not taken, of labels and predictions."""
    with step(context, store) as s:
        s.run.view(s.con, "quarantined_labels", "quarantined_predictions")
        rows = s.run.write_sql(
            s.con,
            "quarantine",
            "select * from quarantined_labels union all by name select * from quarantined_predictions",
        )
        common = s.con.execute(
            """select reason, count(*) from (from quarantined_labels union all by name from quarantined_predictions)
               group by all order by 2 desc, 1 limit 15"""
        ).fetchall()
        return s.result(
            "quarantine", rows, {"most common": markdown_table(("reason", "records"), common)}
        )
