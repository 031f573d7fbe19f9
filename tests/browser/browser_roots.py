"""The roots that the browser looks at: rendered or real pictures, audited without Dagster (``helpers.published``)."""

from __future__ import annotations

import json
from pathlib import Path

from helpers import coco_subset
from helpers.published import publish, refresh

from label_quality.demo import make_demo


def demo_root(folder: Path, sample: int = 0) -> Path:
    """The demo with its planted errors and simulated detectors, and with a random sample of that size."""
    demo = make_demo(folder / "demo", images=24)
    document = json.loads(demo.annotations.read_text("utf-8"))
    predictions = {m: json.loads(f.read_text("utf-8")) for m, f in demo.predictions.items()}
    images = demo.images
    store = publish(
        folder / "root",
        document,
        predictions,
        batch="demo",
        images=images,
        metrics=True,
        sample=sample,
    )
    refresh(store)
    return store.root


def coco_root(folder: Path) -> Path:
    """186 images of COCO val2017 with the results of two models."""
    predictions = {model: coco_subset.results(model) for model in coco_subset.MODELS}
    images = coco_subset.FOLDER / "images"
    labels = coco_subset.labels()
    store = publish(folder / "root", labels, predictions, batch="coco", images=images, metrics=True)
    refresh(store)
    return store.root
