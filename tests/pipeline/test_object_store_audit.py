"""Tables, manifests, deliveries and the inbox on an object store: the database is the very one that a local root gives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pipeline_tools import NO_LIMITS, audit_in_process, snapshot, tick
from servers import s3

from label_quality.demo import Demo, make_demo
from label_quality.exports.source import open_source
from label_quality.settings import load_settings, place
from label_quality.store import Reader, Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STORE, INBOX = f"s3://{s3.BUCKET}/quality", f"s3://{s3.BUCKET}/inbox"
SETTINGS = "settle_seconds = 3600\nkeep_versions = 1\n"


@dataclass
class Deployment:
    """A root whose shared files are on the object store, what the sensor said, and the runs that it asked for."""

    root: Path
    demo: Demo
    instance: dg.DagsterInstance
    cursor: str | None = None

    def tick(self) -> Any:
        """One tick of the inbox sensor: its run requests, or why there is none."""
        from label_quality.sensors.inbox import inbox

        said = tick(inbox, self.instance, self.root, self.cursor)
        if isinstance(said, dg.SkipReason):
            return said.skip_message
        self.cursor = said.cursor
        return said.run_requests

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """What the daemon would do."""
        return audit_in_process(
            self.root,
            self.instance,
            str(request.partition_key),
            tags=request.tags,
            assets=list(request.asset_selection) if request.asset_selection else None,
        )

    @property
    def store(self) -> Store:
        """The store of the root, as the settings have it."""
        return Store(self.root, load_settings(self.root))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployed")
    demo = make_demo(folder / "demo", images=3)
    root = folder / "root"
    root.mkdir()
    (root / "label_quality.toml").write_text(
        f'object_store = "{STORE}"\ninbox = "{INBOX}"\n{SETTINGS}{NO_LIMITS}'
    )
    with (
        s3.server() as variables,
        dg.DagsterInstance.ephemeral() as instance,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Deployment(root, demo, instance)


def put(file: Path, *parts: str) -> None:
    place("/".join((INBOX, *parts))).write_bytes(file.read_bytes())


def test_a_batch_goes_from_an_inbox_there_into_a_database_here(
    deployed: Deployment, tmp_path: Path
) -> None:
    assert deployed.tick() == "nothing new in inbox/"
    demo = deployed.demo
    put(demo.annotations, "b1", "annotations.json")
    for model, file in demo.predictions.items():
        put(file, "b1", "predictions", f"{model}.json")
    for picture in sorted(demo.images.rglob("*.*")):
        put(picture, "b1", "images", picture.relative_to(demo.images).as_posix())
    assert deployed.tick() == "b1: still being written, perhaps; next tick"
    (tmp_path / ".done").touch()
    put(tmp_path / ".done", "b1", ".done")
    (request,) = deployed.tick()
    assert deployed.run(request).success
    assert deployed.tick() == "nothing new in inbox/"

    local = tmp_path / "local"
    (local / "inbox").mkdir(parents=True)
    (local / "label_quality.toml").write_text(SETTINGS + NO_LIMITS)
    delivered = Store(local).deliver(
        "b1", demo.annotations, images=demo.images, predictions=demo.predictions
    )
    assert delivered.changed
    with dg.DagsterInstance.ephemeral() as instance:
        assert audit_in_process(local, instance, "b1").success
    here, there = (snapshot(r / "label_quality.duckdb") for r in (local, deployed.root))
    assert {name: len(rows) for name, rows in there.items()} == {n: len(r) for n, r in here.items()}
    for table, rows in here.items():
        assert there[table] == rows, table
    assert len(there["annotations"]) == demo.labels
    with closing(Reader(deployed.store.database)) as reader:
        states = reader.execute("select distinct file_state from images").fetchall()
        assert states == [("ok",)]  # the pictures were fetched


def test_nothing_shared_lies_in_the_root(deployed: Deployment) -> None:
    found = {p.name for p in deployed.root.iterdir()}
    assert not found & {"tables", "batches", "deliveries", "image_roots.json", "inbox"}
    store = deployed.store
    manifest = store.manifest("b1")
    assert manifest is not None
    assert set(store.shared.names("tables/*/b1/*.parquet")) == set(manifest.tables.values())
    assert [a.state for a in store.accounts()] == ["published"]


def test_new_results_alone_start_at_the_results(deployed: Deployment, tmp_path: Path) -> None:
    before = deployed.store.manifest("b1")
    weak = json.loads(list(deployed.demo.predictions.values())[1].read_text())
    (tmp_path / "new.json").write_text(json.dumps(weak[: len(weak) // 2]))
    put(tmp_path / "new.json", "b1", "predictions", f"{list(deployed.demo.predictions)[1]}.json")
    put(tmp_path / "new.json", "b1", ".done")
    (request,) = deployed.tick()
    assert request.asset_selection
    assert deployed.run(request).success
    after = deployed.store.manifest("b1")
    assert before is not None
    assert after is not None
    assert after.tables["annotations"] == before.tables["annotations"]
    assert after.tables["findings"] != before.tables["findings"]
    # keep_versions = 1: what no state names any more was removed, there and in the cache.
    names = deployed.store.shared.names("tables/*/b1/*.parquet")
    assert set(names) == set(after.tables.values())
    cached = {p.name for p in (deployed.root / "cache").rglob("*.parquet")}
    assert cached <= {Path(name).name for name in names}


def test_the_database_is_made_anew_from_there(deployed: Deployment) -> None:
    before = snapshot(deployed.store.database)
    deployed.store.database.unlink()
    shutil.rmtree(deployed.root / "cache")
    assert deployed.store.rebuild().replaced == ("b1",)
    assert snapshot(deployed.store.database) == before


def test_an_export_starts_from_the_bytes_that_were_delivered(deployed: Deployment) -> None:
    with open_source(deployed.store) as source, source.delivered("b1") as document:
        assert document is not None
    delivery = deployed.store.delivery("b1")
    assert delivery.annotations.read_bytes() == deployed.demo.annotations.read_bytes()
    masks = "select count(*) from annotation_masks"
    with open_source(deployed.store) as source:
        assert source.con.execute(masks).fetchone() == (deployed.demo.labels,)
