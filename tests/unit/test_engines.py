"""Dagster's SQLite storages keep their engines inside the block, and are as they were after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from label_quality.cli import engines


def test_one_engine_per_file_and_all_restored(tmp_path: Path) -> None:
    import dagster._core.storage.event_log.sqlite.sqlite_event_log as storage

    before = storage.create_engine
    one, other = f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/other.db"
    with engines.kept_engines():
        first = storage.create_engine(one)
        assert storage.create_engine(one) is first
        assert storage.create_engine(other) is not first
        first.dispose()  # as Dagster does after each event
        with first.connect() as a:
            opened = a.connection.dbapi_connection
        with first.connect() as b:
            assert b.connection.dbapi_connection is opened
    assert storage.create_engine is before is create_engine


def test_modules_that_are_not_there_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_MODULES", ("dagster.no_such_module", "label_quality.schema"))
    with engines.kept_engines():
        pass


def test_migration_scripts_are_read_once() -> None:
    import alembic.script
    from alembic.config import Config

    before = vars(alembic.script.ScriptDirectory)["from_config"]
    config = Config()
    config.set_main_option("script_location", "dagster:_core/storage/alembic")
    with engines.kept_engines():
        scripts = alembic.script.ScriptDirectory.from_config(config)
        assert alembic.script.ScriptDirectory.from_config(config) is scripts
    assert vars(alembic.script.ScriptDirectory)["from_config"] is before
    assert alembic.script.ScriptDirectory.from_config(config) is not scripts


def test_a_partition_that_is_there_is_asked_for_once(tmp_path: Path) -> None:
    from dagster import DagsterInstance
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    with DagsterInstance.local_temp(str(tmp_path)) as instance, engines.kept_engines():
        assert not instance.has_dynamic_partition("batch", "a")
        instance.add_dynamic_partitions("batch", ["a"])
        assert instance.has_dynamic_partition("batch", "a")
        instance.delete_dynamic_partition("batch", "a")
        assert instance.has_dynamic_partition("batch", "a")  # remembered
        assert not instance.has_dynamic_partition("other", "a")
    assert "has_dynamic_partition" not in vars(SqliteEventLogStorage)
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert not instance.has_dynamic_partition("batch", "a")


def test_pygments_is_not_imported_for_mako(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from label_quality.cli.engines import kept_engines\n"
        "with kept_engines():\n"
        "    assert 'mako' in sys.modules\n"
        "assert 'pygments.lexers.agile' not in sys.modules\n"
        "assert 'mako.ext.pygmentplugin' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
