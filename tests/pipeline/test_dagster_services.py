"""The real thing: `dagster-webserver`, `dagster-daemon`, `dg dev` and `label-quality ui` on the project's own files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from conftest import Audited
from pipeline_tools import (
    PROJECT,
    PYTHON_TOOLS,
    environment,
    free_port,
    graphql,
    loaded_locations,
    query,
    service,
    wait_for,
)

from label_quality.demo import Demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUN = """query ($id: ID!) { runOrError(runId: $id) { __typename ... on Run {
  status jobName tags { key value } assetMaterializations { assetKey { path } } } } }"""
ASSET = """query ($asset: AssetKeyInput!) { assetOrError(assetKey: $asset) { ... on Asset {
  assetMaterializations(limit: 50) { runId partition metadataEntries { label } } } } }"""
JUDGED = """query ($asset: AssetKeyInput!, $check: String!) {
  assetCheckExecutions(assetKey: $asset, checkName: $check, limit: 50) {
    runId status evaluation { success severity description } } }"""
CHECKS = """query ($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name blocking description } } } } } }"""
TICKS = """query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { status ticks(limit: 100) { id status runIds timestamp skipReason error { message } } } } } }"""
INBOX = {
    "repositoryLocationName": "label_quality",
    "repositoryName": "__repository__",
    "sensorName": "inbox",
}


def ticks(port: int) -> list[dict[str, Any]]:
    """The ticks of the inbox sensor, the latest first; none of them may have failed."""
    data = graphql(port, TICKS, selector=INBOX)
    if not data or "sensorState" not in data["sensorOrError"]:
        return []
    state = data["sensorOrError"]["sensorState"]
    assert state["status"] == "RUNNING"  # by default: nobody has switched it on
    found: list[dict[str, Any]] = state["ticks"]
    assert [t["error"] for t in found if t["status"] == "FAILURE"] == []
    return found


def test_a_run_of_the_command_is_seen_in_the_ui(exceeded: Audited, tmp_path: Path) -> None:
    port = free_port()
    command = [PYTHON_TOOLS / "python", "-m", "label_quality.cli", "ui", "--port", port]
    command += ["--root", exceeded.root]
    log = tmp_path / "ui.log"
    with service(command, cwd=tmp_path, env=environment(exceeded.home), log=log):
        wait_for(lambda: loaded_locations(port) == ["label_quality"], 150, "label-quality ui loads")
        run_id = exceeded.summary["run_id"]
        run = graphql(port, RUN, id=run_id)["runOrError"]
        assert (run["status"], run["jobName"]) == ("SUCCESS", "audit_batch")
        assert {"key": "dagster/partition", "value": "batch"} in run["tags"]
        made = {"/".join(m["assetKey"]["path"]) for m in run["assetMaterializations"]}
        assert {"annotations", "findings", "error_rates", "publish"} <= made
        data = graphql(port, ASSET, asset={"path": ["findings"]})
        (findings,) = [
            m for m in data["assetOrError"]["assetMaterializations"] if m["runId"] == run_id
        ]
        assert findings["partition"] == "batch"
        assert "top findings" in [m["label"] for m in findings["metadataEntries"]]
        data = graphql(port, CHECKS, asset={"path": ["error_rates"]})
        checks = data["assetNodeOrError"]["assetChecksOrError"]["checks"]
        assert len(checks) == 6
        assert not any(c["blocking"] for c in checks)
        assert all(c["description"] for c in checks)
        asked = {"asset": {"path": ["error_rates"]}, "check": "label_error_rate"}
        found = graphql(port, JUDGED, **asked)["assetCheckExecutions"]
        (mine,) = [execution for execution in found if execution["runId"] == run_id]
        assert mine["status"] == "FAILED"
        assert (mine["evaluation"]["success"], mine["evaluation"]["severity"]) == (False, "ERROR")
        assert "error above 0.1%" in mine["evaluation"]["description"]


@dataclass(frozen=True)
class Deployment:
    """The project as it is checked out, with a Dagster home and a root of its own."""

    project: Path
    root: Path
    env: dict[str, str]

    @property
    def home(self) -> Path:
        """``$PWD/dagster_home``."""
        return self.project / "dagster_home"

    def audits(self) -> list[dg.DagsterRun]:
        """All runs of audit_batch."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.get_runs(dg.RunsFilter(job_name="audit_batch")))


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    project, root = tmp_path / "project", tmp_path / "data"
    (project / "dagster_home").mkdir(parents=True)
    for name in ("workspace.yaml", "pyproject.toml", "dagster_home/dagster.yaml"):
        shutil.copyfile(PROJECT / name, project / name)
    (project / "label_quality").symlink_to(PROJECT / "label_quality")
    (root / "inbox").mkdir(parents=True)
    (root / "label_quality.toml").write_text("sensor_interval_seconds = 2\n")
    env = environment(project / "dagster_home", LABEL_QUALITY_ROOT=str(root), PWD=str(project))
    yield Deployment(project, root, env)


def drop(demo: Demo, inbox: Path, name: str) -> None:
    """Deliver a folder as one should: complete, by a rename."""
    shutil.copytree(demo.annotations.parent, inbox / f".{name}")
    (inbox / f".{name}" / "planted_errors.json").unlink()
    (inbox / f".{name}").rename(inbox / name)


def test_a_dropped_batch_is_published_once_whoever_watches(
    deployment: Deployment, demo: Demo, tmp_path: Path
) -> None:
    port, root = free_port(), deployment.root
    database = root / "label_quality.duckdb"
    with ExitStack() as services:
        log = tmp_path / "webserver.log"
        command = [PYTHON_TOOLS / "dagster-webserver", "-w", "workspace.yaml"]
        command += ["-p", port, "-h", "127.0.0.1"]
        services.enter_context(
            service(command, cwd=deployment.project, env=deployment.env, log=log)
        )
        # One after the other: Dagster's own databases do not stand being made by two at once.
        wait_for(lambda: loaded_locations(port) == ["label_quality"], 150, "the webserver loads")
        command = [PYTHON_TOOLS / "dagster-daemon", "run", "-w", "workspace.yaml"]
        log = tmp_path / "daemon.log"
        services.enter_context(
            service(command, cwd=deployment.project, env=deployment.env, log=log)
        )
        drop(demo, root / "inbox", "shift 1")
        wait_for(database.exists, 200, "the batch is published")
        wait_for(
            lambda: query(database, "select count(*) from overall_error_rates") > [(0,)],
            90,
            "refresh runs when publishing has settled",
        )
        before = len(ticks(port))
        wait_for(lambda: len(ticks(port)) >= before + 2, 60, "the sensor goes on")
        (run,) = deployment.audits()
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert run.tags["dagster/partition"] == "shift_1"
        assert run.tags["dagster/sensor_name"] == "inbox"
        asked = [t["runIds"] for t in ticks(port) if t["runIds"]]
        assert asked == [[run.run_id]]
    assert query(database, "select batch, annotations_kept from batches") == [
        ("shift_1", demo.labels)
    ]
    models = query(database, "select model, simulated from models order by 1")
    assert models == [("simulated-strong", True), ("simulated-weak", True)]
    assert query(database, "select distinct file_state from images") == [("ok",)]

    port, started = free_port(), time.time()
    command = [PYTHON_TOOLS / "dg", "dev", "--port", port, "--host", "127.0.0.1"]
    with service(command, cwd=deployment.project, env=deployment.env, log=tmp_path / "dg.log"):
        wait_for(lambda: loaded_locations(port) == ["label_quality"], 150, "dg dev loads")

        def new_ticks() -> list[dict[str, Any]]:
            ended = [t for t in ticks(port) if t["status"] != "STARTED"]
            return [t for t in ended if t["timestamp"] > started]

        wait_for(lambda: len(new_ticks()) >= 3, 90, "the sensor ticks under dg dev")
        # The same sensor, with the same memory: it knows the batch, and dg dev runs nothing again.
        assert {t["skipReason"] for t in new_ticks()} == {"nothing new in inbox/"}
        assert any(t["runIds"] for t in ticks(port))  # it lists the ticks of the daemon as its own
        assert [r.run_id for r in deployment.audits()] == [run.run_id]
