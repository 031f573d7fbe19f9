"""What holds for all tests: nobody's own settings reach them, a skip can be forbidden, property tests repeat themselves.

Variables:
    LABEL_QUALITY_REQUIRE_ALL=1  a skip is a failure, except one whose reason speaks of a GPU.
    LABEL_QUALITY_SHARED=DIR     the folder of real data, where it is not ``../shared``.
    HYPOTHESIS_PROFILE=explore   other examples on every run; default ``ci``, the same on every run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

PROJECT = Path(__file__).resolve().parents[1]
REQUIRE_ALL = "LABEL_QUALITY_REQUIRE_ALL"
SHARED = "LABEL_QUALITY_SHARED"
_OF_THE_TESTS = {REQUIRE_ALL, SHARED, "LABEL_QUALITY_FUZZ"}

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


# The environment ------------------------------------------------------------------------------------------------


def _is_ours(name: str) -> bool:
    return name.startswith(("LABEL_QUALITY_", "DAGSTER_", "DG_")) and name not in _OF_THE_TESTS


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _is_ours(name)}


def _restore(variables: dict[str, str]) -> None:
    for name in _variables():
        del os.environ[name]
    os.environ.update(variables)


@contextmanager
def _left_as_found() -> Iterator[None]:
    """The commands set variables for what they start; no later test may see them."""
    before = _variables()
    try:
        yield
    finally:
        _restore(before)


def pytest_configure(config: pytest.Config) -> None:
    """Before anything of the project is imported: settings are read at import in places."""
    _restore({})


@pytest.fixture(scope="module", autouse=True)
def _a_dagster_home_of_the_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A command that a test calls would otherwise write into the history of the project's own runs."""
    with _left_as_found():
        os.environ["DAGSTER_HOME"] = str(tmp_path_factory.mktemp("dagster_home"))
        yield


@pytest.fixture(autouse=True)
def _variables_as_found() -> Iterator[None]:
    with _left_as_found():
        yield


# Real data ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the project; the test is skipped where it is absent."""
    folder = Path(os.environ.get(SHARED) or PROJECT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there ({SHARED} may name it)")
    return folder


# Skips ----------------------------------------------------------------------------------------------------------


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get(REQUIRE_ALL) != "1":
        return
    longrepr: Any = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    if "GPU" in reason:
        return
    report.outcome = "failed"
    report.longrepr = f"{REQUIRE_ALL}=1 and this was skipped. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[misc]
    _forbid_skip(report)
    return report  # type: ignore[return-value]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report: pytest.CollectReport = yield  # type: ignore[misc]
    _forbid_skip(report)
    return report  # type: ignore[return-value]
