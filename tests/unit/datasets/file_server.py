"""A real HTTP server on the loopback address, whose connections break where a test says so."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class File:
    """What lies at a path, and what goes wrong with it."""

    body: bytes
    ranges: bool = True
    etag: str | None = '"1"'
    length: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes after which each answer breaks off
    statuses: list[int] = field(default_factory=list)  # of the first answers
    wrong_range: bool = False


@dataclass
class Server:
    url: str
    files: dict[str, File]
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range

    def ranges(self, path: str) -> list[str | None]:
        return [asked for where, asked in self.asked if where == path]


@contextmanager
def serving(files: dict[str, File]) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            _answer(self, server)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_port}", files)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, server: Server) -> None:
    asked = handler.headers.get("Range")
    server.asked.append((handler.path, asked))
    file = server.files.get(handler.path)
    if file is None:
        return _status(handler, 404)
    if file.statuses:
        return _status(handler, file.statuses.pop(0))
    start, status = 0, 200
    valid = handler.headers.get("If-Range") in (None, file.etag)
    if asked and file.ranges and valid:
        start, status = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]), 206
        if start >= len(file.body):
            return _status(handler, 416)
        start -= file.wrong_range
    body = file.body[start:]
    handler.send_response(status)
    if file.etag:
        handler.send_header("ETag", file.etag)
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(file.body) - 1}/{len(file.body)}")
    if file.length:
        handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body[: file.cuts.pop(0)] if file.cuts else body)
    handler.close_connection = True
    return None


def _status(handler: BaseHTTPRequestHandler, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
