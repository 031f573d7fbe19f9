"""The register of deliveries: which files a batch came as. Files are kept by their content, images are only referenced.

``deliveries/<sha256>.json`` holds the bytes of annotation and results files, ``deliveries/register/<batch>.json`` says
which of them make up the batch, and ``image_roots.json`` is the one place with absolute paths. Nothing is parsed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from label_quality.store.errors import StoreError
from label_quality.store.files import locked, now, read_json, write_json
from label_quality.store.keeping import KeptFile, keep
from label_quality.store.names import check_batch, check_model

_THREADS = 4
_PINS_KEPT = 50


@dataclass(frozen=True)
class DeliveredFile:
    """One kept file: its name as the user knows it, its content's SHA-256, its size in bytes, and where it lies."""

    name: str
    sha256: str
    bytes: int
    path: Path


@dataclass(frozen=True)
class Delivery:
    """What a batch was delivered as.

    `labels` and `results` are hashes over the two parts (annotation file and image root; results files) and
    `fingerprint` over both. `images` is None when the batch came without images. `changed` is False when the same
    delivery was registered already; whether it was audited says ``Store.manifest(batch).delivery``.
    """

    batch: str
    fingerprint: str
    labels: str
    results: str
    annotations_file: DeliveredFile
    images: Path | None
    image_root: str | None
    predictions: dict[str, DeliveredFile]
    changed: bool
    registered_at: str

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

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "deliveries"
        self._lock = root / "locks" / "register.lock"

    def deliver(
        self,
        batch: str,
        annotations: Path,
        images: Path | None,
        predictions: Mapping[str, Path] | Iterable[tuple[str, Path]],
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
        self._folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_THREADS) as pool:
            first, *others = pool.map(partial(keep, self._folder), [annotations, *results.values()])
        entry = _Entry(
            "", now(), first, batch if images else None, dict(zip(results, others, strict=True))
        )
        entry = msgspec.structs.replace(entry, fingerprint=fingerprint(entry.labels, entry.results))
        with locked(self._lock):
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
        return sorted(p.stem for p in (self._folder / "register").glob("[!.]*.json"))

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
            with locked(self._lock):
                register = self._read(batch) or register
                register.runs.setdefault(run_id, register.current.fingerprint)
                register.runs = dict(list(register.runs.items())[-_PINS_KEPT:])
                write_json(self._file(batch), register)
        wanted = register.runs[run_id]
        entry = next(
            e for e in (register.current, *reversed(register.history)) if e.fingerprint == wanted
        )
        return self._delivery(batch, entry, changed=False)

    def _register(self, batch: str, entry: _Entry, images: Path | None) -> bool:
        roots = self._image_roots()
        moved = images is not None and roots.get(batch) != str(images.absolute())
        if moved:
            write_json(self.root / "image_roots.json", {**roots, batch: str(images.absolute())})  # type: ignore[union-attr]
        register = self._read(batch)
        if register is None:
            write_json(self._file(batch), _Register(entry))
            return True
        if register.current.fingerprint == entry.fingerprint:
            return moved
        register.history.append(register.current)
        register.current = entry
        write_json(self._file(batch), register)
        return True

    def _delivery(self, batch: str, entry: _Entry, changed: bool) -> Delivery:
        images = None
        if entry.image_root is not None:
            place = self._image_roots().get(entry.image_root)
            if place is None:
                raise StoreError(
                    f"image_roots.json in {self.root} does not say where image root {entry.image_root} lies"
                )
            images = Path(place)
        return Delivery(
            batch=batch,
            fingerprint=entry.fingerprint,
            labels=entry.labels,
            results=entry.results,
            annotations_file=self._delivered(entry.annotations),
            images=images,
            image_root=entry.image_root,
            predictions={model: self._delivered(file) for model, file in entry.predictions.items()},
            changed=changed,
            registered_at=entry.registered_at,
        )

    def _delivered(self, file: KeptFile) -> DeliveredFile:
        return DeliveredFile(
            file.name, file.sha256, file.bytes, self._folder / f"{file.sha256}.json"
        )

    def _file(self, batch: str) -> Path:
        return self._folder / "register" / f"{check_batch(batch)}.json"

    def _read(self, batch: str) -> _Register | None:
        return read_json(self._file(batch), _Register)

    def _image_roots(self) -> dict[str, str]:
        return read_json(self.root / "image_roots.json", dict[str, str]) or {}


def _by_model(predictions: Mapping[str, Path] | Iterable[tuple[str, Path]]) -> dict[str, Path]:
    pairs = predictions.items() if isinstance(predictions, Mapping) else predictions
    results: dict[str, Path] = {}
    for model, path in pairs:
        if check_model(model) in results:
            raise StoreError(
                f"two results files are given for model {model}: {results[model]} and {path}"
            )
        results[model] = path
    return results


def _check_file(path: Path, what: str) -> None:
    if path.is_dir():
        raise StoreError(f"the {what} {path} is a folder")
    if not path.is_file():
        raise StoreError(
            f"the {what} {path} is {'not a regular file' if path.exists() else 'not there'}"
        )
