"""Small batches for the store's tests: schema-conform rows, written step by step as a real run writes them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from label_quality.schema import TABLES
from label_quality.store import BatchRun, Store
from label_quality.store.entries import Entry

_CONSTANTS: dict[str, Any] = {
    "BIGINT": 1,
    "DOUBLE": 0.5,
    "VARCHAR": "text",
    "BOOLEAN": False,
    "BIGINT[]": [1],
    "VARCHAR[]": ["a"],
    "FLOAT[]": [0.5],
}

# What each step reads and writes. Tables that are not named here are written by a last step that reads nothing.
STEPS: list[tuple[list[str], list[str]]] = [
    (
        [],
        [
            "batches",
            "images",
            "categories",
            "annotations",
            "annotation_masks",
            "ingest_warnings",
            "quarantined_labels",
        ],
    ),
    (
        ["images", "categories"],
        [
            "imported_models",
            "imported_predictions",
            "imported_prediction_masks",
            "quarantined_predictions",
        ],
    ),
    (
        ["imported_models", "imported_predictions", "imported_prediction_masks"],
        ["models", "predictions", "prediction_masks"],
    ),
    (["quarantined_labels", "quarantined_predictions"], ["quarantine"]),
    (["annotations"], ["annotation_pairs"]),
    (["annotations", "predictions"], ["prediction_overlaps"]),
    (["annotations", "predictions", "prediction_overlaps"], ["finding_scores"]),
    (["finding_scores"], ["findings"]),
    (["annotations", "findings"], ["error_rates"]),
]
_NAMED = {t for _, written in STEPS for t in written}
_OTHERS = [n for n, t in TABLES.items() if t.per_batch and n not in _NAMED]


def rows(table: str, batch: str = "b1", n: int = 1, **columns: list[Any]) -> pa.Table:
    """`n` rows of `table`; columns that are not given hold NULL where that is allowed, else a constant."""
    schema = TABLES[table]
    n = len(next(iter(columns.values()))) if columns else n
    data: dict[str, list[Any]] = {}
    for column in schema.columns:
        if column.name in columns:
            data[column.name] = columns[column.name]
        elif column.name == "batch":
            data[column.name] = [batch] * n
        elif column.nullable:
            data[column.name] = [None] * n
        else:
            data[column.name] = [_CONSTANTS[column.type]] * n
    return pa.table(data, schema=schema.arrow_schema())


def content(table: str, batch: str, marker: str) -> pa.Table:
    """Rows of a batch of three images (the third without labels), two categories and a finding of each of three types.

    `marker` stands in four tables, so that a reader can see whether all of them are of one version.
    """
    ids: dict[str, dict[str, list[Any]]] = {
        "batches": {"run_id": [marker], "annotations_kept": [2]},
        "images": {"image_id": [1, 2, 3], "file_name": [f"{marker}-{i}.jpg" for i in (1, 2, 3)]},
        "categories": {"category_id": [1, 2], "name": ["cat", "dog"]},
        "annotations": {"annotation_id": [1, 2], "image_id": [1, 2], "original_id": [marker] * 2},
        "findings": {
            "finding_id": ["f1", "f2", "f3"],
            "error_type": ["missing", "wrong_class", "spurious"],
            "image_id": [3, 1, 2],
            "annotation_id": [None, 1, 2],
            "suggested_category_id": [1, 2, None],
            "p_error": [0.9, 0.6, 0.3],
            "rule_version": [marker] * 3,
        },
        "predictions": {"model": ["m"], "prediction_id": [0]},
        "imported_predictions": {"model": ["m"], "prediction_id": [0]},
        "models": {"model": ["m"], "predictions_kept": [1]},
        "prediction_overlaps": {"model": ["m"], "assigned": [True], "same_category": [True]},
        "annotation_metrics": {"annotation_id": [1], "area": [500.0]},
        "image_metrics": {"image_id": [1], "nearest_image_id": [2], "nearest_distance": [0]},
        "error_rates": {"error_type": ["any"], "rate": [0.2], "judged": [True]},
    }
    return rows(table, batch, **ids.get(table, {}))


def write_steps(
    store: Store, batch: str, run_id: str, only: list[str] | None = None, marker: str | None = None
) -> None:
    """Run the steps that write the tables `only` (all of them by default), each with a BatchRun of its own."""
    for reads, written in [*STEPS, ([], _OTHERS)]:
        wanted = [t for t in written if only is None or t in only]
        if not wanted:
            continue
        run: BatchRun = store.run(batch, run_id)
        for table in reads:
            run.read(table, [])
        for table in wanted:
            run.write(table, content(table, batch, marker or run_id))


OVERALL: dict[str, dict[str, list[Any]]] = {
    "outliers": {
        "kind": ["annotation", "image"],
        "metric": ["area", "width"],
        "rule": ["robust", "robust"],
        "score": [4.0, 9.0],
    },
    "outlier_bounds": {
        "kind": ["annotation"],
        "metric": ["area"],
        "rule": ["encord"],
        "low": [1.0],
        "high": [100.0],
        "severe_high": [400.0],
    },
    "performance": {
        "iou_type": ["bbox"] * 3,
        "metric": ["AP", "AP50", "AP"],
        "category_name": [None, None, "cat"],
        "area": ["all"] * 3,
        "max_dets": [100] * 3,
        "value": [0.25, 0.5, 0.75],
    },
    "confusion": {
        "iou_type": ["bbox"] * 2,
        "category_name": ["cat", "cat"],
        "predicted_category_name": ["cat", "dog"],
        "count": [9, 3],
    },
    "metric_importance": {"metric": ["area", "random"], "importance": [0.5, 0.0]},
    "performance_by_metric": {"target": ["annotation"]},
}


def refresh(store: Store) -> None:
    """Write the tables over all batches that are named in `OVERALL`, and publish."""

    def made_up(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
        for name, columns in OVERALL.items():
            con.register(f"_{name}", rows(name, **columns))
        return {name: f"from _{name}" for name in OVERALL}

    with store.connect() as con:
        store.write_overall(con, [made_up])


def audit(store: Store, batch: str, run_id: str) -> None:
    """Write all tables of a batch and commit them."""
    write_steps(store, batch, run_id)
    store.commit(batch, run_id)


def add_verdict(store: Store, batch: str = "b1", **fields: Any) -> Entry:
    """Append a verdict to the log: on the finding f1, a missing label, unless `fields` say otherwise."""
    about: dict[str, Any] = {
        "author": "ann",
        "batch": batch,
        "image_id": 3,
        "error_type": "missing",
    }
    about |= {"finding_id": "f1", "category_id": 1, "verdict": "accept"}
    about |= dict.fromkeys(("x", "y", "width", "height"), 0.5)
    with closing(store.review_log()) as log:
        return log.add([Entry(action="verdict", **about | fields)])[0]


def markers(database: Path) -> dict[str, set[str]]:
    """Batch -> the markers in its published tables; a batch that is whole has one."""
    query = """
        SELECT batch, list_distinct(list(marker)) FROM (
            SELECT batch, run_id AS marker FROM batches
            UNION ALL SELECT batch, split_part(file_name, '-', 1) FROM images
            UNION ALL SELECT batch, original_id FROM annotations
            UNION ALL SELECT batch, rule_version FROM findings)
        GROUP BY batch"""
    with duckdb.connect(str(database), read_only=True) as con:
        return {batch: set(found) for batch, found in con.execute(query).fetchall()}


def dump(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of a database but its bookkeeping, sorted."""
    with duckdb.connect(str(database), read_only=True) as con:
        names = [t.name for t in TABLES.values() if t.published]
        return {n: sorted(con.execute(f'FROM "{n}"').fetchall(), key=str) for n in names}
