"""Two small batches with all that the Summary, the Explorer and the page of performance read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from fastapi.testclient import TestClient
from helpers.published import pictures, publish, refresh
from helpers.review_batch import document, predictions

NASTY = "<img src=x onerror=alert(1)>"


def measured_batches(folder: Path) -> Path:
    """Batch `first` of 8 pictures; batch `second` has 4 of them, and there the category dog has a nasty name."""
    made = document()
    made["categories"] = [*made["categories"], {"id": 3, "name": "bird"}]  # it has no label
    images = pictures(folder / "images", [i["file_name"] for i in made["images"]])
    root = folder / "root"
    publish(root, made, models(8), batch="first", images=images, metrics=True)
    few = {
        "images": made["images"][:4],
        "annotations": [a for a in made["annotations"] if a["image_id"] <= 4],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": NASTY}],
    }
    store = publish(root, few, models(4), batch="second", images=images, metrics=True)
    refresh(store)
    _add_outliers(root)
    return root


def _add_outliers(root: Path) -> None:
    """Three rows as `refresh` writes them: for bounds of their own these batches are too small."""
    with duckdb.connect(str(root / "label_quality.duckdb")) as con:
        con.execute(
            """insert into outliers by name
               select 'first' as batch, unnest(['annotation', 'annotation', 'image']) as kind,
                      unnest(['area', 'aspect_ratio', 'object_count']) as metric, 3 as image_id,
                      unnest([30, 31, null]) as annotation_id, 1.0 as value,
                      unnest(['robust', 'encord', 'robust']) as rule, unnest(['severe', 'moderate', 'moderate']) as severity"""
        )


def models(images: int) -> dict[str, list[dict[str, Any]]]:
    """`model` sees two cats everywhere; `other` sees one of them a little off, a second time, and a dog where nothing is."""
    found = [p for p in predictions()["model"] if p["image_id"] <= images]
    other: list[dict[str, Any]] = []
    for k in range(1, images + 1):
        for category, box, score in (
            (1, [24.0, 22.0, 40, 30], 0.9 - 0.02 * k),
            (1, [26.0, 26.0, 40, 30], 0.5),
            (2, [80.0, 10.0, 30, 20], 0.8),
        ):
            other.append({"image_id": k, "category_id": category, "bbox": box, "score": score})
    return {"model": found, "other": other}


def database(root: Path) -> duckdb.DuckDBPyConnection:
    """The published database, to compare answers with."""
    return duckdb.connect(str(root / "label_quality.duckdb"), read_only=True)


def rows(root: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query on the published database."""
    with database(root) as con:
        return con.execute(sql, list(values)).fetchall()


def ask(client: TestClient, path: str, **parameters: Any) -> Any:
    """The JSON of a GET that is answered."""
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()
