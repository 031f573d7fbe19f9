"""Cuts one COCO file, and results files that go with it, into batches by image. Streams, and keeps the bytes of every record.

Every record of the file stands in exactly one batch, to the letter and in the order of the file; what is not a list of
records of images (info, licenses, categories, …) stands in each. Nothing is validated: that is for whoever reads the batches.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from label_quality.coco.document import SEPARATOR, Document
from label_quality.coco.predictions import results_array

_PIECE = 32 << 20  # bytes of records that are in memory at a time
_RECORDS = msgspec.json.Decoder(list[msgspec.Raw])


class _Image(msgspec.Struct):
    id: int | str


class _Reference(msgspec.Struct):
    image_id: int | str


_IMAGES = msgspec.json.Decoder(list[_Image])
_REFERENCES = msgspec.json.Decoder(list[_Reference])
_BatchOf = dict[int | str, int]


@dataclass(frozen=True)
class Cut:
    """What came of it: the folders, and how many records of images and annotations, and of each model, were written.

    `orphans` are annotations and predictions of an image that the file does not have; they stand in the last batch.
    """

    folders: list[Path]
    images: int
    annotations: int
    predictions: dict[str, int]
    orphans: int


def split(
    path: Path,
    output: Path,
    name: str,
    images_per_batch: int,
    *,
    predictions: Mapping[str, Path] | None = None,
    images: Path | None = None,
) -> Cut:
    """Write ``output/<name>-0001/annotations.json``, ``…/predictions/<model>.json`` and so on, `images_per_batch` each.

    With `images`, each batch gets a link ``images`` to that folder. The folders appear when all of them are complete.

    Raises `UnreadableFile` for files that are not strict JSON of the right shape, FileExistsError where a folder of that
    name is there already, OSError when the disk is full; nothing is left behind then.
    """
    with Document(path, path.name) as document:
        members = _members(document)
        records, ids = _images(members.pop("images"), document)
        # An id that stands twice belongs to the batch of its first record.
        batch_of: _BatchOf = {}
        for position, id_ in enumerate(ids):
            batch_of.setdefault(id_, position // images_per_batch)
        count = max(1, -(-len(ids) // images_per_batch))
        annotations = members.pop("annotations")
        with _folders(output, name, count) as folders:
            files = [folder / "annotations.json" for folder in folders]
            head = b"".join(_member(key, value) + b"," for key, value in members.items())
            rows = np.array([batch_of[id_] for id_ in ids], np.int64)
            for file, mine in zip(files, _dealt(records, rows, count), strict=True):
                listed = _member("images", b"[" + b",".join(mine) + b"]")
                file.write_bytes(b"{" + head + listed + b"," + _member("annotations", b"["))
            written, orphans = _deal(annotations, document, batch_of, files)
            _end(files, b"]}\n")
            models = {}
            for model, source in (predictions or {}).items():
                models[model], more = _split_results(source, model, batch_of, folders)
                orphans += more
            if images:
                for folder in folders:
                    (folder / "images").symlink_to(images.absolute(), target_is_directory=True)
    finals = [output / folder.name.removeprefix(".") for folder in folders]
    return Cut(finals, len(ids), written, models, orphans)


def _members(document: Document) -> dict[str, memoryview]:
    """The members of the file's object as they stand in it. Raises `UnreadableFile`."""
    try:
        found = msgspec.json.decode(document.bytes(), type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        document.arrays()  # says what is wrong with it, where, if that can be told
        raise document.error(
            "this is no COCO object in strict JSON (NaN, perhaps), as splitting needs it"
        ) from None
    members = {key: memoryview(value) for key, value in found.items()}
    for key in ("images", "annotations"):
        if members.get(key, b"")[:1] != b"[":
            raise document.error(f'the object that starts here has no list "{key}"')
    return members


def _images(view: memoryview, document: Document) -> tuple[list[msgspec.Raw], list[int | str]]:
    try:
        return _RECORDS.decode(view), [image.id for image in _IMAGES.decode(view)]
    except msgspec.ValidationError as error:
        raise document.error(
            f"an image without an id cannot be put into a batch: {error}"
        ) from None


def _split_results(
    path: Path, model: str, batch_of: _BatchOf, folders: list[Path]
) -> tuple[int, int]:
    """One results file; returns how many records there were, and how many of images that are not there."""
    files = [folder / "predictions" / f"{model}.json" for folder in folders]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"[")
    with Document(path, path.name) as document:
        view = results_array(document).raw
        if view is None:
            raise document.error("this is not strict JSON (NaN, perhaps), as splitting needs it")
        numbers = _deal(view, document, batch_of, files)
    _end(files, b"]\n")
    return numbers


def _deal(
    view: memoryview, document: Document, batch_of: _BatchOf, files: list[Path]
) -> tuple[int, int]:
    """Append the records of an array to the files of their batches; returns how many, and how many are orphans."""
    last = len(files) - 1
    begun = np.zeros(len(files), bool)
    total = orphans = 0
    for text in _pieces(view, document):
        records, ids = _RECORDS.decode(text), _references(text)
        rows = np.fromiter((batch_of.get(id_, -1) for id_ in ids), np.int64, len(ids))
        orphans += int((rows < 0).sum())
        for number, mine in enumerate(_dealt(records, np.where(rows < 0, last, rows), len(files))):
            if mine:
                with files[number].open("ab") as file:
                    file.write((b"," if begun[number] else b"") + b",".join(mine))
                begun[number] = True
        total += len(records)
    return total, orphans


def _references(text: bytes) -> list[Any]:
    """The image of each record; None where it names none."""
    try:
        return [record.image_id for record in _REFERENCES.decode(text)]
    except msgspec.ValidationError:
        found = [
            r.get("image_id") if isinstance(r, dict) else None for r in msgspec.json.decode(text)
        ]
        return [id_ if isinstance(id_, int | float | str) else None for id_ in found]


def _pieces(view: memoryview, document: Document) -> Iterator[bytes]:
    """An array as smaller ones of whole records. A cut is right if what is before it decodes, see ``document``."""
    body, at, size = view[1:-1], 0, _PIECE
    while at < len(body):
        cut = SEPARATOR.search(body, at + size)
        end = cut.start() + 1 if cut else len(body)
        text = b"[" + bytes(body[at:end]) + b"]"
        try:
            _RECORDS.decode(text)
        except msgspec.DecodeError as error:
            if not cut:
                raise document.error(
                    f"the records of this file are not strict JSON: {error}"
                ) from None
            size *= 2
            continue
        yield text
        document.forget(body[at:end])
        at, size = (cut.end() - 1 if cut else end), _PIECE


def _dealt(records: list[msgspec.Raw], rows: np.ndarray, count: int) -> Iterator[list[msgspec.Raw]]:
    """The records of each of `count` batches, in the order in which they stand."""
    column = np.empty(len(records), object)
    column[:] = records
    order = np.argsort(rows, kind="stable")
    ends = np.searchsorted(rows[order], np.arange(1, count))
    for part in np.split(column[order], ends):
        yield part.tolist()


def _member(key: str, value: bytes | memoryview) -> bytes:
    return msgspec.json.encode(key) + b":" + bytes(value)


def _end(files: list[Path], text: bytes) -> None:
    for path in files:
        with path.open("ab") as file:
            file.write(text)


@contextmanager
def _folders(output: Path, name: str, count: int) -> Iterator[list[Path]]:
    """Hidden folders for the batches, which get their names when the block has ended well, else go."""
    width = max(4, len(str(count)))
    finals = [output / f"{name}-{number:0{width}}" for number in range(1, count + 1)]
    for final in finals:
        if final.exists():
            raise FileExistsError(f"{final} is there already: nothing was written")
    hidden = [final.with_name(f".{final.name}") for final in finals]
    try:
        for folder in hidden:
            shutil.rmtree(folder, ignore_errors=True)  # of a split that was killed
            folder.mkdir(parents=True)
        yield hidden
        for folder, final in zip(hidden, finals, strict=True):
            folder.rename(final)
    finally:
        for folder in hidden:
            shutil.rmtree(folder, ignore_errors=True)
