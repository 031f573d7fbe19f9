"""The inbox sensor, tick by tick: what becomes a partition and a run, what waits, and what it says about the rest."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from pipeline_tools import tick

from label_quality.assets.alive import at_work
from label_quality.definitions import defs
from label_quality.inbox import Memory
from label_quality.sensors.inbox import inbox
from label_quality.sensors.refreshing import settled
from label_quality.store import Store


class Ticks:
    """A sensor's life: it remembers the cursor from tick to tick, as the daemon does."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.root, self.instance = root, instance
        self.folder = root / "inbox"
        self.folder.mkdir()
        self.cursor: str | None = None

    def tick(self, sensor: dg.SensorDefinition = inbox) -> list[dg.RunRequest] | str:
        """The run requests of one tick, or why it was skipped."""
        result = tick(sensor, self.instance, self.root, self.cursor)
        if isinstance(result, dg.SkipReason):
            return str(result.skip_message)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        requests = list(result.run_requests or [])
        added = [k for r in result.dynamic_partitions_requests or [] for k in r.partition_keys]
        assert added == [r.partition_key for r in requests if r.partition_key]
        return requests

    def deliver(self, name: str, age: float = 60, labels: str = '{"images": []}') -> Path:
        """A folder that came `age` seconds ago."""
        folder = self.folder / name
        (folder / "predictions").mkdir(parents=True, exist_ok=True)
        (folder / "annotations.json").write_text(labels)
        (folder / "predictions" / "m.json").write_text("[]")
        stamp = time.time() - age
        for file in (folder / "annotations.json", folder / "predictions" / "m.json"):
            os.utime(file, (stamp, stamp))
        return folder


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "label_quality.toml").write_text("settle_seconds = 0\n")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(tmp_path / "root", instance)


def _job(name: str) -> dg.JobDefinition:
    return defs.resolve_job_def(name)


def keys(requests: list[dg.RunRequest] | str) -> list[str | None]:
    assert not isinstance(requests, str), requests
    return [r.partition_key for r in requests]


def test_a_new_folder_is_one_run_and_an_unchanged_one_none(ticks: Ticks) -> None:
    ticks.deliver("b1")
    (request,) = ticks.tick()
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "b1"
    assert request.tags["label_quality/inbox"] == "b1"
    assert str(request.run_key).startswith("b1@")
    assert ticks.tick() == "nothing new in inbox/"


def test_an_empty_or_absent_inbox_is_skipped(ticks: Ticks) -> None:
    assert ticks.tick() == "nothing new in inbox/"
    ticks.folder.rmdir()
    assert ticks.tick() == "nothing new in inbox/"


@pytest.mark.parametrize("file", ["annotations.json", "predictions/m.json", "predictions/n.json"])
def test_a_changed_folder_is_a_new_run_key(file: str, ticks: Ticks) -> None:
    folder = ticks.deliver("b1")
    (first,) = ticks.tick()
    (folder / file).write_text('{"images": [{}]}')
    os.utime(folder / file, (1000, 1000))  # an older time is a change as well
    (second,) = ticks.tick()
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key != second.run_key
    assert second.partition_key == "b1"


def test_images_that_arrive_are_a_change(ticks: Ticks) -> None:
    folder = ticks.deliver("b1")
    assert keys(ticks.tick()) == ["b1"]
    (folder / "images").mkdir()
    os.utime(folder / "images", (2000, 2000))
    assert keys(ticks.tick()) == ["b1"]


def settle(ticks: Ticks, text: str) -> None:
    (ticks.root / "label_quality.toml").write_text(text)


def test_what_is_being_written_waits(ticks: Ticks) -> None:
    settle(ticks, "settle_seconds = 1.0\n")
    ticks.deliver(
        "b1", age=1000
    )  # as of a copy that keeps the files' times: the inode's time is new
    assert "b1: still being written" in str(ticks.tick())
    time.sleep(1.1)
    assert keys(ticks.tick()) == ["b1"]


def test_a_rename_needs_no_settling(ticks: Ticks) -> None:
    settle(ticks, "settle_seconds = 1.0\n")
    hidden = ticks.deliver(".b1")
    time.sleep(1.1)
    hidden.rename(ticks.folder / "b1")
    assert keys(ticks.tick()) == ["b1"]


def test_the_done_marker_ends_the_wait_if_it_was_written_last(ticks: Ticks) -> None:
    settle(ticks, "settle_seconds = 1000.0\n")
    folder = ticks.deliver("b1")
    (folder / ".done").touch()
    assert keys(ticks.tick()) == ["b1"]
    time.sleep(0.02)
    (folder / "annotations.json").write_text('{"images": [{}]}')  # a correction is being written
    assert "b1: still being written" in str(ticks.tick())
    (folder / ".done").touch()
    assert keys(ticks.tick()) == ["b1"]


def test_the_done_marker_can_be_required(ticks: Ticks) -> None:
    settle(ticks, "settle_seconds = 0\ndone_marker_required = true\n")
    folder = ticks.deliver("b1")
    assert "b1: its .done file is not there" in str(ticks.tick())
    (folder / ".done").touch()
    assert keys(ticks.tick()) == ["b1"]
    assert ticks.tick() == "nothing new in inbox/"  # the marker is no part of the delivery


def test_a_delivery_that_comes_back_to_what_it_was_runs_again(ticks: Ticks) -> None:
    """Dagster never repeats a run key: the same bytes with the same times need another one."""
    found = []
    for text in ("{}", '{"images": []}', "{}"):
        folder = ticks.deliver("b1", labels=text)
        os.utime(folder / "annotations.json", (1000, 1000))
        os.utime(folder / "predictions" / "m.json", (1000, 1000))
        (request,) = ticks.tick()
        assert isinstance(request, dg.RunRequest)
        found.append(request.run_key)
    assert len(set(found)) == 3


def test_the_memory_is_kept_without_growing_the_cursor(ticks: Ticks) -> None:
    for i in range(60):
        ticks.deliver(f"b{i:02}")
    sizes = []
    while isinstance(ticks.tick(), list):
        sizes.append(len(ticks.cursor or ""))
    assert max(sizes) < 25 * 80
    assert len(Memory.load(Store(ticks.root).shared).folders) == 60
    ticks.cursor = None  # another DAGSTER_HOME: what was audited is not audited again
    assert ticks.tick() == "nothing new in inbox/"


def test_a_tick_that_was_never_launched_is_asked_for_again_with_the_same_key(ticks: Ticks) -> None:
    ticks.deliver("b1")
    (first,) = ticks.tick()
    ticks.cursor = None  # the daemon was killed before it stored anything
    (second,) = ticks.tick()
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key


def test_a_cursor_of_another_root_or_version_is_not_believed(ticks: Ticks) -> None:
    ticks.deliver("b1")
    for cursor in (
        '{"b1": "0123"}',
        '{"id": "x", "folders": {"b1": {"labels": "", "results": ""}}}',
    ):
        ticks.cursor = cursor
        assert keys(ticks.tick()) == ["b1"]


def test_what_is_no_delivery_is_named_with_the_reason(ticks: Ticks) -> None:
    (ticks.folder / "empty").mkdir()
    (ticks.folder / "two").mkdir()
    for name in ("a.json", "b.json"):
        (ticks.folder / "two" / name).write_text("{}")
    (ticks.folder / "loose.json").write_text("{}")
    (ticks.folder / ".hidden").mkdir()
    message = str(ticks.tick())
    assert "empty: it needs annotations.json" in message
    assert "two: it needs annotations.json" in message
    assert "hidden" not in message
    ticks.deliver("b1")
    assert keys(ticks.tick()) == ["b1"]  # one that is no delivery does not hold up the others


def test_one_json_file_of_any_name_is_the_annotations(ticks: Ticks) -> None:
    folder = ticks.deliver("b1")
    (folder / "annotations.json").rename(folder / "labels of May.json")
    assert keys(ticks.tick()) == ["b1"]


ODD = {
    "batch 1": "batch_1",
    "März, 2": "Marz_2",
    "a,b;c": "a_b_c",
    "v1.2_x-y": "v1.2_x-y",
    "x" * 120: "x" * 100,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_names_become_partition_keys_that_dagster_takes(name: str, ticks: Ticks) -> None:
    ticks.deliver(name)
    (request,) = ticks.tick()
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == ODD[name]
    assert request.tags["label_quality/inbox"] == name  # the run finds the folder by it


def test_a_name_without_letters_does_not_hold_up_the_others(ticks: Ticks) -> None:
    ticks.deliver("!!!")
    assert "'!!!' holds no letter or digit" in str(ticks.tick())
    ticks.deliver("b1")
    assert keys(ticks.tick()) == ["b1"]


def test_two_folders_of_one_batch_never_overwrite_each_other(ticks: Ticks) -> None:
    ticks.deliver("b 1")
    ticks.deliver("b,1")
    (first,) = ticks.tick()
    assert isinstance(first, dg.RunRequest)
    assert first.tags["label_quality/inbox"] == "b 1"  # the first by the alphabet
    message = str(ticks.tick())
    assert "b,1: it would be batch b_1, which is folder b 1; give it another name" in message
    ticks.deliver("b_1")  # even the folder of that very name: who came first keeps it
    assert "b_1: it would be batch b_1, which is folder b 1" in str(ticks.tick())
    shutil.rmtree(ticks.folder / "b 1")
    (other,) = ticks.tick()
    assert isinstance(other, dg.RunRequest)
    assert other.tags["label_quality/inbox"] == "b_1"


def test_at_most_25_runs_a_tick(ticks: Ticks) -> None:
    names = [f"b{i:02}" for i in range(60)]
    for name in names:
        ticks.deliver(name)
    found = [keys(ticks.tick()) for _ in range(3)]
    assert [len(f) for f in found] == [25, 25, 10]
    assert [key for tick in found for key in tick] == names
    assert ticks.tick() == "nothing new in inbox/"


def test_refresh_runs_once_after_publishing_has_settled(ticks: Ticks) -> None:
    assert ticks.tick(settled) == "nothing was committed since"
    manifest = {"batch": "b1", "run_id": "r1", "delivery": "d", "committed_at": "t1", "tables": {}}
    (ticks.root / "batches").mkdir()
    (ticks.root / "batches" / "b1.json").write_text(json.dumps(manifest))
    going = ticks.instance.create_run_for_job(
        _job("audit_batch"), status=dg.DagsterRunStatus.STARTED
    )
    assert ticks.tick(settled) == "an audit is under way"
    ticks.instance.report_run_failed(going)
    assert len(ticks.tick(settled)) == 1
    assert ticks.tick(settled) == "nothing was committed since"


def test_a_run_whose_process_was_killed_is_recorded_as_failed(ticks: Ticks) -> None:
    """Dagster would count it as going on for ever: no later run of its batch would leave the queue."""
    job = _job("refresh")
    dead, going, other = (
        ticks.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED) for _ in range(3)
    )
    child = os.fork()
    if child == 0:
        with at_work(ticks.root, dead.run_id):
            os._exit(0)  # nothing is cleaned up, as after SIGKILL
    os.waitpid(child, 0)
    with at_work(ticks.root, going.run_id):
        ticks.tick()
    states = [ticks.instance.get_run_by_id(r.run_id) for r in (dead, going, other)]
    assert [s.status.value for s in states if s] == ["FAILURE", "STARTED", "STARTED"]
    assert not list((ticks.root / "locks" / "runs").iterdir())
