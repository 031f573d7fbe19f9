"""One rendered demo, one Dagster home and a few audits by the real command, shared by all tests that only look at them."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pipeline_tools import NO_LIMITS, PROJECT, command

from label_quality.demo import Demo, make_demo

TOO_LOW = NO_LIMITS.replace(
    "any = { warn = 1.0, error = 1.0 }", "any = { warn = 0.0, error = 0.001 }"
)
TOO_LOW = TOO_LOW.replace("missing = { warn = 1.0,", "missing = { warn = 0.0,")


@dataclass(frozen=True)
class Audited:
    """One audit by the command: where, how it ended, and its summaries."""

    root: Path
    home: Path
    done: subprocess.CompletedProcess[str]
    junit: Path
    json_file: Path

    @property
    def summary(self) -> Any:
        """The JSON summary."""
        return json.loads(self.json_file.read_text("utf-8"))

    @property
    def database(self) -> Path:
        """The published database."""
        return self.root / "label_quality.duckdb"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A small demo batch with predictions of two simulated detectors."""
    return make_demo(tmp_path_factory.mktemp("demo") / "batch", images=8)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home with the project's own configuration."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copyfile(PROJECT / "dagster_home" / "dagster.yaml", folder / "dagster.yaml")
    return folder


def _audit(folder: Path, home: Path, settings: str, *args: object) -> Audited:
    root = folder / "root"
    root.mkdir()
    (root / "label_quality.toml").write_text(settings)
    files = folder / "out" / "summary.json", folder / "out" / "junit.xml"
    written = ["--root", root, "--json", files[0], "--junit", files[1]]
    done = command("audit", *args, *written, home=home, cwd=folder)
    return Audited(root, home, done, files[1], files[0])


@pytest.fixture(scope="session")
def within(tmp_path_factory: pytest.TempPathFactory, demo: Demo, home: Path) -> Audited:
    """Everything given, limits that nothing exceeds: two results files, one with a name of its own."""
    strong, weak = demo.predictions.values()
    return _audit(
        tmp_path_factory.mktemp("within"),
        home,
        NO_LIMITS,
        *("--annotations", demo.annotations, "--images", demo.images, "--batch", "Line 3, März"),
        *("--predictions", strong, "--predictions", f"second={weak}"),
    )


@pytest.fixture(scope="session")
def exceeded(tmp_path_factory: pytest.TempPathFactory, demo: Demo, home: Path) -> Audited:
    """Limits that label errors exceed, and one that only warns."""
    return _audit(
        tmp_path_factory.mktemp("exceeded"),
        home,
        TOO_LOW,
        *(
            "--annotations",
            demo.annotations,
            "--predictions",
            next(iter(demo.predictions.values())),
        ),
    )


@pytest.fixture(scope="session")
def unjudged(tmp_path_factory: pytest.TempPathFactory, demo: Demo, home: Path) -> Audited:
    """Neither predictions nor images, and two labels that cannot be taken."""
    folder = tmp_path_factory.mktemp("unjudged")
    document = json.loads(demo.annotations.read_text("utf-8"))
    document["annotations"][0]["bbox"] = [1, 2, "wide", 4]
    document["annotations"][1]["category_id"] = 999
    (folder / "odd labels.json").write_text(json.dumps(document), "utf-8")
    return _audit(folder, home, "", "--annotations", folder / "odd labels.json")


@pytest.fixture
def instance(home: Path) -> Any:
    """The Dagster instance of `home`, as the commands left it."""
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened
