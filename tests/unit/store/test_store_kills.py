"""A process that is killed, at whatever point, leaves the old state or the new one, and the next call completes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from store_rows import audit, dump, markers, write_steps

from label_quality.store import Store

SCRIPT = Path(__file__).with_name("kill_points.py")
KILLED = -9
OLD = {"b1": {"r1"}, "b2": {"r1"}}
NEW = {"b1": {"r2"}, "b2": {"r1"}}

# Every step of publishing. The file is new from the replace on.
UPDATE = [
    "after copyfile",
    "after ATTACH",
    "after BEGIN",
    "after DELETE FROM annotations",
    "before INSERT INTO findings",
    "after INSERT INTO findings",
    "after DELETE FROM _published",
    "before COMMIT",
    "after COMMIT",
    "before CHECKPOINT",
    "after CHECKPOINT",
    "after DETACH",
    "before unlink label_quality.duckdb.wal",
    "before replace label_quality.duckdb",
]
AFTER = ["after replace label_quality.duckdb"]
ANEW = [
    "after CREATE TABLE _schema",
    "after INSERT INTO findings",
    "after COMMIT",
    "after CHECKPOINT",
    "before replace label_quality.duckdb",
    *AFTER,
]


def run_killed(folder: Path, template: Store, action: str, points: list[str]) -> list[Store]:
    """A copy of the template's root for each point, in which `action` was killed at that point."""
    roots = [folder / str(i) for i in range(len(points))]
    for root in roots:
        shutil.copytree(template.root, root)
    command = [sys.executable, str(SCRIPT), str(folder), action, *points]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ended = dict(zip(points, map(int, done.stdout.split()), strict=True))
    assert ended == dict.fromkeys(points, KILLED), done.stderr  # else the point was never reached
    return [Store(root) for root in roots]


@pytest.fixture
def published(tmp_path: Path) -> Store:
    """Two batches of run r1, published; of b1, run r2 is committed."""
    store = Store(tmp_path / "template")
    audit(store, "b1", "r1")
    audit(store, "b2", "r1")
    store.publish()
    audit(store, "b1", "r2")
    return store


def test_publish_killed_at_every_step(published: Store, tmp_path: Path) -> None:
    points = [*UPDATE, *AFTER]
    stores = run_killed(tmp_path / "killed", published, "publish", points)
    published.rebuild()
    wanted = dump(published.database)
    for point, store in zip(points, stores, strict=True):
        assert markers(store.database) == (NEW if point in AFTER else OLD), point
        assert store.publish().changed == (point not in AFTER), point
        assert dump(store.database) == wanted, point
        assert not list(store.root.glob(".*.tmp*")), point


@pytest.mark.parametrize("action", ["publish", "rebuild"])
def test_a_file_made_anew_killed_at_every_step(
    published: Store, tmp_path: Path, action: str
) -> None:
    if action == "publish":
        published.database.unlink()
    stores = run_killed(tmp_path / "killed", published, action, ANEW)
    for point, store in zip(ANEW, stores, strict=True):
        if point in AFTER:
            assert markers(store.database) == NEW, point
        elif action == "publish":
            assert not store.database.exists(), point
        else:
            assert markers(store.database) == OLD, point
        store.publish()
        assert markers(store.database) == NEW, point
        assert not list(store.root.glob(".*.tmp*")), point


def test_a_step_killed_while_it_writes(published: Store, tmp_path: Path) -> None:
    points = ["before replace r3.parquet", "after replace r3.parquet"]
    stores = run_killed(tmp_path / "killed", published, "write", points)
    for store, there in zip(stores, [False, True], strict=True):
        assert (store.root / "tables/images/b1/r3.parquet").exists() == there
        store.publish()
        assert markers(store.database) == NEW  # what is not committed is not seen
        audit(store, "b1", "r4")  # whatever the killed run left
        store.publish()
        assert markers(store.database)["b1"] == {"r4"}
        store.purge("b1")
        left = {p.name for p in (store.root / "tables/images/b1").iterdir()}
        assert left == {"r1.parquet", "r2.parquet", "r4.parquet"}


def test_commit_killed_at_every_step(published: Store, tmp_path: Path) -> None:
    write_steps(published, "b1", "r3")
    points = ["before fsync", "after fsync", "before replace b1.json", "after replace b1.json"]
    stores = run_killed(tmp_path / "killed", published, "commit", points)
    for point, store in zip(points, stores, strict=True):
        manifest = store.manifest("b1")
        assert manifest is not None
        assert manifest.run_id == ("r3" if point.startswith("after replace") else "r2"), point
        store.publish()
        assert markers(store.database)["b1"] == {manifest.run_id}, point
        store.commit("b1", "r3")
        store.publish()
        assert markers(store.database)["b1"] == {"r3"}, point


def test_a_batch_delivered_again_while_its_run_was_killed(store: Store, labels: Path) -> None:
    """Readers and the rebuild never see annotations of one version beside findings of the other."""
    store.deliver("b1", labels)
    audit(store, "b1", "r1")
    labels.write_text('{"images": [1]}')
    store.deliver("b1", labels)
    written: list[str] = []
    for table in ["batches", "images", "annotations", "findings"]:
        written.append(table)
        write_steps(store, "b1", "r2", only=[table])  # killed after this step
        store.rebuild()
        assert markers(store.database) == {"b1": {"r1"}}, written
    audit(store, "b1", "r3")
    store.publish()
    assert markers(store.database) == {"b1": {"r3"}}
