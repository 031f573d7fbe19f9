"""What tests of inference share: is torch here, a small network in a model file, and a batch of small pictures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from helpers import batch
from PIL import Image

from label_quality.settings import Inference, Settings

HERE = Path(__file__).parent
EXTRA = ("faiss", "safetensors", "torch", "torchvision")
needs_torch = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in EXTRA),
    reason="the extra inference is not installed (pip install '.[inference]')",
)
CATEGORIES = ({"id": 7, "name": "Dog"}, {"id": 3, "name": "fire hydrant"}, {"id": 9, "name": "cow"})
SIZES = [(48, 64), (64, 48), (40, 40), (48, 64), (30, 90), (64, 64), (48, 60), (120, 90), (48, 64)]


def model_file(root: Path, name: str = "tiny", builder: str = "build", **arguments: Any) -> None:
    """Write ``models/NAME.toml`` below `root`, and seeded weights beside it. Its classes are dog, cat, fire hydrant."""
    import torch
    from helpers import tiny_mask_rcnn
    from safetensors.torch import save_file

    folder = root / "models"
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "tiny.safetensors"
    if not weights.exists():
        torch.manual_seed(5)
        save_file(tiny_mask_rcnn.build(classes=4).state_dict(), weights)
    given = "".join(f"{key} = {json.dumps(value)}\n" for key, value in arguments.items())
    (folder / f"{name}.toml").write_text(
        f'builder = "{HERE / "tiny_mask_rcnn.py"}:{builder}"\nweights = "{weights.name}"\n'
        'categories = ["dog", "cat", "fire_hydrant"]\n[arguments]\nclasses = 4\n' + given
    )


def settings(root: Path, *models: str, **more: Any) -> Settings:
    """Settings for `root` that run these models on the CPU."""
    chosen = Inference(models=models or ("tiny",), device="cpu", **more)
    return Settings(root=str(root), inference=chosen)


def pictures(folder: Path, sizes: list[tuple[int, int]] = SIZES) -> list[dict[str, Any]]:
    """Seeded pictures of these sizes (height, width), and their records."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    records = []
    for k, (height, width) in enumerate(sizes, 1):
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{k}.png")
        records.append(
            {"id": k, "file_name": f"{k}.png", "width": width, "height": height, "file_state": "ok"}
        )
    return records


def labels(images: list[dict[str, Any]], each: int = 4) -> list[dict[str, Any]]:
    """Seeded labels with outlines, a crowd among them."""
    random = np.random.default_rng(1)
    out = []
    for image in images:
        for _ in range(each):
            width, height = (
                random.uniform(6, image["width"] / 2),
                random.uniform(6, image["height"] / 2),
            )
            x = random.uniform(0, image["width"] - width)
            y = random.uniform(0, image["height"] - height)
            out.append(
                {
                    "id": len(out) + 100,
                    "image_id": image["id"],
                    "category_id": int(random.choice([7, 3, 9])),
                    "bbox": [x, y, width, height],
                    "segmentation": [[x, y, x + width, y, x + width, y + height, x, y + height]],
                    "iscrowd": 0,
                }
            )
    out[0] |= {"iscrowd": 1}
    return out


def database(images: Any, annotations: Any) -> duckdb.DuckDBPyConnection:
    """The tables of a batch of these."""
    return batch.database(images, annotations, categories=CATEGORIES)
