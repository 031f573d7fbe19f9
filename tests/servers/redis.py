"""A Redis server of the tests' own, from Debian's package: on loopback, nothing on disk."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from servers.listening import free_port, wait_for


@contextmanager
def server() -> Iterator[str]:
    """The URL of database 0 of a running server; the test is skipped where Redis is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="label_quality_redis_") as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        process = subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            wait_for(port, process, "redis-server", 10)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()
