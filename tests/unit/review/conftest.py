"""The small batch, published once, and a root and a client of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from helpers.published import own_root, pictures, publish
from helpers.review_batch import document, predictions
from measured_batches import measured_batches
from review_tools import client_of


@pytest.fixture(scope="session")
def published_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small batch, all of which is in the random sample; nobody decides in it."""
    folder = tmp_path_factory.mktemp("review")
    made = document()
    images = pictures(folder / "images", [i["file_name"] for i in made["images"]])
    publish(folder / "root", made, predictions(), images=images, sample=100)
    return folder / "root"


@pytest.fixture(scope="session")
def measured_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two batches with metrics, two models, and what is computed over all batches; nobody decides in it."""
    return measured_batches(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="session")
def measured(measured_root: Path) -> Iterator[TestClient]:
    """The application on `measured_root`."""
    with client_of(measured_root) as made:
        yield made


@pytest.fixture
def root(published_root: Path, tmp_path: Path) -> Path:
    """A root of the test's own: what is decided in it nobody else sees."""
    return own_root(published_root, tmp_path / "root")


@pytest.fixture(scope="session")
def client(published_root: Path) -> Iterator[TestClient]:
    """The application as this machine's browser would talk to it; for what writes nothing, so that all share it."""
    with client_of(published_root) as made:
        yield made


@pytest.fixture
def fresh(root: Path) -> Iterator[TestClient]:
    """The application on `root`, for what decides."""
    with client_of(root) as made:
        yield made
