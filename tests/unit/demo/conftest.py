"""A small demo and the scenes behind it, rendered once for all tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_quality.demo import Demo, make_demo
from label_quality.demo.bench import make_benches
from label_quality.demo.scenes import HEIGHT, WIDTH, Scene, make_scene


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return make_demo(tmp_path_factory.mktemp("demo"), images=14, seed=7)


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    benches = make_benches(np.random.default_rng(1), HEIGHT, WIDTH)
    return [
        make_scene(number, benches, np.random.default_rng([1, number]))[0]
        for number in range(1, 21)
    ]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def document(demo: Demo) -> dict[str, Any]:
    return read(demo.annotations)


@pytest.fixture(scope="session")
def ledger(demo: Demo) -> list[dict[str, Any]]:
    return read(demo.planted)
