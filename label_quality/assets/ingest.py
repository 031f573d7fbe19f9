"""Ingest: the annotation file of a batch becomes images, categories, annotations, warnings and quarantine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from label_quality.assets.checks import (
    NOTHING_LOST,
    QUARANTINED_SHARE,
    nothing_lost,
    quarantined_share,
)
from label_quality.assets.metadata import markdown_table
from label_quality.assets.resources import INBOX_TAG, StoreResource
from label_quality.assets.step import Step, one_sentence, step, table_spec
from label_quality.coco import Labels, read_labels
from label_quality.inbox import find_delivery
from label_quality.store import StoreError

_TABLES = (
    "batches",
    "images",
    "categories",
    "annotations",
    "annotation_masks",
    "ingest_warnings",
    "quarantined_labels",
)


@dg.multi_asset(
    specs=[table_spec(table, []) for table in _TABLES],
    check_specs=[NOTHING_LOST, QUARANTINED_SHARE],
)
def ingest(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Read and validate the annotation file. What cannot be taken goes to quarantine with its reason."""
    _register(context, store)
    with step(context, store) as s:
        delivery = s.run.delivery
        s.say(f"reading {delivery.annotations_name}")
        with s.run.writer("annotation_masks") as write_masks:
            labels = read_labels(
                delivery.annotations,
                s.batch,
                images=delivery.images,
                header_threads=store.settings.image_header_threads,
                write_masks=write_masks,
                file_name=delivery.annotations_name,
            )
        yield from _write(s, labels)


def _register(context: dg.AssetExecutionContext, store: StoreResource) -> None:
    """A run that the sensor asked for takes the delivery out of the inbox; others find it registered."""
    folder = context.run.tags.get(INBOX_TAG)
    if not folder:
        return
    with one_sentence():
        opened = store.open()
        found = find_delivery(opened.settings.inbox_path / Path(folder).name)
        if isinstance(found, str):
            raise StoreError(f"the delivery {folder} of the inbox cannot be taken: {found}")
        opened.deliver(
            context.partition_key,
            found.annotations,
            images=found.images,
            predictions=found.predictions,
        )


def _write(s: Step, labels: Labels) -> Iterator[dg.MaterializeResult[Any]]:
    counts = labels.counts
    taken = {what: numbers[1] for what, numbers in counts.items()}
    yield s.result(
        "batches",
        s.run.write("batches", _batch_row(s, labels)),
        {**{f"{what} kept": n for what, n in taken.items()}, "reader": labels.reader},
        [
            nothing_lost("batches", counts),
            quarantined_share(counts, s.store.settings.limits.quarantined),
        ],
    )
    for table in ("images", "categories", "annotations"):
        yield s.result(table, s.run.write(table, getattr(labels, table)))
    yield s.result("annotation_masks", s.run.read("annotation_masks", ["annotation_id"]).num_rows)
    for table, column in (("ingest_warnings", "issue"), ("quarantined_labels", "reason")):
        data = getattr(labels, table)
        common = (
            data.group_by(column)
            .aggregate([([], "count_all")])
            .sort_by([("count_all", "descending")])
        )
        rows = [tuple(row.values()) for row in common.slice(0, 15).to_pylist()]
        yield s.result(
            table,
            s.run.write(table, data),
            {"most common": markdown_table((column, "records"), rows)},
        )


def _batch_row(s: Step, labels: Labels) -> pa.Table:
    delivery = s.run.delivery
    row: dict[str, object] = {
        "batch": s.batch,
        "file": delivery.annotations_name,
        "sha256": delivery.annotations.stem,
        "bytes": delivery.annotations.stat().st_size,
        "image_root": delivery.image_root,
        "images_checked": labels.images_checked,
        "reader": labels.reader,
        "run_id": s.run.run_id,
    }
    for what, numbers in labels.counts.items():
        row |= {
            f"{what}_{word}": n
            for word, n in zip(("read", "kept", "quarantined"), numbers, strict=True)
        }
    return pa.Table.from_pylist([row])
