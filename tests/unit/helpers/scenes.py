"""Ordinary images around hand-made scenes, so that there are figures for what is usual.

Five categories: cat, dog, apple (small, never found by the model), bus and truck (buses are taken for trucks).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Record = dict[str, Any]
Box = tuple[float, float, float, float]

CAT, DOG, APPLE, BUS, TRUCK = 1, 2, 3, 4, 5
CATEGORIES = [
    {"id": k, "name": n} for k, n in enumerate(("cat", "dog", "apple", "bus", "truck"), start=1)
]
WIDTH, HEIGHT = 640, 480
_PLACES = {CAT: (20, 20, 110, 90), DOG: (160, 20, 130, 110), APPLE: (320, 20, 20, 20)}
_LARGE = {BUS: (20, 160, 220, 120), TRUCK: (280, 160, 200, 120)}
FIRST = 1000
"""Ids of ordinary images and of their labels start here."""


def image(image_id: int, **fields: Any) -> Record:
    return {"id": image_id, "width": WIDTH, "height": HEIGHT, **fields}


def ellipse(box: Box, squeeze: float = 1.0) -> list[list[float]]:
    """A polygon that fills a box as an ellipse; `squeeze` < 1 is a star of the same extent."""
    x, y, width, height = box
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    radius = np.where(np.arange(32) % 8 == 0, 1.0, squeeze)
    points = np.stack(
        [
            x + width / 2 * (1 + radius * np.cos(angles)),
            y + height / 2 * (1 + radius * np.sin(angles)),
        ],
        1,
    )
    return [points.ravel().tolist()]


def ordinary(
    images: int = 60, models: tuple[str, ...] = ("det",), *, masks: bool = False, seed: int = 0
) -> tuple[list[Record], list[Record], dict[str, list[Record]]]:
    """Images, labels and predictions without an error: what the model sees of them is close, mostly right and mostly sure."""
    rng = np.random.default_rng(seed)
    labels: list[Record] = []
    seen: dict[str, list[Record]] = {m: [] for m in models}
    for k in range(images):
        for category, (x, y, width, height) in {**_PLACES, **_LARGE}.items():
            box = (x + rng.uniform(0, 10), y + rng.uniform(0, 10), float(width), float(height))
            labels.append(
                {
                    "id": FIRST + len(labels),
                    "image_id": FIRST + k,
                    "category_id": category,
                    "bbox": box,
                }
            )
            if masks:
                labels[-1]["segmentation"] = ellipse(box)
            for model in models:
                seen[model] += _seen(rng, labels[-1], masks)
        for model in models:  # a false alarm that the model itself does not believe in
            spot = (rng.uniform(0, 500), rng.uniform(300, 400), 70.0, 60.0)
            seen[model].append(
                {
                    "image_id": FIRST + k,
                    "category_id": CAT,
                    "bbox": spot,
                    "score": rng.uniform(0.05, 0.25),
                }
            )
    return [image(FIRST + k) for k in range(images)], labels, seen


def _seen(rng: np.random.Generator, label: Record, masks: bool) -> list[Record]:
    category = label["category_id"]
    if category == APPLE:
        return []
    if category == BUS and rng.random() < 0.25:
        category = TRUCK
    box = jitter(rng, label["bbox"])
    found = {
        "image_id": label["image_id"],
        "category_id": category,
        "bbox": box,
        "score": rng.uniform(0.6, 0.99),
    }
    return [{**found, "segmentation": ellipse(box)} if masks else found]


def jitter(rng: np.random.Generator, box: Box, by: float = 0.02) -> Box:
    """A box whose edges are off by about `by` of its size."""
    x, y, width, height = box
    e = rng.normal(0, by, 4) * (width, height, width, height)
    return (x + e[0], y + e[1], width + e[2] - e[0], height + e[3] - e[1])
