"""A PostgreSQL server of the tests' own, from Debian's package: on loopback, in a folder that goes away with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers.listening import free_port


def programs() -> Path:
    """The folder of initdb and pg_ctl; the test is skipped where there is none."""
    named = shutil.which("initdb")
    if named:
        return Path(named).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        pytest.skip("PostgreSQL is not installed")
    return installed[-1].parent


@contextmanager
def server() -> Iterator[str]:
    """The URL of a running server, without a database's name at its end."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = Path(tempfile.mkdtemp(prefix="label_quality_postgres_"))
    run: list[str] = []
    if os.geteuid() == 0:  # it refuses to be run by root
        shutil.chown(folder, "postgres", "postgres")
        run = ["runuser", "-u", "postgres", "--"]
    port = free_port()
    place, data = programs(), str(folder / "data")
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    )
    quiet = {"stdout": subprocess.DEVNULL, "cwd": "/"}
    try:
        initdb = [*run, place / "initdb", "-D", data, "-A", "trust", "-U", "reviews", "-E", "UTF8"]
        subprocess.run(initdb, check=True, **quiet)
        log = str(folder / "log")
        start = [*run, place / "pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start"]
        subprocess.run(start, check=True, **quiet)
        try:
            yield f"postgresql://reviews:secret@127.0.0.1:{port}"
        finally:
            subprocess.run([*run, place / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(url: str, name: str) -> str:
    """The URL of a database that is made for one test."""
    import psycopg

    with psycopg.connect(f"{url}/postgres", autocommit=True) as con:
        con.execute(f'CREATE DATABASE "{name}"')
    return f"{url}/{name}"
