"""The application as a server on a free port of this machine, in a thread of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from label_quality.review.app import create_app
from label_quality.settings import Settings


class Served:
    """An application that listens on this machine."""

    def __init__(self, root: Path, token: str | None = None) -> None:
        self.root = root
        self.app = create_app(Settings(root=str(root)), token)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = uvicorn.Config(self.app, host="127.0.0.1", port=self.port, log_level="error")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        end = time.monotonic() + 30
        while not self._server.started and time.monotonic() < end:
            time.sleep(0.02)
        assert self._server.started

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


@contextmanager
def serving(root: Path, token: str | None = None) -> Iterator[Served]:
    served = Served(root, token)
    served.start()
    try:
        yield served
    finally:
        served.stop()
