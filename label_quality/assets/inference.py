"""Inference: Mask R-CNN on the images of a batch, what it says about each label, and which labels look alike to it.

Without a configured model, torch, weights or images the tables are empty, and one sentence says why.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from label_quality.assets.metadata import markdown_table, rounded
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import Step, step, table_spec
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from label_quality.inference.build import Report

_FROM_IMAGES = ["images", "categories"]
_FROM_LABELS = ["images", "categories", "annotations", "annotation_masks"]
_STREAMED = ("inferred_predictions", "inferred_prediction_masks", "label_probes", "label_features")
_NO_MODEL = "no model is configured ([inference] models in label_quality.toml, docs/inference.md)"


@dg.multi_asset(
    specs=[
        *(table_spec(t, _FROM_IMAGES) for t in (*_STREAMED[:2], "inferred_models")),
        *(table_spec(t, _FROM_LABELS) for t in (*_STREAMED[2:], "label_neighbours")),
    ],
    # What fails here by chance fails on a device; a run that is tried again goes on at the last finished chunk.
    retry_policy=dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL),
    pool="gpu",
)
def inference(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Predictions of the configured models, and their answers about each label."""
    with step(context, store) as s:
        configured = bool(s.store.settings.inference.models)
        reports = _run(s) if configured else _nothing(s)
        table = pa.Table.from_pylist(
            [_model_row(s, r) for r in reports if r.predictions],
            schema=TABLES["inferred_models"].arrow_schema(),
        )
        metadata = _metadata(reports) if configured else {"not run": _NO_MODEL}
        yield s.result("inferred_models", s.run.write("inferred_models", table), metadata)
        with s.run.writer("label_neighbours") as write:
            for rows in _neighbours(s):
                write(rows)
        for name in (*_STREAMED, "label_neighbours"):
            yield s.result(name, s.run.rows(name), {} if configured else {"not run": _NO_MODEL})


def _nothing(s: Step) -> list["Report"]:
    for table in _STREAMED:
        s.run.write(table, TABLES[table].arrow_schema().empty_table())
    return []


def _run(s: Step) -> list["Report"]:
    from label_quality.inference.build import Place, build_inference

    s.run.view(s.con, *_FROM_LABELS)
    delivery = s.run.delivery
    place = Place(
        s.batch, delivery.images, s.store.inference_folder(s.batch), set(delivery.predictions)
    )
    with ExitStack() as stack:
        write = {table: stack.enter_context(s.run.writer(table)) for table in _STREAMED}
        return build_inference(s.con, place, s.store.settings, write, s.say)


def _neighbours(s: Step) -> Iterator[pa.Table]:
    if not s.run.rows("label_features"):
        return
    from label_quality.inference.neighbours import build_neighbours

    s.say("looking for labels that look alike")
    s.run.view(s.con, "label_features", "annotations")
    yield from build_neighbours(s.con, s.batch)


def _model_row(s: Step, report: "Report") -> dict[str, Any]:
    assert report.weights is not None
    return {
        "batch": s.batch,
        "model": report.model,
        "file": report.weights.name,
        "sha256": report.weights.sha256,
        "simulated": False,
        "saw_labels": s.store.settings.saw_labels(report.model, s.batch),
        "predictions_read": report.predictions,
        "predictions_kept": report.predictions,
        "predictions_quarantined": 0,
        "reader": "inference",
    }


def _metadata(reports: list["Report"]) -> dict[str, Any]:
    """Numbers of what was run, and in words what was not."""
    out: dict[str, Any] = {}
    notes = [f"{r.model}: {r.note}" for r in reports if r.note]
    if notes:
        out["not run"] = "; ".join(notes)
    columns = ("model", "images", "run now", "images a second", "predictions", "labels asked about")
    out["models"] = markdown_table(
        columns,
        [
            (
                *(r.model, r.images, r.images_run),
                rounded(r.images_run / r.seconds, 2) if r.seconds else None,
                *(r.predictions, r.probes),
            )
            for r in reports
        ],
    )
    unmapped = [
        (
            r.model,
            ", ".join(r.mapped.of_model),
            r.unmapped_predictions,
            ", ".join(r.mapped.of_dataset),
        )
        for r in reports
        if r.mapped and (r.mapped.of_model or r.mapped.of_dataset)
    ]
    if unmapped:
        head = (
            "model",
            "its classes that the batch lacks",
            "their predictions",
            "categories it lacks",
        )
        out["categories that do not map"] = markdown_table(head, unmapped)
    unreadable = [(r.model, *item) for r in reports for item in sorted(r.unreadable.items())[:15]]
    if unreadable:
        out["not readable"] = markdown_table(("model", "file", "reason"), unreadable)
    return out
