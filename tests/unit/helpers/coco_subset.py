"""The real COCO subset that stands beside the project, where it is there. Nothing of it is copied."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from helpers.shared_folder import COCO_SUBSET

FOLDER = COCO_SUBSET
MODELS = ("yolov7-seg", "yolov5s-seg")

needs_coco = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the COCO subset (../shared/data/coco_val2017_subset) is not here"
)


@functools.cache
def labels() -> dict[str, Any]:
    """The label file. Shared between tests: copy before changing."""
    return _read("instances.json")


@functools.cache
def results(model: str) -> list[dict[str, Any]]:
    """The results of one of `MODELS`. Shared between tests: copy before changing."""
    return _read(f"predictions/{model}.json")


def _read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))
