"""Fetches one file over HTTP: goes on where it was cut off, and hands over nothing that was not verified.

What has arrived lies in ``<name>.part``, the server's mark of its version in ``<name>.part.version``: a file that has changed
meanwhile is fetched anew, as is one of a server that knows no ranges.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

# Told how many bytes came in; negative when what was there has to come again.
Advance = Callable[[int], None]

_CHUNK = 1 << 16  # bytes; of a piece that is cut off nothing is kept
_TIMEOUT = (15, 60)  # seconds to connect, and between two pieces
PAUSES = (0.5, 1, 2, 4, 8)  # seconds before each new try; tries start afresh when something came in
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadError(Exception):
    """A file that could not be had, or is not what it should be; the message is for the user."""


class _Interrupted(Exception):
    """The connection was cut or the server is busy: worth another try."""


def session(threads: int) -> requests.Session:
    """Connections that are kept open, for as many threads."""
    made = requests.Session()
    adapter = HTTPAdapter(pool_connections=threads, pool_maxsize=threads)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


def fetch(
    client: requests.Session,
    url: str,
    target: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    most: int | None = None,
    advance: Advance = lambda _: None,
    pauses: tuple[float, ...] = PAUSES,
) -> None:
    """Fetches `url` to `target`, unless it is there and verified.

    Verified by `size` in bytes and `sha256` where they are given, else by the length that the server names. `most` bounds
    a file whose size is not known. Raises DownloadError, and OSError when `target` cannot be written.
    """
    if target.exists():
        if _fault(target, size, sha256) is None:
            advance(target.stat().st_size)
            return
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(client, url, target.with_name(f"{target.name}.part"), size, most, advance)
    part.check_room()
    for last in (False, True):
        begun = part.have > 0
        part.receive(pauses)
        fault = _fault(part.path, size, sha256)
        if fault is None:
            break
        part.discard()
        if (
            last or not begun
        ):  # else what was left of an earlier try may be the fault: once more from the start
            raise DownloadError(f"{url}: {fault}; what was received has been deleted")
    part.path.replace(target)
    part.version.unlink(missing_ok=True)


def _fault(path: Path, size: int | None, sha256: str | None) -> str | None:
    have = path.stat().st_size
    if size is not None and have != size:
        return f"it has {have:,} bytes instead of {size:,}"
    if sha256 is not None:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            return f"its SHA-256 is {found} instead of {sha256}"
    return None


@dataclass
class _Part:
    """A file on its way."""

    client: requests.Session
    url: str
    path: Path
    size: int | None
    most: int | None
    advance: Advance

    @property
    def version(self) -> Path:
        """Holds the server's mark of the version that the bytes are of."""
        return self.path.with_name(f"{self.path.name}.version")

    @property
    def have(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def check_room(self) -> None:
        """Raises DownloadError when the disk cannot take what is missing."""
        needed, free = (self.size or 0) - self.have, shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise DownloadError(
                f"{self.path.parent} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed"
            )

    def discard(self) -> None:
        """Back to the start."""
        self.advance(-self.have)
        self.path.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def receive(self, pauses: tuple[float, ...]) -> None:
        """Tries until the file is complete by the server's word."""
        self.advance(self.have)
        self.path.touch()
        failures, most = 0, self.have
        while self.size is None or self.have != self.size:
            try:
                self._request()
                return
            except _Interrupted as error:
                # More than ever before is progress; what is lost and comes again is not, else this might never end.
                failures = 0 if self.have > most else failures + 1
                most = max(most, self.have)
                if failures > len(pauses):
                    raise DownloadError(
                        f"{self.url}: {error}; {self.have:,} bytes are kept, the same command goes on from there"
                    ) from None
            time.sleep(pauses[max(failures - 1, 0)])

    def _request(self) -> None:
        """Asks once for what is missing. Raises _Interrupted when the end was not reached."""
        try:
            with self.client.get(
                self.url, headers=self._headers(), stream=True, timeout=_TIMEOUT
            ) as answer:
                total = self._take(answer)
        except requests.exceptions.ChunkedEncodingError:
            raise _Interrupted("the connection was cut") from None
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Interrupted(_reason(error)) from None
        except requests.RequestException as error:
            raise DownloadError(f"{self.url}: {error}") from None
        total = total or self.size
        if total is not None and self.have < total:
            raise _Interrupted(f"the connection was cut at {self.have:,} of {total:,} bytes")

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        mark = self.version.read_text("utf-8") if self.version.exists() else ""
        # Without a mark only a checksum or a size can tell whether the pieces belong together.
        if self.have and (mark or self.size is not None):
            headers["Range"] = f"bytes={self.have}-"
            if mark:
                headers["If-Range"] = mark
        return headers

    def _take(self, answer: requests.Response) -> int | None:
        """Writes what comes; returns the size of the whole file, if the server says it."""
        if answer.status_code == 416:  # more is here than there
            self.discard()
            self.path.touch()
            raise _Interrupted("the server has less than was received")
        start, total = self._place(answer)
        if self.size is not None and total is not None and total != self.size:
            raise DownloadError(
                f"{self.url}: the server has {total:,} bytes instead of {self.size:,}"
            )
        most = self.size or self.most
        if most is not None and total is not None and total > most:
            raise DownloadError(f"{self.url}: the server has more than {most:,} bytes")
        self.advance(start - self.have)
        self.version.write_text(_mark(answer), "utf-8")
        with self.path.open("r+b") as file:
            file.truncate(start)
            file.seek(start)
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
                self.advance(len(chunk))
                if most is not None and file.tell() > most:
                    self.discard()
                    raise DownloadError(f"{self.url}: the server sends more than {most:,} bytes")
        return total

    def _place(self, answer: requests.Response) -> tuple[int, int | None]:
        """Where the bytes belong, and the size of the whole file if the server says it."""
        status = answer.status_code
        if status == 206 and (found := _RANGE.fullmatch(answer.headers.get("Content-Range", ""))):
            if int(found[1]) == self.have:
                return self.have, None if found[2] == "*" else int(found[2])
            raise DownloadError(f"{self.url}: the server sent another part than was asked for")
        if status == 200:
            length = answer.headers.get("Content-Length", "")
            return 0, int(length) if length.isdigit() else None
        if status in _AGAIN:
            raise _Interrupted(f"the server answers {status} {answer.reason}")
        raise DownloadError(f"{self.url}: the server answers {status} {answer.reason}")


def _mark(answer: requests.Response) -> str:
    """What tells one version of the file from another; a weak ETag does not."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _reason(error: Exception) -> str:
    """The innermost words of what requests wraps three times."""
    if isinstance(error, requests.Timeout):
        return "the server does not answer"
    text = str(error)
    if "resolve" in text or "not known" in text:
        return "the name of the server cannot be resolved (is there a network?)"
    return "the server refuses the connection" if "refused" in text else "the connection was cut"
