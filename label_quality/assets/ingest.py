"""Ingest: the annotation file of a batch becomes images, categories, annotations, warnings and quarantine."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa

from label_quality.assets.checks import (
    DELIVERY_TAKEN,
    NOTHING_LOST,
    QUARANTINED_SHARE,
    nothing_lost,
    quarantined_share,
    taken,
    told_if_untaken,
)
from label_quality.assets.metadata import markdown_table
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import Step, step, table_spec, take_from_inbox
from label_quality.coco import Labels, read_labels

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
    check_specs=[DELIVERY_TAKEN, NOTHING_LOST, QUARANTINED_SHARE],
)
def ingest(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Read and validate the annotation file. What cannot be taken goes to quarantine with its reason."""
    yield from told_if_untaken(DELIVERY_TAKEN, store, _ingest(context, store))


def _ingest(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    take_from_inbox(context, store)
    with step(context, store) as s:
        yield from _write(s, _read(s))


def _read(s: Step) -> Labels:
    delivery = s.run.delivery
    s.say(f"reading {delivery.annotations_name}")
    with s.run.writer("annotation_masks") as write_masks:
        return read_labels(
            delivery.annotations,
            s.batch,
            images=delivery.images,
            header_threads=s.store.settings.image_header_threads,
            write_masks=write_masks,
            file_name=delivery.annotations_name,
        )


def _write(s: Step, labels: Labels) -> Iterator[dg.MaterializeResult[Any]]:
    counts = labels.counts
    kept = {f"{what} kept": numbers[1] for what, numbers in counts.items()}
    yield s.result(
        "batches",
        s.run.write("batches", _batch_row(s, labels)),
        {**kept, "reader": labels.reader},
        [
            taken(DELIVERY_TAKEN),
            nothing_lost("batches", counts),
            quarantined_share(counts, s.store.settings.limits.quarantined),
        ],
    )
    for table in ("images", "categories", "annotations"):
        yield s.result(table, s.run.write(table, getattr(labels, table)))
    yield s.result("annotation_masks", s.run.rows("annotation_masks"))
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
