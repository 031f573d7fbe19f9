"""An audit that is killed, wherever: the database is the old or the new one, and the next audit publishes the new one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from pipeline_tools import NO_LIMITS, environment, snapshot

from label_quality.demo import make_demo
from label_quality.schema import TABLES
from label_quality.settings import load_settings
from label_quality.store import Store

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("kill_audits.py")
KILLED = -9
STEPS = [
    *("ingest", "import_predictions", "predictions", "quarantine", "annotation_pairs"),
    *("image_and_annotation_metrics", "prediction_overlaps", "finding_scores", "outcomes"),
    *("prediction_metrics", "findings", "error_rates", "drift", "publish"),
]
INSIDE = ["before manifest", "after manifest", "after copy", "after begin", "after insert"]
INSIDE += ["before commit", "after commit", "before rename", "after rename"]
# Nothing is written between the end of a step and the start of the next: they are one boundary.
STARTS = [f"start {step}" for step in STEPS]
POINTS = [*STARTS, *INSIDE, "end publish", "end overall"]
NEW_FROM = {"after rename", "end publish", "end overall"}
COMMITTED_FROM = NEW_FROM | set(INSIDE[1:])
NEXT = ["start ingest", "start findings", "after manifest", "after copy"]
NEXT += ["before rename", "after rename"]
REBUILT = ["start publish", "before manifest", "after manifest", "after insert", "end publish"]
WITH_HISTORY = "before rename"  # this one keeps Dagster's history on disk
SETTINGS = NO_LIMITS + "[duckdb]\nthreads = 1\n"
OF_THE_REFRESH = {*(n for n, t in TABLES.items() if not t.per_batch), "_published"}


@dataclass(frozen=True)
class Batch:
    """One version of a batch."""

    annotations: Path
    predictions: Path


def audit(batch: Batch, pairs: list[tuple[Path, str]], folder: Path) -> list[int]:
    """How each audit ended."""
    command = [sys.executable, str(SCRIPT), str(batch.annotations), str(batch.predictions)]
    command += [str(part) for pair in pairs for part in pair]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(folder), cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [int(line) for line in done.stdout.split()]


@dataclass(frozen=True)
class Versions:
    """Two versions of a batch, a root in which the first is published, and the databases of both."""

    first: Batch
    second: Batch
    template: Path
    old: dict[str, list[str]]
    new: dict[str, list[str]]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    folder = tmp_path_factory.mktemp("kills")
    demo = make_demo(folder / "demo", images=3)
    document = json.loads(demo.annotations.read_text("utf-8"))
    del document["annotations"][::4]
    fewer = folder / "annotations.json"
    fewer.write_text(json.dumps(document), "utf-8")
    strong, weak = demo.predictions.values()
    first, second = Batch(demo.annotations, strong), Batch(fewer, weak)
    template, other = folder / "template", folder / "other"
    template.mkdir()
    (template / "label_quality.toml").write_text(SETTINGS)
    assert audit(first, [(template, "none")], folder) == [0]
    shutil.copytree(template, other)
    assert audit(second, [(other, "none")], folder) == [0]
    old, new = (snapshot(root / "label_quality.duckdb") for root in (template, other))
    assert len(old["annotations"]) > len(new["annotations"]) > 0
    assert old["findings"] != new["findings"]
    assert set(old) == set(new)
    return Versions(first, second, template, old, new)


@dataclass(frozen=True)
class Killed:
    """What killed audits left, by point: roots, how they ended, databases, and what a rebuild makes of them."""

    roots: dict[str, Path]
    ended: dict[str, int]
    left: dict[str, dict[str, list[str]]]
    rebuilt: dict[str, dict[str, list[str]]]
    next_ended: dict[str, int]
    after_next: dict[str, dict[str, list[str]]]


def rebuilt(root: Path) -> dict[str, list[str]]:
    """A copy of the root whose database is made anew from the manifests."""
    copy = root.with_name(f"{root.name}-rebuilt")
    shutil.copytree(root, copy)
    Store(copy, load_settings(copy)).rebuild()
    return snapshot(copy / "label_quality.duckdb")


@pytest.fixture(scope="module")
def killed(versions: Versions, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """The second version's audit, killed at every point in a root where the first is published."""
    folder = tmp_path_factory.mktemp("killed")
    roots = {point: folder / point.replace(" ", "-") for point in POINTS}
    for root in roots.values():
        shutil.copytree(versions.template, root)
    (roots[WITH_HISTORY] / "home").mkdir()
    ended = audit(versions.second, [(root, point) for point, root in roots.items()], folder)
    left = {point: snapshot(root / "label_quality.duckdb") for point, root in roots.items()}
    made = {point: rebuilt(roots[point]) for point in REBUILT}
    next_ended = audit(versions.second, [(roots[point], "none") for point in NEXT], folder)
    last = {point: snapshot(roots[point] / "label_quality.duckdb") for point in NEXT}
    by_point = dict(zip(POINTS, ended, strict=True)), dict(zip(NEXT, next_ended, strict=True))
    return Killed(roots, by_point[0], left, made, by_point[1], last)


@pytest.mark.parametrize("point", POINTS)
def test_the_database_is_the_old_or_the_new_one(
    point: str, killed: Killed, versions: Versions
) -> None:
    assert killed.ended[point] == KILLED  # else the point was never reached
    wanted = versions.new if point in NEW_FROM else versions.old
    for table in set(versions.old) - OF_THE_REFRESH:
        assert killed.left[point][table] == wanted[table], table
    overall = versions.new if point == "end overall" else versions.old
    assert killed.left[point]["overall_error_rates"] == overall["overall_error_rates"]


@pytest.mark.parametrize("point", REBUILT)
def test_a_rebuild_never_mixes_two_versions(point: str, killed: Killed, versions: Versions) -> None:
    wanted = versions.new if point in COMMITTED_FROM else versions.old
    for table in set(versions.old) - OF_THE_REFRESH:
        assert killed.rebuilt[point][table] == wanted[table], table


@pytest.mark.parametrize("point", NEXT)
def test_the_next_audit_publishes_the_new_version(
    point: str, killed: Killed, versions: Versions
) -> None:
    assert killed.next_ended[point] == 0
    assert killed.after_next[point] == versions.new
    root = killed.roots[point]  # what the killed audit left is cleared away
    assert not [*root.glob(".label_quality.duckdb*"), *root.glob("tables/*/b1/.*")]


def test_the_killed_run_is_recorded_as_failed(killed: Killed) -> None:
    with dg.DagsterInstance.from_config(str(killed.roots[WITH_HISTORY] / "home")) as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="audit_batch"))
        assert [r.status.value for r in runs] == ["SUCCESS", "FAILURE"]


def test_a_batch_delivered_again_while_its_first_run_is_killed(
    versions: Versions, tmp_path: Path
) -> None:
    """Nothing was published before: what comes out is nothing, or one version, never a mixture."""
    roots = [tmp_path / "uncommitted", tmp_path / "committed"]
    for root in roots:
        root.mkdir()
        (root / "label_quality.toml").write_text(SETTINGS)
    for version, points in (
        (versions.first, ["end findings", "before rename"]),
        (versions.second, ["end error_rates", "before manifest"]),
    ):
        pairs = list(zip(roots, points, strict=True))
        assert audit(version, pairs, tmp_path) == [KILLED] * 2
        assert not any((root / "label_quality.duckdb").exists() for root in roots)
    assert rebuilt(roots[0])["annotations"] == []
    first = rebuilt(roots[1])
    for table in set(versions.old) - OF_THE_REFRESH:
        assert first[table] == versions.old[table], table
    assert audit(versions.second, [(root, "none") for root in roots], tmp_path) == [0, 0]
    for root in roots:
        assert snapshot(root / "label_quality.duckdb") == versions.new
