"""Dagster's SQLite files stay open while a command runs, and what does not change is looked up once.

Dagster's SQLite storages make an engine and a connection for every event that they store or look up, about 800 in one
audit, with each engine every statement is compiled anew, and for each file all of Dagster's migration scripts are read:
together four seconds of a small audit. It asks some sixty times whether the partition is there. Where Dagster's modules are
not as expected, nothing is changed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_MODULES = (
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
)
_ASKED = "dagster._core.storage.event_log.sql_event_log"
_NAME = "create_engine"
# Mako, which alembic imports, would load all of pygments to colour tracebacks in HTML.
_UNWANTED = "mako.ext.pygmentplugin"


@contextmanager
def kept_engines() -> Iterator[None]:
    """Keep the engines and connections of Dagster's SQLite storages for as long as the block runs."""
    from sqlalchemy import Engine, QueuePool

    engines: dict[str, Any] = {}
    with ExitStack() as restored:
        _leave_out(restored, _UNWANTED)
        for module in (_import(name) for name in _MODULES):
            make = getattr(module, _NAME, None)
            if make is None:
                continue

            def kept(url: str, *, _make: Any = make, **options: Any) -> Any:
                if url not in engines:
                    engines[url] = _keeping(_make(url, **options | {"poolclass": QueuePool}))
                return engines[url]

            _replace(restored, module, _NAME, make, kept)
        _read_migrations_once(restored)
        _remember_partitions(restored)
        try:
            yield
        finally:
            for engine in engines.values():
                Engine.dispose(engine)


def _replace(restored: ExitStack, place: Any, name: str, before: Any, now: Any) -> None:
    setattr(place, name, now)
    restored.callback(setattr, place, name, before)


def _read_migrations_once(restored: ExitStack) -> None:
    """Each new file is stamped with the latest migration: the scripts are the same for all of them."""
    script = getattr(_import("alembic.script"), "ScriptDirectory", None)
    read = getattr(script, "from_config", None)
    if read is None:
        return
    known: dict[str | None, Any] = {}

    def kept(config: Any) -> Any:
        place = config.get_main_option("script_location")
        if place not in known:
            known[place] = read(config)
        return known[place]

    _replace(restored, script, "from_config", vars(script)["from_config"], staticmethod(kept))


def _remember_partitions(restored: ExitStack) -> None:
    """A partition that is there stays there while the command runs: nobody removes one that is being audited."""
    storage = getattr(_import(_ASKED), "SqlEventLogStorage", None)
    ask = getattr(storage, "has_dynamic_partition", None)
    if ask is None:
        return
    there: set[tuple[int, str, str]] = set()

    def known(self: Any, partitions_def_name: str, partition_key: str) -> bool:
        key = (id(self), partitions_def_name, partition_key)
        if key not in there and ask(self, partitions_def_name, partition_key):
            there.add(key)
        return key in there

    _replace(restored, storage, "has_dynamic_partition", ask, known)


def _leave_out(restored: ExitStack, module: str) -> None:
    if module not in sys.modules:
        sys.modules[module] = None  # type: ignore[assignment]  # import then raises ImportError
        restored.callback(sys.modules.pop, module, None)


def _keeping(engine: Any) -> Any:
    """`engine`, which now keeps its connections: Dagster opens one for each event and disposes of the engine after it."""
    from sqlalchemy import event

    # No wait for the disk after each event: what is committed survives a killed process, if not a power cut.
    event.listen(engine, "connect", lambda con, _: con.execute("PRAGMA synchronous = NORMAL"))
    engine.dispose = lambda close=True: None
    return engine


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
