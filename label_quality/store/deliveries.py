"""The register of deliveries: which files a batch came as. Files are kept by their content, images are only referenced.

``deliveries/<sha256>.json`` holds the bytes of annotation and results files, ``deliveries/register/<batch>.json`` says
which of them make up the batch, and ``image_roots.json`` is the one place with absolute paths. Nothing is parsed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from label_quality.store.errors import StoreError
from label_quality.store.files import now
from label_quality.store.keeping import KeptFile
from label_quality.store.names import check_batch, check_model
from label_quality.store.shared import Shared

if TYPE_CHECKING:
    from upath import UPath

_REGISTER = "deliveries/register"
_IMAGE_ROOTS = "image_roots.json"
_THREADS = 4
_PINS_KEPT = 50


@dataclass(frozen=True)
class DeliveredFile:
    """One kept file: its name as the user knows it, its content's SHA-256, its size in bytes."""

    name: str
    sha256: str
    bytes: int
    shared: Shared = field(repr=False, compare=False)

    @property
    def path(self) -> Path:
        """Where its bytes can be read; they are fetched if need be."""
        return self.shared.local(f"deliveries/{self.sha256}.json")


@dataclass(frozen=True)
class Delivery:
    """What a batch was delivered as.

    `labels` and `results` are hashes over the two parts (annotation file and image root; results files) and
    `fingerprint` over both. `image_place` is the folder of the images, or its URL, None when the batch came without. `changed` is False when the same
    delivery was registered already; whether it was audited says ``Store.manifest(batch).delivery``.
    """

    batch: str
    fingerprint: str
    labels: str
    results: str
    annotations_file: DeliveredFile
    image_place: str | None
    image_root: str | None
    predictions: dict[str, DeliveredFile]
    changed: bool
    registered_at: str

    @property
    def images(self) -> Path | None:
        """The folder of the images on this machine, None without images; from an object store they are fetched, see `Shared`."""
        return self.annotations_file.shared.images(self.image_place) if self.image_place else None

    @property
    def annotations(self) -> Path:
        """Where the annotation file's bytes lie."""
        return self.annotations_file.path

    @property
    def annotations_name(self) -> str:
        """The annotation file's name as the user knows it."""
        return self.annotations_file.name


@dataclass(frozen=True)
class Registered:
    """The latest delivery of a batch as the register has it, and when its first came (UTC, ISO 8601)."""

    fingerprint: str
    first_seen: str
    delivered_at: str
    deliveries: int


class _Entry(msgspec.Struct, frozen=True):
    fingerprint: str
    registered_at: str
    annotations: KeptFile
    image_root: str | None
    predictions: dict[str, KeptFile]

    @property
    def labels(self) -> str:
        return _digest((self.annotations.name, self.annotations.sha256, self.image_root))

    @property
    def results(self) -> str:
        return _digest(sorted((m, f.name, f.sha256) for m, f in self.predictions.items()))


class _Register(msgspec.Struct):
    """The register of one batch: its current delivery, the earlier ones, and which run started from which."""

    current: _Entry
    history: list[_Entry] = []
    runs: dict[str, str] = {}


def fingerprint(labels: str, results: str) -> str:
    """The fingerprint of a delivery made of these two parts."""
    return _digest((labels, results))


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]


class Deliveries:
    """The deliveries of one root."""

    def __init__(self, shared: Shared, where: str) -> None:
        """`where` is how the place of `shared` is called in messages."""
        self._shared = shared
        self._where = where

    def deliver(
        self,
        batch: str,
        annotations: Path | UPath,
        images: Path | UPath | None,
        predictions: Mapping[str, Path | UPath] | Iterable[tuple[str, Path | UPath]],
    ) -> Delivery:
        """Keep the files and register them as the current delivery of `batch`. See `Store.deliver`."""
        check_batch(batch)
        results = _by_model(predictions)
        for path, what in [
            (annotations, "annotation file"),
            *((p, f"results file of {m}") for m, p in results.items()),
        ]:
            _check_file(path, what)
        if images is not None and not images.is_dir():
            raise StoreError(
                f"the image folder {images} is {'not a folder' if images.exists() else 'not there'}"
            )
        with ThreadPoolExecutor(_THREADS) as pool:
            first, *others = pool.map(self._shared.keep, [annotations, *results.values()])
        entry = _Entry(
            "", now(), first, batch if images else None, dict(zip(results, others, strict=True))
        )
        entry = msgspec.structs.replace(entry, fingerprint=fingerprint(entry.labels, entry.results))
        changed = self._register(batch, entry, images)
        return self._delivery(batch, entry, changed)

    def current(self, batch: str) -> Delivery:
        """The latest registered delivery; StoreError when there is none."""
        register = self._read(batch)
        if register is None:
            raise StoreError(f"no batch {batch} has been delivered")
        return self._delivery(batch, register.current, changed=False)

    def batches(self) -> list[str]:
        """The names of all batches that were ever delivered, sorted."""
        names = self._shared.names(f"{_REGISTER}/*.json")
        return sorted(n.removeprefix(f"{_REGISTER}/").removesuffix(".json") for n in names)

    def peek(self, batch: str) -> Registered | None:
        """What the register says of `batch`; None when it was never delivered."""
        register = self._read(batch)
        if register is None:
            return None
        entries = [*register.history, register.current]
        return Registered(
            register.current.fingerprint,
            entries[0].registered_at,
            register.current.registered_at,
            len(entries),
        )

    def pin(self, batch: str, run_id: str) -> str | None:
        """The fingerprint of the delivery that `run_id` works on; None before it has asked."""
        register = self._read(batch)
        return register.runs.get(run_id) if register else None

    def pinned(self, batch: str, run_id: str) -> Delivery | None:
        """The delivery that was current when `run_id` first asked; None when the batch was never delivered.

        A delivery that arrives while a run is at work is for the next run: all steps of one run see one delivery.
        """
        register = self._read(batch)
        if register is None:
            return None
        if run_id not in register.runs:

            def pin(found: _Register | None) -> _Register | None:
                nonlocal register
                register = found or register
                assert register is not None  # it was there above, and none is ever removed
                if run_id in register.runs:
                    return None
                register.runs[run_id] = register.current.fingerprint
                register.runs = dict(list(register.runs.items())[-_PINS_KEPT:])
                return register

            self._shared.update(self._file(batch), _Register, pin)
        wanted = register.runs[run_id]
        entry = next(
            e for e in (register.current, *reversed(register.history)) if e.fingerprint == wanted
        )
        return self._delivery(batch, entry, changed=False)

    def _register(self, batch: str, entry: _Entry, images: Path | UPath | None) -> bool:
        changed = False
        if images is not None:
            place = str(images.absolute())

            def move(roots: dict[str, str] | None) -> dict[str, str] | None:
                nonlocal changed
                changed = (roots or {}).get(batch) != place
                return {**(roots or {}), batch: place} if changed else None

            self._shared.update(_IMAGE_ROOTS, dict[str, str], move)
        moved = changed

        def enter(register: _Register | None) -> _Register | None:
            nonlocal changed
            changed = True
            if register is None:
                return _Register(entry)
            if register.current.fingerprint == entry.fingerprint:
                changed = moved
                return None
            register.history.append(register.current)
            register.current = entry
            return register

        self._shared.update(self._file(batch), _Register, enter)
        return changed

    def _delivery(self, batch: str, entry: _Entry, changed: bool) -> Delivery:
        place = None
        if entry.image_root is not None:
            place = self._image_roots().get(entry.image_root)
            if place is None:
                raise StoreError(
                    f"{_IMAGE_ROOTS} in {self._where} does not say where image root {entry.image_root} lies"
                )
        return Delivery(
            batch=batch,
            fingerprint=entry.fingerprint,
            labels=entry.labels,
            results=entry.results,
            annotations_file=self._delivered(entry.annotations),
            image_place=place,
            image_root=entry.image_root,
            predictions={model: self._delivered(file) for model, file in entry.predictions.items()},
            changed=changed,
            registered_at=entry.registered_at,
        )

    def _delivered(self, file: KeptFile) -> DeliveredFile:
        return DeliveredFile(file.name, file.sha256, file.bytes, self._shared)

    def _file(self, batch: str) -> str:
        return f"{_REGISTER}/{check_batch(batch)}.json"

    def _read(self, batch: str) -> _Register | None:
        return self._shared.read(self._file(batch), _Register)

    def _image_roots(self) -> dict[str, str]:
        return self._shared.read(_IMAGE_ROOTS, dict[str, str]) or {}


def _by_model(
    predictions: Mapping[str, Path | UPath] | Iterable[tuple[str, Path | UPath]],
) -> dict[str, Path | UPath]:
    pairs = predictions.items() if isinstance(predictions, Mapping) else predictions
    results: dict[str, Path | UPath] = {}
    for model, path in pairs:
        if check_model(model) in results:
            raise StoreError(
                f"two results files are given for model {model}: {results[model]} and {path}"
            )
        results[model] = path
    return results


def _check_file(path: Path | UPath, what: str) -> None:
    if path.is_dir():
        raise StoreError(f"the {what} {path} is a folder")
    if not path.is_file():
        raise StoreError(
            f"the {what} {path} is {'not a regular file' if path.exists() else 'not there'}"
        )
