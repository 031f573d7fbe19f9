"""Small file operations that the store's promises rest on: atomic replacement and advisory locks. No table is known here."""

from __future__ import annotations

import fcntl
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from label_quality.store.errors import BatchBusy, StoreError

TEMPORARY = ".tmp"


def temporary_name(final: Path) -> Path:
    """A name beside `final` that no reader looks at and no other writer uses."""
    return final.with_name(f".{final.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}{TEMPORARY}")


@contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """Yields a temporary path; when the block ends without an error it becomes `final`, else it is removed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(final)
    try:
        yield temporary
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(final: Path, value: object) -> None:
    """Replace `final` atomically by `value` as indented JSON, on disk before it is seen."""
    with replacing(final) as temporary, temporary.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())


T = TypeVar("T")


def read_json(path: Path, type: type[T]) -> T | None:
    """The JSON file as `type`; None when it is not there, StoreError when it is not what it should be."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=type)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def now(seconds: float | None = None) -> str:
    """The time in UTC, ISO 8601 with microseconds; with `seconds` since 1970, that time."""
    time = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="microseconds")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock file `path` and hold it. The kernel frees it when the holder ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Holder(msgspec.Struct):
    pid: int
    since: str


@contextmanager
def locked_at_once(path: Path, batch: str) -> Iterator[None]:
    """Hold the lock file `path`, or raise BatchBusy at once, naming who holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BatchBusy(_busy(path, batch)) from None
        file.truncate(0)
        file.write(msgspec.json.encode(_Holder(os.getpid(), now()[:19])))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def is_held(path: Path) -> bool:
    """Whether a living process is written down as the holder of the lock file `path`.

    It does not try the lock: whoever took it in that very moment would be refused.
    """
    try:
        return is_alive(msgspec.json.decode(path.read_bytes(), type=_Holder).pid)
    except (FileNotFoundError, msgspec.DecodeError):
        return False


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _busy(path: Path, batch: str) -> str:
    try:
        holder = msgspec.json.decode(path.read_bytes(), type=_Holder)
        who = f" (process {holder.pid}, since {holder.since} UTC)"
    except msgspec.DecodeError:  # the holder has the lock but has not written its name yet
        who = ""
    return f"batch {batch} is being audited by another run{who}; wait until it has ended"


_counter = iter(range(1, 1 << 62))
_counter_lock = threading.Lock()


def scratch_name() -> str:
    """A name for a scratch file or folder that starts with this process's id."""
    with _counter_lock:
        return f"{os.getpid()}-{next(_counter)}"
