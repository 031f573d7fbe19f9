"""A small batch with two missing labels, a wrong class and a duplicate, for the tests of the review page."""

from __future__ import annotations

from typing import Any

LARGE_ID = 2**53 + 1  # what JavaScript cannot hold


def _box(x: float, y: float) -> list[float]:
    return [x, y, 40, 30]


def _square(x: float, y: float) -> list[list[float]]:
    return [[x, y, x + 40, y, x + 40, y + 30, x, y + 30]]


def document() -> dict[str, Any]:
    """Pictures 1 to 8 with two labels each; of 1 both are missing, of 2 one has the wrong class, of 3 one stands twice."""
    images = [{"id": k, "width": 200, "height": 150, "file_name": f"{k}.jpg"} for k in range(1, 9)]
    labels: list[dict[str, Any]] = []
    for k in range(1, 9):
        for n, (x, y) in enumerate([(20.0, 20.0), (120.0, 90.0)]):
            if k == 1:
                continue
            labels.append({
                "id": LARGE_ID if (k, n) == (4, 0) else 10 * k + n, "image_id": k, "category_id": 2 if (k, n) == (2, 0) else 1,
                "bbox": _box(x, y), "segmentation": _square(x, y),
            })  # fmt: skip
    labels.append({"id": 39, "image_id": 3, "category_id": 1, "bbox": [21.0, 20.0, 40, 30]})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return {"images": images, "annotations": labels, "categories": categories}


def predictions() -> dict[str, list[dict[str, Any]]]:
    """A model that sees two cats in each picture, in one of them a little off."""
    found = []
    for k in range(1, 9):
        for n, (x, y) in enumerate([(20.0, 20.0), (120.0, 90.0)]):
            found.append({
                "image_id": k, "category_id": 1, "bbox": _box(x, y), "score": 0.97 - 0.01 * k - 0.001 * n,
                "segmentation": _square(x, y),
            })  # fmt: skip
    return {"model": found}
