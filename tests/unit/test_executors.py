"""Which executor runs the jobs is a setting; nothing of Celery is imported without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from label_quality.definitions import build_definitions
from label_quality.settings import Settings, SettingsError, load_settings

OPTIONAL = "{'celery', 'kombu', 'redis', 'dagster_celery', 's3fs', 'botocore', 'aiobotocore'}"


def test_neither_celery_nor_s3_is_imported_by_default(tmp_path: Path) -> None:
    script = (
        "import sys, label_quality.cli, label_quality.definitions as d\n"
        "from label_quality.store import Store\n"
        "assert d.defs.resolve_job_def('audit_batch').executor_def.name == 'in_process'\n"
        f"Store(__import__('pathlib').Path('x')).accounts()\n"
        f"print(sorted({OPTIONAL} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_jobs_run_by_celery_when_the_settings_say_so() -> None:
    pytest.importorskip("dagster_celery", reason="dagster-celery is not installed: extra celery")
    definitions = build_definitions(Settings(executor="celery"))
    names = {
        job: definitions.resolve_job_def(job).executor_def.name
        for job in ("audit_batch", "refresh", "purge_history")
    }
    # What cleans Dagster's history is not worth a worker.
    assert names == {"audit_batch": "celery", "refresh": "celery", "purge_history": "in_process"}


def test_without_the_extra_one_sentence_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "label_quality.distributed", raising=False)
    monkeypatch.setitem(sys.modules, "dagster_celery", None)
    monkeypatch.setitem(sys.modules, "dagster_celery.executor", None)
    with pytest.raises(SettingsError, match=r"pip install 'label_quality\[celery\]'"):
        build_definitions(Settings(executor="celery"))


def test_variables_stand_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "label_quality.toml").write_text(
        'object_store = "s3://a/b"\n[celery]\nbroker = "redis://file/1"\n'
    )
    found = load_settings(tmp_path)
    assert (found.executor, found.celery.broker) == ("in_process", "redis://file/1")
    monkeypatch.setenv("LABEL_QUALITY_EXECUTOR", "celery")
    monkeypatch.setenv("LABEL_QUALITY_BROKER", "rediss://variable/2")
    monkeypatch.setenv("LABEL_QUALITY_OBJECT_STORE", "s3://c/d")
    monkeypatch.setenv("LABEL_QUALITY_INBOX", "s3://c/inbox")
    found = load_settings(tmp_path)
    assert (found.executor, found.celery.broker) == ("celery", "rediss://variable/2")
    assert (found.object_store, found.inbox) == ("s3://c/d", "s3://c/inbox")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("LABEL_QUALITY_EXECUTOR", "celary", "Invalid enum value 'celary'"),
        ("LABEL_QUALITY_BROKER", "amqp://host", "starts with redis://"),
        ("LABEL_QUALITY_OBJECT_STORE", "gs://bucket", "starts with s3://"),
    ],
)
def test_a_slip_in_a_variable_is_told(
    name: str, value: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=why):
        load_settings(tmp_path)
