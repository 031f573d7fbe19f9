"""A disk that is full, wherever: one clear sentence, what was published stays whole, and the next run mends it.

The system's limit on the size of a file stands in for the disk: whoever writes beyond it, Arrow, DuckDB or we ourselves, is
refused by the kernel in the middle of a write, as by a full disk.
"""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from pipeline_tools import NO_LIMITS, audit_in_process, snapshot

from label_quality.cli import execute
from label_quality.demo import Demo
from label_quality.settings import load_settings
from label_quality.store import Store, StoreError


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Batch:
    """A root, and runs of its one batch."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.root, self.instance = root, instance
        self.store = Store(root, load_settings(root))

    def run(self) -> dg.ExecuteInProcessResult:
        return audit_in_process(self.root, self.instance, "b1")


@dataclass(frozen=True)
class Published:
    """A root whose batch was published once, and then was delivered with fewer labels."""

    root: Path
    old: dict[str, list[str]]
    labels: int


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, demo: Demo) -> Published:
    root = tmp_path_factory.mktemp("published") / "root"
    root.mkdir()
    (root / "label_quality.toml").write_text(NO_LIMITS + "[duckdb]\nthreads = 1\n")
    with dg.DagsterInstance.ephemeral() as instance:
        batch = Batch(root, instance)
        batch.store.deliver("b1", demo.annotations, predictions=demo.predictions)
        first = batch.run()
        assert first.success, execute._why(first)
    document = json.loads(demo.annotations.read_text())
    del document["annotations"][::3]
    (root / "fewer.json").write_text(json.dumps(document))
    batch.store.deliver("b1", root / "fewer.json", predictions=demo.predictions)
    return Published(root, snapshot(batch.store.database), len(document["annotations"]))


@pytest.fixture
def batch(tmp_path: Path, published: Published) -> Iterator[Batch]:
    shutil.copytree(published.root, tmp_path / "root")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Batch(tmp_path / "root", instance)


# The step that a size stops: one that Arrow writes, one that DuckDB writes, publishing.
SIZES = {"ingest": 2_000, "prediction_overlaps": 21_000, "publish": 400_000}


def test_the_database_stays_whole_and_the_next_run_publishes(
    batch: Batch, published: Published
) -> None:
    for step, size in SIZES.items():
        with no_file_beyond(size):
            result = batch.run()
        assert not result.success
        (failed,) = [e for e in result.all_events if e.is_step_failure]
        said = execute._why(result)
        assert failed.step_key == step, said
        assert "too large" in said.lower()
        assert "Traceback" not in said
        assert snapshot(batch.store.database) == published.old
        leftovers = [*batch.root.glob(".label_quality.duckdb*"), *batch.root.glob("tables/*/*/.*")]
        assert leftovers == []
        (account,) = batch.store.accounts()
        assert (account.state, account.message) == ("failed", said)
    assert batch.run().success
    new = snapshot(batch.store.database)
    assert len(new["annotations"]) == published.labels < len(published.old["annotations"])
    (account,) = batch.store.accounts()
    assert (account.state, account.message) == ("published", None)


def test_a_delivery_that_does_not_fit_leaves_the_register_alone(batch: Batch, demo: Demo) -> None:
    before = batch.store.delivery("b1").fingerprint
    (batch.root / "fewer.json").write_text(demo.annotations.read_text() + " " * 10)
    with no_file_beyond(2_000), pytest.raises(StoreError, match=r"cannot be kept in .* too large"):
        batch.store.deliver("b1", batch.root / "fewer.json")
    assert batch.store.delivery("b1").fingerprint == before
    assert not list((batch.root / "deliveries").glob(".*"))
