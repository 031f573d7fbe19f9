"""What a run makes of a delivery of the inbox: only what has to be computed again, and a failure once, with its reason."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from pipeline_tools import NO_LIMITS, audit_in_process, query, tick

from label_quality.assets.alive import at_work, end_dead_runs
from label_quality.assets.history import remove_runs
from label_quality.cli import cli, execute
from label_quality.definitions import build_definitions
from label_quality.demo import Demo
from label_quality.sensors.inbox import inbox
from label_quality.settings import load_settings
from label_quality.store import Store


class Daemon:
    """The inbox sensor, and its runs one after the other, in this process."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.root, self.instance = root, instance
        (root / "inbox").mkdir(parents=True)
        (root / "label_quality.toml").write_text("settle_seconds = 0\n" + NO_LIMITS)
        self.store = Store(root, load_settings(root))
        self.definitions = build_definitions(load_settings(root))
        self.cursor: str | None = None

    def tick(self) -> list[dg.ExecuteInProcessResult]:
        """One tick and the runs that it asks for."""
        result = tick(inbox, self.instance, self.root, self.cursor)
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return [self.run(request) for request in result.run_requests or []]

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        assert request.partition_key
        return audit_in_process(
            self.root,
            self.instance,
            request.partition_key,
            tags=dict(request.tags),
            assets=request.asset_selection,
        )

    def refresh(self) -> None:
        job = self.definitions.resolve_job_def("refresh")
        assert job.execute_in_process(instance=self.instance, run_config=execute._QUIET).success

    def drop(self, name: str, demo: Demo) -> Path:
        """A delivery of the demo's labels and images with the results of its first model."""
        folder = self.root / "inbox" / name
        (folder / "predictions").mkdir(parents=True)
        shutil.copyfile(demo.annotations, folder / "annotations.json")
        shutil.copyfile(next(iter(demo.predictions.values())), folder / "predictions" / "a.json")
        return folder

    def status(self) -> dict[str, tuple[str, str | None]]:
        """batch -> state and message, by the command."""
        done = CliRunner().invoke(cli, ["status", "--json", "--root", str(self.root)])
        assert done.exit_code == 0, done.output
        return {b["batch"]: (b["state"], b["message"]) for b in json.loads(done.output)["batches"]}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(tmp_path / "root", instance)


def steps(result: dg.ExecuteInProcessResult) -> set[str]:
    return {str(e.step_key) for e in result.all_events if e.is_step_start}


def test_new_results_are_computed_from_matching_on_and_new_labels_wholly(
    daemon: Daemon, demo: Demo
) -> None:
    folder = daemon.drop("b1", demo)
    (first,) = daemon.tick()
    assert first.success
    assert "ingest" in steps(first)
    _, weak = demo.predictions.values()
    shutil.copyfile(weak, folder / "predictions" / "b.json")
    (second,) = daemon.tick()
    assert second.success
    assert steps(first) - steps(second) == {
        "ingest",
        "annotation_pairs",
        "image_and_annotation_metrics",
        "inference",
    }
    database = daemon.store.database
    assert query(database, "select model from models order by 1") == [("a",), ("b",)]
    assert query(database, "select distinct model from prediction_overlaps order by 1") == [
        ("a",),
        ("b",),
    ]
    assert query(database, "select run_id from batches") == [(first.run_id,)]
    assert daemon.store.is_current("b1")
    document = json.loads((folder / "annotations.json").read_text())
    del document["annotations"][0]
    (folder / "annotations.json").write_text(json.dumps(document))
    (third,) = daemon.tick()
    assert third.success
    assert steps(third) == steps(first)
    assert query(database, "select annotations_kept from batches") == [(demo.labels - 1,)]
    assert daemon.tick() == []
    done = CliRunner().invoke(cli, ["diff", "b1", "--format", "json", "--root", str(daemon.root)])
    assert done.exit_code == 1, done.output
    found = json.loads(done.output)
    assert [found["counts"][k] for k in ("added", "removed", "changed")] == [0, 1, 0]
    rates = dict(
        query(database, "select error_type, rate from error_rates where category_id is null")
    )
    assert {r["error_type"]: r["new_rate"] for r in found["rates"]} == rates
    assert all(r["old_rate"] is not None for r in found["rates"])
    assert sum(f["new"] + f["remaining"] for f in found["findings"]) == len(
        query(database, "select 1 from findings")
    )
    table = CliRunner().invoke(cli, ["diff", "b1@2", "b1@1", "--root", str(daemon.root)])
    assert table.exit_code == 0  # the same labels, with new results
    assert f"labels: {demo.labels:,} unchanged, 0 added" in table.output
    assert "rate before" in table.output


def checks_of_drift(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    return {c.check_name: c for c in found if c.asset_key == dg.AssetKey("drift")}


def test_a_batch_is_compared_with_those_before_it(daemon: Daemon, demo: Demo) -> None:
    daemon.drop("b1", demo)
    (first,) = daemon.tick()
    assert len(checks_of_drift(first)) == 4
    for check in checks_of_drift(first).values():
        assert check.passed
        assert "not judged, there is no batch before this one" in str(check.description)
    second = daemon.drop("b2", demo) / "annotations.json"
    document = json.loads(second.read_text())
    wanted = document["categories"][0]["id"]
    for record in document["annotations"]:
        record["category_id"] = wanted
    second.write_text(json.dumps(document))
    (result,) = daemon.tick()
    assert result.success  # drift is no failure of the run
    found = checks_of_drift(result)
    mix = found["class_mix_drift"]
    assert (mix.passed, mix.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "Cramér's V of the class mix: " in str(mix.description)
    assert mix.metadata["compared with"].value == "b1"
    assert found["box_size_drift"].passed
    rows = query(
        daemon.store.database,
        "select batch, measure, drifted, predecessors from drift where error_type is null order by all",
    )
    assert rows[:3] == [
        ("b1", "box_size", None, 0),
        ("b1", "class_mix", None, 0),
        ("b1", "unmatched", None, 0),
    ]
    assert ("b2", "class_mix", True, 1) in rows
    assert ("b2", "box_size", False, 1) in rows


def test_new_results_of_a_batch_that_was_not_published_are_a_whole_run(
    daemon: Daemon, demo: Demo
) -> None:
    folder = daemon.drop("b1", demo)
    whole = (folder / "predictions" / "a.json").read_bytes()
    (folder / "predictions" / "a.json").write_bytes(whole[:1000])
    (first,) = daemon.tick()
    assert not first.success
    (folder / "predictions" / "a.json").write_bytes(whole)
    (second,) = daemon.tick()
    assert second.success
    assert "ingest" in steps(second)


BAD = {
    "labels": ("annotations.json", "delivery_taken", "annotations.json, line 1, column 24"),
    "results": ("predictions/a.json", "results_taken", "a.json, line 1, column 9"),
}


@pytest.mark.parametrize("part", BAD)
def test_a_bad_delivery_fails_once_with_a_check_and_holds_up_nobody(
    part: str, daemon: Daemon, demo: Demo
) -> None:
    file, check, message = BAD[part]
    bad = daemon.drop("b1", demo) / file
    bad.write_bytes(bad.read_bytes()[:100])
    daemon.drop("b2", demo)
    first, second = daemon.tick()
    assert (first.success, second.success) == (False, True)
    failed = [c for c in first.get_asset_check_evaluations() if not c.passed]
    assert [(c.check_name, c.severity) for c in failed] == [(check, dg.AssetCheckSeverity.ERROR)]
    assert message in str(failed[0].description)
    assert daemon.tick() == []  # it is not tried again
    state, why = daemon.status()["b1"]
    assert state == "failed"
    assert message in str(why)
    assert daemon.status()["b2"] == ("published", None)
    daemon.refresh()
    rows = query(
        daemon.store.database,
        "select batch, state, labels, deliveries from deliveries order by batch",
    )
    assert rows == [("b1", "failed", None, 1), ("b2", "published", demo.labels, 1)]


def test_a_delivery_that_cannot_even_be_taken_is_accounted_for(daemon: Daemon) -> None:
    tags = {"label_quality/inbox": "gone"}
    result = daemon.run(dg.RunRequest(partition_key="gone", tags=tags))
    assert not result.success
    state, why = daemon.status()["gone"]
    assert (state, str(why).startswith("the delivery gone of the inbox")) == ("failed", True)


def test_a_run_at_work_and_one_that_was_killed(daemon: Daemon, demo: Demo) -> None:
    daemon.store.deliver("b1", demo.annotations)
    assert daemon.status() == {"b1": ("waiting", None)}
    with daemon.store.lock("b1"):
        assert daemon.status() == {"b1": ("running", None)}
    job = daemon.definitions.resolve_job_def("audit_batch")
    run = daemon.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "b1"}
    )
    child = os.fork()
    if child == 0:
        with at_work(daemon.root, run.run_id):
            daemon.store.run("b1", run.run_id)
            os._exit(0)
    os.waitpid(child, 0)
    assert end_dead_runs(daemon.instance, daemon.root) == [run.run_id]
    state, why = daemon.status()["b1"]
    assert (state, str(why).startswith("The process of this run ended")) == ("failed", True)


def test_what_waits_in_the_inbox_is_listed(daemon: Daemon, demo: Demo) -> None:
    daemon.drop("b1", demo)
    (daemon.root / "inbox" / "b2").mkdir()
    done = CliRunner().invoke(cli, ["status", "--root", str(daemon.root)])
    assert "inbox/b1: not taken yet" in done.output
    assert "inbox/b2: it needs annotations.json" in done.output
    assert not (daemon.root / "deliveries").exists()  # it only looks
    empty = CliRunner().invoke(cli, ["status", "--root", str(daemon.root / "nothing")])
    assert "nothing has been delivered" in empty.output


def test_old_runs_are_removed_but_those_that_made_what_is_published(
    daemon: Daemon, demo: Demo, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        daemon.instance = instance
        daemon.drop("b1", demo)
        runs = [*daemon.tick()]
        for _ in range(2):
            os.utime(daemon.root / "inbox" / "b1" / "annotations.json")
            runs += daemon.tick()
        daemon.refresh()
        assert [r.success for r in runs] == [True] * 3
        files = {p.stem for p in (home / "history" / "runs").glob("*.db")}
        assert {r.run_id for r in runs} < files
        manifest = daemon.store.manifest("b1")
        assert manifest
        later = datetime.now(UTC) + timedelta(seconds=5)
        assert remove_runs(instance, later - timedelta(days=1), set()) == []
        gone = remove_runs(instance, later, {manifest.run_id})
        assert set(gone) == {r.run_id for r in runs[:2]}
        assert not {p.stem for p in (home / "history" / "runs").glob("*.db")} & set(gone)
        assert [r.job_name for r in instance.get_runs()] == ["refresh", "audit_batch"]
        event = instance.get_latest_materialization_event(dg.AssetKey("findings"))
        assert event
        assert event.run_id == manifest.run_id
        job = daemon.definitions.resolve_job_def("purge_history")
        assert job.execute_in_process(instance=instance, run_config=execute._QUIET).success
