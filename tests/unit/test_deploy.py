"""The files of deploy/: of the form that Docker and Dagster take, and true to this project. No container is started."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
# The keys of the Compose specification that are used here, and what each may be.
SERVICE: dict[str, type | tuple[type, ...]] = {
    "image": str,
    "build": dict,
    "restart": str,
    "command": list,
    "environment": dict,
    "volumes": list,
    "depends_on": dict,
    "ports": list,
    "healthcheck": dict,
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def test_the_compose_file_has_the_form_of_the_specification(compose: dict[str, Any]) -> None:
    assert {k for k in compose if not k.startswith("x-")} == {"services", "volumes"}
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[a-zA-Z0-9._-]+", name)
        assert set(service) <= set(SERVICE), name
        assert all(isinstance(value, SERVICE[key]) for key, value in service.items()), name
        assert "image" in service
        assert all(isinstance(part, str) for part in service.get("command", []))
        assert all(isinstance(v, str) for v in service.get("environment", {}).values())
        for place in service.get("volumes", []):
            volume, target = place.split(":")
            assert volume in compose["volumes"]
            assert target.startswith("/")
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in compose["services"][other]


def test_only_the_dagster_ui_is_published_and_on_loopback(compose: dict[str, Any]) -> None:
    ports = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert ports == {"webserver": ["127.0.0.1:3000:3000"]}


def test_every_step_has_a_worker_and_only_one_writes_the_database(compose: dict[str, Any]) -> None:
    from label_quality.definitions import build_definitions
    from label_quality.settings import Settings

    options = {
        name: [o for o in s.get("command", []) if o.startswith(("--queues", "--concurrency"))]
        for name, s in compose["services"].items()
    }
    assert options["publisher"] == ["--queues=publish", "--concurrency=1"]
    listening = {o[0].partition("=")[2] for o in options.values() if o}
    used: dict[str, set[str]] = {}
    for job in ("audit_batch", "refresh"):
        for node in build_definitions(Settings()).resolve_job_def(job).all_node_defs:
            used.setdefault(node.tags.get("dagster-celery/queue", "dagster"), set()).add(node.name)
    assert set(used) == listening == {"dagster", "publish"}
    assert used["publish"] == {"publish", "overall"}


def test_what_the_image_copies_and_installs_is_there(compose: dict[str, Any]) -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY "):
            for source in shlex.split(line)[1:-1]:
                assert (PROJECT / source).exists(), source
        if line.startswith("ARG EXTRAS="):
            assert set(line.partition("=")[2].split(",")) <= set(extras)
    assert any(line.startswith("USER ") for line in lines)  # not as root
    built = compose["services"]["worker"]["build"]
    assert (DEPLOY / built["context"] / built["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


def test_the_variables_are_those_that_the_settings_read(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from label_quality.settings import load_settings

    for name, value in compose["services"]["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.root, settings.executor) == ("/data", "celery")
    assert settings.celery.broker == "redis://redis:6379/0"
    assert (settings.object_store, settings.inbox) == ("", "inbox")


def test_dagsters_home_is_that_of_one_machine_but_for_where_history_is() -> None:
    ours, theirs = (
        yaml.safe_load(path.read_text())
        for path in (DEPLOY / "dagster.yaml", PROJECT / "dagster_home" / "dagster.yaml")
    )
    assert ours.pop("storage") == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert ours["run_monitoring"].pop("max_runtime_seconds") > 3600
    ours["concurrency"]["runs"]["max_concurrent_runs"] = theirs["concurrency"]["runs"][
        "max_concurrent_runs"
    ]
    assert ours == theirs
