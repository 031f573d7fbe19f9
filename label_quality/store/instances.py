"""Connections to one DuckDB instance of the process. Making an instance takes 30 ms, a connection to it less than one.

What a connection makes (temporary tables and views, registered arrays) is its own and goes when it is closed; limits are
the instance's. Publishing attaches files and has an instance of its own. Nothing about tables here.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import duckdb

from label_quality.settings import DuckDB
from label_quality.store.files import scratch_name

_lock = threading.Lock()
# The last one only: its connections keep an older one alive until they are closed.
_kept: dict[tuple[DuckDB, Path, int], duckdb.DuckDBPyConnection] = {}


def connection(limits: DuckDB, spill: Path) -> duckdb.DuckDBPyConnection:
    """A connection to the process's in-memory instance with these limits; what exceeds them is written below `spill`."""
    key = (limits, spill, os.getpid())  # a fork has the instance's memory, but not its threads
    with _lock:
        if key not in _kept:
            forget()
            _kept[key] = instance(limits, spill)
        return _kept[key].cursor()


def instance(limits: DuckDB, spill: Path) -> duckdb.DuckDBPyConnection:
    """A new in-memory instance, and a connection to it."""
    con = duckdb.connect(":memory:")
    con.execute("SET memory_limit = ?", [limits.memory_limit])
    if limits.threads:
        con.execute("SET threads = ?", [limits.threads])
    spill.mkdir(parents=True, exist_ok=True)  # DuckDB 2.0.1 makes the last folder only
    con.execute("SET temp_directory = ?", [str(spill / scratch_name())])
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET checkpoint_threshold = '1TB'")  # else temporary tables are rearranged
    return con


def forget() -> None:
    """Let go of the instance: when its last connection is closed, so is it, and its spill folder is removed."""
    for con in _kept.values():
        con.close()
    _kept.clear()
