"""The shared files on an object store that speaks S3's API, through fsspec; see `shared` for what is promised.

A file that never changes is fetched once into a cache below the root, under its own name, and read there: DuckDB and Arrow
see ordinary files. What is written goes from the cache to the store by one PUT, which is atomic. Documents that several
machines may replace at once are replaced on the condition that nobody else did so meanwhile (If-Match). Endpoint and
credentials come from the environment as boto3 reads it (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …).
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import fsspec
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from label_quality.store.errors import StoreError
from label_quality.store.files import locked, replacing, temporary_name
from label_quality.store.keeping import KeptFile, copy_hashing

if TYPE_CHECKING:
    from upath import UPath

T = TypeVar("T")
SCHEME = "s3://"
_THREADS = 16  # requests at a time
_TRIES = 50  # to replace a document that others replace too
_UNUSED = 3 * 86_400  # seconds after which a file leaves the cache
_SWEPT_EVERY = 3600
_LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_FRESH = 10  # seconds for which images that were fetched are taken for what there is
_last_sweep = -math.inf
_looked: dict[str, float] = {}


class ObjectStore:
    """Everything below one URL; `cache` is a folder of this machine, which may be removed at any time between two runs."""

    def __init__(self, url: str, cache: Path) -> None:
        self.url = url.rstrip("/")
        self._base = self.url.removeprefix(SCHEME)
        self._images = cache
        self._cache = cache / hashlib.sha256(self.url.encode()).hexdigest()[:12]
        self._fs = _filesystem()

    def local(self, name: str) -> Path:
        path = self._cache / name
        try:
            os.utime(path)  # it is in use
        except FileNotFoundError:
            _sweep(self._images)
            try:
                with self._told(name), replacing(path) as temporary:
                    self._fs.get_file(self._key(name), str(temporary))
            except FileNotFoundError:
                pass  # whoever reads it says so
        return path

    def exists(self, name: str) -> bool:
        bucket, _, key = self._key(name).partition("/")
        try:
            with self._told(name):
                self._fs.call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return False
        return True

    def names(self, pattern: str) -> list[str]:
        # Level by level, because only whole folders can be listed, and those of all other batches need not be.
        found = [""]
        for part in pattern.split("/"):
            if "*" not in part:
                found = [f"{folder}{part}/" for folder in found]
                continue
            with ThreadPoolExecutor(_THREADS) as pool:
                listed = pool.map(self._list, found)
            found = [f"{f}{n}/" for f, names in zip(found, listed, strict=True) for n in names
                     if fnmatchcase(n, part) and not n.startswith(".")]  # fmt: skip
        return sorted(name.rstrip("/") for name in found)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        with replacing(self._cache / name) as temporary:
            yield temporary
            self._put(temporary, name)

    def link(self, source: str, name: str) -> None:
        with self._told(name):
            self._fs.cp_file(self._key(source), self._key(name))

    def remove(self, name: str) -> None:
        with self._told(name):
            self._fs.rm_file(self._key(name))
        (self._cache / name).unlink(missing_ok=True)

    def remove_leftovers(self, pattern: str) -> list[str]:
        return []  # nothing can be half written

    def read(self, name: str, type: type[T]) -> T | None:
        try:
            with self._told(name):
                return self._decoded(name, self._fs.cat_file(self._key(name)), type)
        except FileNotFoundError:
            return None

    def read_all(self, folder: str, type: type[T]) -> dict[str, T]:
        names = self.names(f"{folder}/*.json")
        with self._told(folder):
            found = self._fs.cat([self._key(n) for n in names], on_error="omit") if names else {}
        return {
            Path(n).stem: self._decoded(n, found[self._key(n)], type)
            for n in names
            if self._key(n) in found
        }

    def write(self, name: str, value: object) -> None:
        try:
            with self._told(name):
                self._fs.pipe_file(self._key(name), _encoded(value))
        except FileNotFoundError as error:
            raise StoreError(f"{self.url}: {name} cannot be written: {error}") from error

    def update(self, name: str, type: type[T], change: Callable[[T | None], T | None]) -> None:
        for attempt in range(_TRIES):
            tag, before = self._tagged(name, type)
            after = change(before)
            if after is None or self._replaced(name, tag, after):
                return
            time.sleep(0.01 * attempt)
        raise StoreError(f"{self.url}/{name} is replaced by others all the time")

    def keep(self, path: Path | UPath) -> KeptFile:
        temporary = temporary_name(self._cache / "deliveries" / "incoming.json")
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            digest, size = copy_hashing(path, temporary)
            name = f"deliveries/{digest}.json"
            if not self.exists(name):
                self._put(temporary, name)
            temporary.replace(self._cache / name)
        except (OSError, BotoCoreError) as error:
            why = getattr(error, "strerror", None) or error
            raise StoreError(f"{path} cannot be kept in {self.url}: {why}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return KeptFile(path.name, digest, size)

    def images(self, place: str) -> Path:
        return image_folder(place, self._images)

    def _put(self, path: Path, name: str) -> None:
        try:
            with self._told(name):
                self._fs.put_file(str(path), self._key(name))
        except FileNotFoundError as error:  # there is no such bucket
            raise StoreError(f"{self.url}: {name} cannot be written: {error}") from error

    def _key(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _list(self, folder: str) -> list[str]:
        try:
            with self._told(folder):
                found = self._fs.ls(self._key(folder), detail=False)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rpartition("/")[2] for path in found]

    def _tagged(self, name: str, type: type[T]) -> tuple[str, T | None]:
        """The document, and the tag of it or of the one before it; the tag is asked for first."""
        try:
            with self._told(name):
                tag = str(self._fs.info(self._key(name))["ETag"])
        except FileNotFoundError:
            return "", None
        return tag, self.read(name, type)

    def _replaced(self, name: str, tag: str, value: object) -> bool:
        """Whether the document was replaced: it was not, if it is no longer the one with that tag ("" for none)."""
        condition: dict[str, Any] = {"IfMatch": tag} if tag else {"mode": "create"}
        try:
            self._fs.pipe_file(self._key(name), _encoded(value), **condition)
        except FileExistsError:
            return False
        except (OSError, BotoCoreError) as error:  # the bucket that is not there, too
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _LOST:
                return False
            raise StoreError(f"{self.url}/{name} cannot be written: {error}") from error
        return True

    def _decoded(self, name: str, data: bytes, type: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=type)
        except msgspec.DecodeError as error:
            raise StoreError(f"{self.url}/{name} is damaged: {error}") from error

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Turns what goes wrong on the way to the object store into one sentence; what is not there stays that."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, BotoCoreError) as error:
            raise StoreError(f"{self.url}: {name} cannot be reached: {error}") from error


def image_folder(place: str, cache: Path) -> Path:
    """The images of `place` on this machine: itself, or what it holds by now, fetched from the object store.

    What is here already is not fetched again, what is gone there is removed here. Raises StoreError.
    """
    if "://" not in place:
        return Path(place)
    folder = cache / "images" / hashlib.sha256(place.encode()).hexdigest()[:12]
    if time.monotonic() - _looked.get(place, -_FRESH) < _FRESH:
        return folder  # pages ask for one picture after another
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    with locked(lock):  # another step may be reading what it has fetched
        os.utime(lock)  # the folder is in use
        try:
            _fetch(place.removeprefix(SCHEME).rstrip("/"), folder)
        except (OSError, BotoCoreError) as error:
            raise StoreError(f"the images in {place} cannot be fetched: {error}") from error
    _looked[place] = time.monotonic()
    return folder


def _fetch(base: str, folder: Path) -> None:
    fs = _filesystem()
    there = {
        name: info
        for key, info in fs.find(base, detail=True).items()
        if (name := key.removeprefix(f"{base}/")) and ".." not in name.split("/")
    }
    here = {p.relative_to(folder).as_posix(): p.stat() for p in folder.rglob("*") if p.is_file()}
    for name in here.keys() - there.keys():
        (folder / name).unlink()
    wanted = [
        name
        for name, info in there.items()
        if name not in here
        or (here[name].st_size, here[name].st_mtime) != (info["size"], _time(info))
    ]
    targets = [folder / name for name in wanted]
    for parent in {target.parent for target in targets}:
        parent.mkdir(parents=True, exist_ok=True)
    if wanted:
        fs.get([f"{base}/{name}" for name in wanted], [str(target) for target in targets])
    for name, target in zip(wanted, targets, strict=True):
        os.utime(target, (_time(there[name]),) * 2)


def _time(info: dict[str, Any]) -> float:
    return float(info["LastModified"].timestamp())


def _filesystem() -> Any:
    # Others write too: what was listed a moment ago says nothing.
    return fsspec.filesystem("s3", use_listings_cache=False)


def _encoded(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _sweep(cache: Path) -> None:
    """Now and then, remove files that nobody has used for days; they can be fetched again."""
    global _last_sweep  # noqa: PLW0603
    if time.monotonic() - _last_sweep < _SWEPT_EVERY:
        return
    _last_sweep = time.monotonic()
    for lock in cache.glob("images/*.lock"):
        if _is_unused(lock):
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    for folder in (f for f in cache.glob("*/") if f.name != "images"):
        for path in folder.rglob("*"):
            if path.is_file() and _is_unused(path):
                path.unlink(missing_ok=True)


def _is_unused(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _UNUSED
    except FileNotFoundError:  # another process was quicker
        return False
