"""A small published root that exports start from: a real delivery, read by the real reader, with findings made by hand."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from label_quality.coco import read_labels
from label_quality.exports import Result, Source, found, open_source
from label_quality.reviews import content_hash
from label_quality.schema import TABLES
from label_quality.store import Store
from label_quality.store.entries import Entry

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from store_rows import rows

Record = dict[str, Any]
BATCH = "b"
BOX = ("x", "y", "width", "height")
READ = ("images", "categories", "annotations", "ingest_warnings", "quarantined_labels")


def publish(
    root: Path,
    document: Record | str,
    findings: list[Record] = [],  # noqa: B006
    prediction_masks: list[Record] = [],  # noqa: B006
) -> Store:
    """Deliver the document as batch b, read it, and publish it with these findings; columns not given hold NULL or a constant."""
    store = Store(root / "root")
    store.root.mkdir(exist_ok=True)
    file = root / "labels.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    delivery = store.deliver(BATCH, file)
    run = store.run(BATCH, f"r{len(list(store.root.glob('deliveries/*.json')))}")
    with run.writer("annotation_masks") as write:
        labels = read_labels(delivery.annotations, BATCH, write_masks=write)
    for name in READ:
        run.write(name, getattr(labels, name))
    sha256 = delivery.annotations.stem
    run.write("batches", rows("batches", BATCH, file=["labels.json"], sha256=[sha256]))
    run.write("findings", table("findings", findings))
    run.write("prediction_masks", table("prediction_masks", prediction_masks))
    made = {*READ, "batches", "annotation_masks", "findings", "prediction_masks"}
    for name in (n for n, t in TABLES.items() if t.per_batch and n not in made):
        run.write(name, rows(name, BATCH, n=0))
    store.commit(BATCH, run.run_id)
    store.publish()
    return store


def table(name: str, records: list[Record]) -> Any:
    keys = {k for r in records for k in r} - {"batch"}  # which is put in by itself
    columns = {k: [r.get(k) for r in records] for k in sorted(keys)}
    return rows(name, BATCH, n=len(records), **columns)


def decide(store: Store, annotation_id: int | None, box: Any = None, **fields: Any) -> Entry:
    """Append a verdict about a label as it is published, or about no label and this box."""
    about: Record = {"author": "ann", "batch": BATCH, "image_id": 1, "error_type": "missing"}
    if annotation_id is not None:
        with open_source(store) as source:
            (a,) = source.rows(
                f"select *, {content_hash('a')} as hash from annotations a where annotation_id = ?",
                annotation_id,
            )
        about |= {k: a[k] for k in ("image_id", "category_id", "annotation_id", *BOX)}
        about |= {"content_hash": a["hash"], "error_type": "wrong_class"}
    else:
        about |= dict(zip(BOX, box, strict=True))
    verdict = "accept" if fields.get("fix") else "relabel"
    with closing(store.review_log()) as log:
        return log.add([Entry(action="verdict", **about | {"verdict": verdict} | fields)])[0]


def export(store: Store, form: str, folder: Path, **options: Any) -> Result:
    folder.mkdir(exist_ok=True)
    with open_source(store, **options) as source:
        assert isinstance(source, Source)
        return found().exporters[form].write(source, folder)
