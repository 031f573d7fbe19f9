from __future__ import annotations

from pathlib import Path

import pytest

from label_quality.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    # A root that DuckDB would take for a partition folder, and that has to be quoted.
    root = tmp_path / "batch=it's [a] root"
    root.mkdir()
    return Store(root)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    file = tmp_path / "instances.json"
    file.write_text('{"images": []}')
    return file
