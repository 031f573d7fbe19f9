"""What the servers have in common: a free port, and the wait until somebody listens there."""

from __future__ import annotations

import socket
import subprocess
import time


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], name: str, seconds: float) -> None:
    """Wait until `process` listens; AssertionError when it ends before, or does not within about `seconds`."""
    for _ in range(int(seconds / 0.05)):
        assert process.poll() is None, f"{name} ended by itself"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{name} does not listen")
