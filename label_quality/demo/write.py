"""Writes the demo to a folder: pictures, COCO labels, simulated predictions, ledger.

Belongs here: files and their order. Does not belong here: what is in them (`scenes`, `planting`,
`detector`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from label_quality.coco.regions import raw_run_lengths, segmentation
from label_quality.demo import Demo
from label_quality.demo.bench import make_benches
from label_quality.demo.categories import coco_categories
from label_quality.demo.detector import STRONG, WEAK, simulate
from label_quality.demo.planting import SIZE, Label, Planting, plant
from label_quality.demo.scenes import HEIGHT, WIDTH, Scene, make_scene

DESCRIPTION: Final = (
    "Rendered demo of label_quality: machine parts on a bench. The pictures are drawn by a program,"
    " the labels carry planted errors (planted_errors.json), the predictions are simulated."
)
_DETECTORS: Final = (STRONG, WEAK)


def write_demo(folder: Path, images: int, seed: int) -> Demo:
    """Render, plant, simulate and write; see `label_quality.demo.make_demo`."""
    annotations = folder / "annotations.json"
    _refuse_foreign(annotations)
    pictures, predictions = folder / "images", folder / "predictions"
    for directory in (pictures, predictions):
        directory.mkdir(parents=True, exist_ok=True)
    # Without annotations.json a folder is no demo: it goes first and comes back last, so that
    # nobody reads old labels beside new pictures when this is interrupted.
    annotations.unlink(missing_ok=True)
    workshop = np.random.default_rng([seed, 3])
    benches = make_benches(workshop, HEIGHT * 3 // 2, WIDTH * 3 // 2)

    def render(image_id: int) -> Scene:
        scene, pixels = make_scene(image_id, benches, np.random.default_rng([seed, 0, image_id]))
        _write_picture(pictures / _file_name(image_id), pixels)
        return scene

    # Every scene has its own random numbers, so the order in which threads finish is no matter.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        scenes = list(pool.map(render, range(1, images + 1)))
    current = {pictures / _file_name(scene.image_id) for scene in scenes}
    for stale in set(pictures.glob("scene_*.jpg")) - current:
        stale.unlink()

    planting = plant(scenes, np.random.default_rng([seed, 1]))
    ledger = planting.ledger()
    planted = folder / "planted_errors.json"
    _write_json(planted, ledger)
    written = {}
    for number, detector in enumerate(_DETECTORS):
        written[detector.name] = predictions / f"{detector.name}.json"
        results = simulate(detector, scenes, np.random.default_rng([seed, 2, number]))
        _write_json(written[detector.name], results)
    _write_json(annotations, coco_document(scenes, planting))
    return Demo(annotations, pictures, written, planted, len(planting.labels), len(ledger))


def coco_document(scenes: Sequence[Scene], planting: Planting) -> dict[str, Any]:
    """The labels as delivered, as a COCO file: ids from 1, boxes tight around the masks."""
    return {
        "info": {"description": DESCRIPTION, "version": "1", "contributor": "label_quality"},
        "licenses": [
            {"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
        ],
        "images": [
            {
                "id": scene.image_id,
                "file_name": _file_name(scene.image_id),
                "width": WIDTH,
                "height": HEIGHT,
                "license": 1,
            }
            for scene in scenes
        ],
        "annotations": [
            _annotation(number, label) for number, label in enumerate(planting.labels, start=1)
        ],
        "categories": coco_categories(),
    }


def _annotation(number: int, label: Label) -> dict[str, Any]:
    """One COCO annotation; crowd regions carry uncompressed run lengths, as in COCO itself."""
    mask = (
        raw_run_lengths(label.region, SIZE) if label.iscrowd else segmentation(label.region, SIZE)
    )
    return {
        "id": number,
        "image_id": label.image_id,
        "category_id": label.category_id,
        "segmentation": mask,
        "area": label.region.area,
        "bbox": list(label.region.box),
        "iscrowd": int(label.iscrowd),
    }


def _file_name(image_id: int) -> str:
    return f"scene_{image_id:04d}.jpg"


def _refuse_foreign(annotations: Path) -> None:
    """Do not overwrite somebody's own labels."""
    if not annotations.exists():
        return
    try:
        description = json.loads(annotations.read_bytes())["info"]["description"]
    except (ValueError, KeyError, TypeError):
        description = None
    if description != DESCRIPTION:
        raise FileExistsError(
            f"{annotations} is not a demo of label_quality; choose another folder for the demo"
        )


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    Image.fromarray(pixels).save(temporary, format="JPEG", quality=90)
    temporary.replace(path)


def _write_json(path: Path, document: object) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
    temporary.replace(path)
