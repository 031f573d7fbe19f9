"""A root with a published batch, made of COCO-like dictionaries without a Dagster run: the same tables, step by step.

Findings, outcomes and rates are the real ones; metrics too, where they are asked for, and what `refresh` computes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from helpers import batch as batches
from PIL import Image

from label_quality.metrics.build import build_image_and_annotation_metrics, build_prediction_metrics
from label_quality.outliers import build_outliers
from label_quality.performance import build_outcomes, build_performance, build_relations
from label_quality.rates import OVERALL_ERROR_RATES, draw_sample
from label_quality.registry import KINDS
from label_quality.settings import Sample
from label_quality.store import Store

Record = dict[str, Any]
_TABLES = (
    "batches",
    "images",
    "categories",
    "annotations",
    "annotation_masks",
    "models",
    "predictions",
    "prediction_masks",
    "annotation_pairs",
    "prediction_overlaps",
    "prediction_outcomes",
    "label_outcomes",
    "findings",
    "review_strata",
    "review_sample",
    "error_rates",
)


def publish(
    root: Path,
    document: Mapping[str, Sequence[Record]],
    predictions: Mapping[str, Sequence[Record]],
    *,
    batch: str = "batch-1",
    images: Path | None = None,
    run: str = "run-1",
    metrics: bool = False,
    sample: int = 0,
) -> Store:
    """Audit `document` (images, annotations, categories as COCO has them) and publish it below `root`.

    `sample` is the size of the random sample; `images` is the folder of the pictures; image records may say file_state, which is "ok" otherwise.
    """
    known = ("id", "width", "height", "file_name", "file_state", "exif_orientation")
    records = [
        {"file_state": "ok", **{k: i[k] for k in known if k in i}} for i in document["images"]
    ]
    con = batches.audit(
        batches.database(records, document["annotations"], predictions, document["categories"])
    )
    build_outcomes(con)
    draw_sample(con, Sample(size=sample))
    for table in ("prediction_outcomes", "label_outcomes", "review_strata", "review_sample"):
        con.execute(f"insert into {table} by name select * from new_{table}")
    tables = list(_TABLES)
    if metrics:
        assert build_image_and_annotation_metrics(con, images) + build_prediction_metrics(con) == []
        tables += [f"{kind}_metrics" for kind in KINDS]
        for table in tables[-len(KINDS) :]:
            con.execute(f"insert into {table} by name select * from new_{table}")
    file = root / f"delivered-{batch}.json"
    root.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), "utf-8")
    store = Store(root)
    kept = store.deliver(batch, file, images=images)
    con.execute(
        "update batches set image_root = ?, images_checked = ?, file = ?, sha256 = ?",
        [kept.image_root, bool(images), kept.annotations_name, kept.annotations_file.sha256],
    )
    for table in tables:
        rows = con.sql(f"select * replace (? as batch) from {table}", params=[batch])
        store.run(batch, run).write(table, rows.to_arrow_table())
    store.commit(batch, run)
    store.publish()
    return store


def refresh(store: Store) -> None:
    """What the job of that name computes over all batches."""
    with store.connect() as con:
        rates = {"overall_error_rates": OVERALL_ERROR_RATES}
        store.write_overall(
            con, [build_outliers, build_performance, build_relations, lambda _: rates]
        )


def own_root(root: Path, folder: Path) -> Path:
    """A root that shares all but the review log with `root`.

    The database is copied: DuckDB follows links, and two servers of one process would get one and the same.
    """
    folder.mkdir()
    for entry in root.iterdir():
        if entry.name not in ("readers", "reviews.db", "label_quality.duckdb"):
            (folder / entry.name).symlink_to(entry)
    shutil.copyfile(root / "label_quality.duckdb", folder / "label_quality.duckdb")
    return folder


def pictures(folder: Path, names: Iterable[str], size: tuple[int, int] = (200, 150)) -> Path:
    """A picture under each name, each in colours of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    for number, name in enumerate(names):
        pixels = np.stack(
            [(across * 2 + 40 * number) % 256, (down * 3) % 256, np.full_like(down, 90)], -1
        )
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    return folder
