"""The real Mask R-CNN beside the project and the images that it has not seen, where they are there. Nothing of them is copied."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("LABEL_QUALITY_SHARED") or Path(__file__).parents[4] / "shared")
FOLDER = SHARED / "data" / "nuclei"
MODEL = SHARED / "models" / "nuclei_mask_rcnn"
IMAGES = FOLDER / "images"

needs_nuclei = pytest.mark.skipif(
    not (FOLDER.is_dir() and MODEL.is_dir()),
    reason="the nuclei and their model (../shared/data/nuclei, ../shared/models) are not here",
)


def write_model_file(root: Path, name: str = "nuclei") -> None:
    """Write ``models/NAME.toml`` below `root`: the builder and weights beside the project, described by its model.json."""
    spec = json.loads((MODEL / "model.json").read_text("utf-8"))
    wanted = {key: spec[key] for key in ("architecture", "normalisation")}
    (root / "models").mkdir(parents=True, exist_ok=True)
    (root / "models" / f"{name}.toml").write_text(
        f'builder = "{MODEL / "build.py"}:build"\nweights = "{MODEL / spec["weights"]}"\n'
        f"categories = {json.dumps([c['name'] for c in spec['categories']])}\narguments = {toml({'spec': wanted})}\n"
    )


def sample(count: int) -> dict[str, Any]:
    """The labels of so many of the smaller images with few labels, evenly taken."""
    document = json.loads((FOLDER / "instances.json").read_text("utf-8"))
    labels: dict[int, list[dict[str, Any]]] = {}
    for a in document["annotations"]:
        labels.setdefault(a["image_id"], []).append(a)
    few = [i for i in document["images"] if i["width"] <= 360 and len(labels[i["id"]]) <= 40]
    images = few[:: len(few) // count][:count]
    return {
        **document,
        "images": images,
        "annotations": [a for i in images for a in labels[i["id"]]],
    }


def toml(value: Any) -> str:
    """A value as TOML has it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)
