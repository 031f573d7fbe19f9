"""One batch from COCO-like dictionaries to findings and rates, step by step as the assets do it, without files.

Every result is written into a table made by the schema's own DDL, so that a NULL where the schema forbids one, a missing
column or a wrong type fails here as it does in the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from label_quality.findings import build_finding_scores, build_findings
from label_quality.matching import build_overlaps, build_pairs
from label_quality.rates import build_error_rates
from label_quality.schema import TABLES

Record = dict[str, Any]
BATCH = "batch-1"


def database(
    images: Sequence[Record],
    annotations: Sequence[Record],
    predictions: Mapping[str, Sequence[Record]] | None = None,
    categories: Sequence[Record] = ({"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}),
) -> duckdb.DuckDBPyConnection:
    """A database that shows the input tables of a batch. All records are as COCO has them.

    Args:
        images: id, width, height; for LVIS neg_category_ids and not_exhaustive_category_ids.
        annotations: id, image_id, category_id, bbox, and where wanted iscrowd, area, segmentation.
        predictions: per model image_id, category_id, bbox, score, and where wanted segmentation; the prediction's
            id is its place in the list, unless ``prediction_id`` says otherwise.
        categories: id, name.
    """
    con = duckdb.connect(config={"threads": 2})
    for name in TABLES:
        con.execute(TABLES[name].ddl())
    _fill(con, "batches", [_batch_row(len(images), len(annotations), len(categories))])
    _fill(con, "images", [_image_row(i) for i in images])
    _fill(con, "categories", [{"category_id": c["id"], "name": c["name"]} for c in categories])
    _fill(con, "annotations", [_annotation_row(a) for a in annotations])
    _fill(
        con,
        "annotation_masks",
        [
            {"annotation_id": a["id"], "segmentation": _text(a["segmentation"])}
            for a in annotations
            if a.get("segmentation")
        ],
    )
    for model, results in (predictions or {}).items():
        _fill_model(con, model, results)
    return con


def audit(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Run matching, findings and rates on a `database`; the results stand in its tables."""
    build_overlaps(con)
    _keep(con, "prediction_overlaps")
    build_pairs(con)
    _keep(con, "annotation_pairs")
    build_finding_scores(con)
    _keep(con, "finding_scores")
    build_findings(con)
    _keep(con, "findings")
    build_error_rates(con)
    _keep(con, "error_rates")
    return con


def rows(con: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[Record]:
    """The rows of a query as dictionaries, in the order that the query asks for."""
    cursor = con.execute(sql, list(values))
    names = [d[0] for d in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def findings(con: duckdb.DuckDBPyConnection, where: str = "true") -> list[Record]:
    """The queue."""
    return rows(con, f"select * from findings where {where} order by p_error desc, finding_id")


def _keep(con: duckdb.DuckDBPyConnection, table: str) -> None:
    con.execute(f"insert into {table} by name select * from new_{table}")


def _fill(con: duckdb.DuckDBPyConnection, table: str, records: Sequence[Record]) -> None:
    if not records:
        return
    schema = TABLES[table].arrow_schema()
    full = [{n: r.get(n, BATCH if n == "batch" else None) for n in schema.names} for r in records]
    con.register("_rows", pa.Table.from_pylist(full, schema=schema))
    con.execute(f"insert into {table} by name select * from _rows")
    con.unregister("_rows")


def _fill_model(con: duckdb.DuckDBPyConnection, model: str, results: Sequence[Record]) -> None:
    listed = [{"prediction_id": k, **p} for k, p in enumerate(results)]
    _fill(con, "predictions", [_prediction_row(model, p) for p in listed])
    _fill(
        con,
        "prediction_masks",
        [
            {
                "model": model,
                "prediction_id": p["prediction_id"],
                "segmentation": _text(p["segmentation"]),
            }
            for p in listed
            if p.get("segmentation")
        ],
    )
    counts = {"predictions_read": len(results), "predictions_kept": len(results)}
    fixed = {
        "file": f"{model}.json",
        "sha256": "0" * 64,
        "simulated": True,
        "saw_labels": False,
        "reader": "fast",
    }
    _fill(con, "models", [{"model": model, "predictions_quarantined": 0, **counts, **fixed}])


def _batch_row(images: int, annotations: int, categories: int) -> Record:
    counts = {
        f"{kind}_{state}": count if state != "quarantined" else 0
        for kind, count in (
            ("images", images),
            ("annotations", annotations),
            ("categories", categories),
        )
        for state in ("read", "kept", "quarantined")
    }
    fixed = {"file": "instances.json", "sha256": "0" * 64, "bytes": 1, "images_checked": False}
    return {**counts, **fixed, "reader": "fast", "run_id": "run-1"}


def _image_row(image: Record) -> Record:
    return {
        "file_name": f"{image['id']}.jpg",
        "file_state": "not_checked",
        **{k: v for k, v in image.items() if k != "id"},
        "image_id": image["id"],
    }


def _annotation_row(a: Record) -> Record:
    x, y, width, height = map(float, a["bbox"])
    segmentation = a.get("segmentation")
    kind = "rle" if isinstance(segmentation, dict) else "polygon"
    return {
        "annotation_id": a["id"],
        "image_id": a["image_id"],
        "category_id": a["category_id"],
        **{"x": x, "y": y, "width": width, "height": height},
        "area": float(a.get("area", width * height)),
        "iscrowd": bool(a.get("iscrowd", 0)),
        "segmentation_type": kind if segmentation else "none",
        "parts": len(segmentation) if segmentation and kind == "polygon" else None,
    }


def _prediction_row(model: str, p: Record) -> Record:
    x, y, width, height = map(float, p["bbox"])
    return {
        "model": model,
        "prediction_id": p["prediction_id"],
        "image_id": p["image_id"],
        "category_id": p["category_id"],
        "score": float(p["score"]),
        **{"x": x, "y": y, "width": width, "height": height},
        "has_mask": bool(p.get("segmentation")),
        "mask_area": p.get("mask_area"),
    }


def _text(segmentation: Any) -> str:
    return segmentation if isinstance(segmentation, str) else json.dumps(segmentation)
