"""Both at once: a worker that shares nothing with the publishing machine but Redis, PostgreSQL and the object store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import SETTINGS, Cluster, cluster
from pipeline_tools import query, wait_for
from servers import s3

from label_quality.demo import Demo, make_demo
from label_quality.settings import load_settings, place
from label_quality.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STORE, INBOX = f"s3://{s3.BUCKET}/quality", f"s3://{s3.BUCKET}/inbox"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Cluster]:
    with s3.server() as variables:
        more = {"LABEL_QUALITY_OBJECT_STORE": STORE, "LABEL_QUALITY_INBOX": INBOX}
        with cluster(tmp_path, SETTINGS, **variables, **more) as made:
            made.start("publisher")
            (tmp_path / "elsewhere").mkdir()
            made.start("worker", "elsewhere", LABEL_QUALITY_ROOT=str(tmp_path / "elsewhere"))
            made.start("daemon")
            made.ready("publisher", "elsewhere")
            yield made


def deliver(demo: Demo, batch: str) -> None:
    """As `aws s3 cp --recursive` would."""
    folder = demo.annotations.parent
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file != demo.planted:
            target = place(f"{INBOX}/{batch}/{file.relative_to(folder).as_posix()}")
            target.write_bytes(file.read_bytes())


def test_a_worker_elsewhere_needs_the_object_store_alone(
    running: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in running.env.items():
        if name.startswith(("AWS_", "LABEL_QUALITY_")):
            monkeypatch.setenv(name, value)
    demo = make_demo(tmp_path / "demo", images=3)
    deliver(demo, "b1")
    store = Store(running.root, load_settings(running.root))
    wait_for(lambda: [a.state for a in store.accounts()] == ["published"], 300, "it is published")
    rows = query(store.database, "select batch, annotations_kept from batches")
    assert rows == [("b1", demo.labels)]
    assert query(store.database, "select distinct file_state from images") == [("ok",)]
    (given,) = running.step_workers().values()
    assert {name for step, name in given if step != "publish"} == {"elsewhere"}
    assert [name for step, name in given if step == "publish"] == ["publisher"]
    there = {p.name for p in (tmp_path / "elsewhere").iterdir()}
    assert there <= {"cache", "locks", "spill", "inference"}
    assert not {"tables", "batches", "deliveries"} & {p.name for p in running.root.iterdir()}
