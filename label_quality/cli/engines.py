"""One SQLAlchemy engine per database file while a command runs, instead of one per event.

Dagster's SQLite storages make an engine for every event that they store or look up, about 800 in one audit, and with
each engine every statement is compiled anew: about two seconds of a small audit. Where Dagster's modules are not as
expected, nothing is changed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MODULES = (
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
)
_NAME = "create_engine"


@contextmanager
def kept_engines() -> Iterator[None]:
    """Keep the engines of Dagster's SQLite storages for as long as the block runs."""
    from sqlalchemy import Engine, QueuePool

    engines: dict[str, Any] = {}
    changed: list[tuple[Any, Any]] = []
    for module in (_import(name) for name in _MODULES):
        make = getattr(module, _NAME, None)
        if make is None:
            continue

        def kept(url: str, *, _make: Any = make, **options: Any) -> Any:
            if url not in engines:
                engines[url] = _keeping(_make(url, **options | {"poolclass": QueuePool}))
            return engines[url]

        setattr(module, _NAME, kept)
        changed.append((module, make))
    try:
        yield
    finally:
        for module, make in changed:
            setattr(module, _NAME, make)
        for engine in engines.values():
            Engine.dispose(engine)


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
