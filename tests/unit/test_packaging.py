"""What is shipped: the wheel, the command that starts fast, make on a machine that lacks something, the project's own names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import label_quality

PROJECT = Path(__file__).resolve().parents[2]
WORDS = "audit infer download convert selftest split diff status review advice export demo ui sql report rebuild"
COMMANDS = WORDS.split()
# Each costs a tenth of a second or more, and none is needed to say what the words of the command are.
HEAVY = {"dagster", "duckdb", "numpy", "pandas", "pyarrow", "PIL", "pycocotools", "scipy", "torch"}
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


# The wheel ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.mark.parametrize(
    "name", ["py.typed", "store/views.sql", "cli/dagster.yaml", "cli/__init__.py", "definitions.py"]
)
def test_the_wheel_holds(wheel: zipfile.ZipFile, name: str) -> None:
    assert f"label_quality/{name}" in wheel.namelist()


def test_the_wheel_holds_every_file_of_the_package_and_the_licence(wheel: zipfile.ZipFile) -> None:
    """A file that the build leaves out is missed only by those who install the wheel."""
    files = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "label_quality").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "label_quality/__init__.py" in files
    assert files - set(wheel.namelist()) == set()
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())
    outside = {n.split("/")[0] for n in wheel.namelist() if not n.startswith("label_quality/")}
    assert {n for n in outside if not n.endswith(".dist-info")} == set()


def test_the_wheel_s_dagster_yaml_is_the_project_s(wheel: zipfile.ZipFile) -> None:
    shipped = wheel.read("label_quality/cli/dagster.yaml")
    assert shipped == (PROJECT / "dagster_home" / "dagster.yaml").read_bytes()
    assert yaml.safe_load(shipped)["telemetry"] == {"enabled": False}


# The command ----------------------------------------------------------------------------------------------------


def modules_after(code: str) -> set[str]:
    """Top-level names of what a fresh interpreter has imported after `code`."""
    code += (
        "\nimport json, sys; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    ["import label_quality", "import label_quality.cli", "import label_quality.settings"]
    + [
        f"from label_quality.cli import cli; cli.main({words!r}, standalone_mode=False)"
        for words in (["--help"], ["--version"], *([c, "--help"] for c in COMMANDS))
    ],
)
def test_nothing_heavy_is_imported_to_start(code: str) -> None:
    modules = modules_after(code)
    assert "label_quality" in modules
    assert modules & HEAVY == set()


def test_dagster_s_definitions_load_without_what_only_some_runs_need() -> None:
    modules = modules_after("import label_quality.cli.execute, label_quality.definitions")
    assert "dagster" in modules
    assert modules & {"jinja2", "pandas", "scipy", "torch"} == set()


def test_every_command_is_known_here() -> None:
    from label_quality.cli import cli

    assert sorted(cli.commands) == sorted(COMMANDS)


def test_the_command_and_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """The time is printed and not judged: how busy the machine is decides more of it than we do."""
    command = Path(sys.executable).with_name("label-quality")
    start = time.perf_counter()
    done = subprocess.run([command, "--help"], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    assert done.returncode == 0
    assert all(re.search(rf"^  {name} ", done.stdout, re.MULTILINE) for name in COMMANDS)
    with capsys.disabled():
        print(f" label-quality --help: {seconds:.2f} s ", end="")


def test_the_version_is_said_the_same_everywhere(pyproject: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "label_quality.cli", "--version"], capture_output=True, text=True
    )
    assert done.stdout.strip() == f"label-quality, version {label_quality.__version__}"
    assert pyproject["project"]["version"] == label_quality.__version__
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{label_quality.__version__}]" in changes


# make -----------------------------------------------------------------------------------------------------------


def make(*words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`path` holds modules that this interpreter finds before its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "VENV", "PYTHON"))}
    if path:
        env["PYTHONPATH"] = str(path)
    return subprocess.run(
        ["make", *words], cwd=PROJECT, env=env, capture_output=True, text=True, timeout=120
    )


@needs_make
def test_make_lists_what_there_is() -> None:
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    done = make()
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^  ([\w-]+)  +\S", done.stdout, re.MULTILINE) == phony.split()


@needs_make
@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_names_the_package_where_ensurepip_is_missing(tmp_path: Path, target: str) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ModuleNotFoundError('No module named ensurepip')")
    venv = tmp_path / "venv"
    done = make(target, f"VENV={venv}", f"PYTHON={sys.executable}", path=tmp_path)
    assert done.returncode == 2
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert f"apt-get install {package}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not venv.exists()


@needs_make
@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
def test_make_refuses_a_python_that_is_too_old_or_too_new(
    tmp_path: Path, version: tuple[int, int, int]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.version_info = {version}")
    venv = tmp_path / "venv"
    done = make("demo", f"VENV={venv}", f"PYTHON={sys.executable}", path=tmp_path)
    assert done.returncode == 2
    assert "label_quality needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert not venv.exists()


@needs_make
def test_make_says_when_there_is_no_such_python(tmp_path: Path) -> None:
    done = make("demo", f"VENV={tmp_path / 'venv'}", f"PYTHON={tmp_path / 'python'}")
    assert done.returncode == 2
    assert "nothing that runs" in done.stderr


# Names that have to agree ---------------------------------------------------------------------------------------


def test_the_code_location_has_one_name(pyproject: dict[str, Any]) -> None:
    """Sensors keep their cursor by it: under another name every batch would run again."""
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text(encoding="utf-8"))
    (entry,) = workspace["load_from"]
    dg = pyproject["tool"]["dg"]["project"]
    assert entry["python_module"]["location_name"] == dg["code_location_name"]
    assert entry["python_module"]["module_name"] == dg["code_location_target_module"]


def test_hooks_fetch_nothing() -> None:
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {h["language"] for repo in config["repos"] for h in repo["hooks"]} == {"system"}


def test_the_map_of_the_rooms_names_every_room() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = PROJECT / "label_quality"
    rooms = {p.parent.name + "/" for p in package.glob("*/__init__.py")}
    rooms |= {p.name for p in package.glob("*.py") if p.name != "__init__.py"}
    assert {room for room in rooms if f"`{room}`" not in text} == set()


def test_every_path_that_contributing_names_is_there() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:label_quality|tests|docs|benchmarks|\.ci)/[\w./]*)`", text)
    assert len(named) > 10
    assert [path for path in named if not (PROJECT / path).exists()] == []
