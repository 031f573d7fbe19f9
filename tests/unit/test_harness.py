"""The rules of tests/conftest.py: a forbidden skip fails, a GPU's does not, and nobody's settings reach a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
OPTIONS = ["-p", "no:cacheprovider", "--continue-on-collection-errors"]
SKIPS = """
import pytest

@pytest.mark.skip(reason="no cake")
def test_marked(): ...

@pytest.mark.skip(reason="there is no GPU")
def test_gpu(): ...

def test_called():
    pytest.skip("no tea")

@pytest.mark.xfail(reason="known")
def test_known():
    assert False

@pytest.fixture
def milk():
    pytest.skip("no milk")

def test_fixture(milk): ...

def test_shared(shared): ...
"""
MODULE = """
import pytest
pytest.importorskip("no_such_module")
def test_never(): ...
"""


def outcome(folder: Path, require_all: str) -> str:
    tests = folder / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"))
    (tests / "test_skips.py").write_text(SKIPS)
    (tests / "test_module.py").write_text(MODULE)
    env = os.environ | {"LABEL_QUALITY_REQUIRE_ALL": require_all}
    env |= {"LABEL_QUALITY_SHARED": str(folder / "absent")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *OPTIONS, str(tests)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_a_skip_is_a_skip(tmp_path: Path) -> None:
    assert "6 skipped, 1 xfailed" in outcome(tmp_path, "0")


def test_a_forbidden_skip_fails_and_says_why(tmp_path: Path) -> None:
    text = outcome(tmp_path, "1")
    for reason in ("no cake", "no tea", "no milk", "no real data", "could not import"):
        assert f"LABEL_QUALITY_REQUIRE_ALL=1 and this was skipped. Skipped: {reason}" in text
    # Whoever skips in the test itself fails; whoever skips before (a mark, a fixture, a module) is an error.
    assert "1 failed, 1 skipped, 1 xfailed, 4 errors" in text


def test_settings_of_the_machine_do_not_reach_a_test(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"))
    (tests / "test_env.py").write_text(
        "import os\n"
        "def test_first():\n"
        "    assert 'LABEL_QUALITY_ROOT' not in os.environ\n"
        "    assert os.environ['DAGSTER_HOME'] != 'mine'\n"
        "    os.environ['LABEL_QUALITY_ROOT'] = 'left behind'\n"
        "def test_second():\n"
        "    assert 'LABEL_QUALITY_ROOT' not in os.environ\n"
    )
    env = os.environ | {"LABEL_QUALITY_ROOT": "mine", "DAGSTER_HOME": "mine"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_property_tests_repeat_themselves() -> None:
    import hypothesis

    if os.environ.get("HYPOTHESIS_PROFILE", "ci") != "ci":
        pytest.skip("another profile was asked for")
    assert hypothesis.settings().derandomize
    assert hypothesis.settings().deadline is None
