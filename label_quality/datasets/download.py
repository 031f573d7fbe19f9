"""A data set becomes a batch: annotations.json, images/ and source.json, which says where they came from.

annotations.json comes last: without it the folder is no batch, however often this was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from label_quality.coco.image_files import unsafe_name
from label_quality.datasets.archive import unpack_images, unpack_member
from label_quality.datasets.catalogue import Archive, DataSet, mirrored
from label_quality.datasets.fetch import PAUSES, Advance, DownloadError, fetch, session
from label_quality.datasets.images import fetch_images
from label_quality.datasets.subset import Annotations, ImageRecord
from label_quality.store.files import locked, write_json

ANNOTATIONS, IMAGES, SOURCE = "annotations.json", "images", "source.json"
_CACHE = ".downloads"  # beside the batches: one archive of annotations serves several
_WHOLE = (
    0.5  # share of the images from which on their archive is fetched instead of one after the other
)


class Progress(Protocol):
    """Whom to tell how far it is."""

    def stage(self, text: str, total: int, unit: str) -> Advance:
        """A new stage begins, of so many "bytes" or "images"; returns what to call with each piece that is done."""


@dataclass(frozen=True)
class Downloaded:
    """A batch on disk."""

    folder: Path
    annotations: Path
    images: Path
    image_count: int
    label_count: int


def download(
    data_set: DataSet,
    folder: Path,
    *,
    images: int | None = None,
    seed: int | None = None,
    mirror: str | None = None,
    progress: Progress,
    pauses: tuple[float, ...] = PAUSES,
) -> Downloaded:
    """Fetches a data set, or `images` of its images, to `folder`; what is there already is not fetched again.

    Which images: `label_quality.datasets.subset.Annotations.choose`. Raises DownloadError, and OSError when the folder
    cannot be written.
    """
    target = folder / ANNOTATIONS
    if target.exists() and not (folder / SOURCE).exists():
        raise DownloadError(f"{folder} holds labels of another origin: choose another folder")
    cache, pictures = folder.absolute().parent / _CACHE, folder / IMAGES
    pictures.mkdir(parents=True, exist_ok=True)
    get = _Archives(cache, mirror, progress, pauses)
    with locked(
        cache / ".lock"
    ):  # a second download beside it waits, and finds what this one has fetched
        unpacked = cache / f"{data_set.name}.json"
        unpack_member(get(data_set.annotations), data_set.member, unpacked)
        annotations = Annotations(unpacked)
        unpacked.unlink()
        chosen = annotations.choose(images, seed)
        missing = {one.name for one in chosen if not (pictures / _safe(one.name)).exists()}
        whole = data_set.pictures
        if whole and len(missing) > _WHOLE * len(annotations.images):
            _unpack_all(get(whole), missing, pictures, progress)
        else:
            addresses = [(_address(data_set, one, mirror), pictures / one.name) for one in chosen]
            advance = progress.stage("Fetching images", len(chosen), "images")
            fetch_images(addresses, advance, pauses)
        write_json(folder / SOURCE, _source(data_set, len(chosen), seed, mirror))
        labels = annotations.write(target, chosen)
    return Downloaded(folder, target, pictures, len(chosen), labels)


@dataclass(frozen=True)
class _Archives:
    """Fetches archives into the cache."""

    cache: Path
    mirror: str | None
    progress: Progress
    pauses: tuple[float, ...]

    def __call__(self, archive: Archive) -> Path:
        target = self.cache / archive.name
        advance = self.progress.stage(f"Fetching {archive.name}", archive.bytes, "bytes")
        with session(1) as client:
            fetch(
                client,
                mirrored(archive.url, self.mirror),
                target,
                size=archive.bytes,
                sha256=archive.sha256,
                advance=advance,
                pauses=self.pauses,
            )
        return target


def _unpack_all(archive: Path, missing: set[str], pictures: Path, progress: Progress) -> None:
    """The archive goes when all is unpacked: its pictures are there, and it is as large as they are."""
    advance = progress.stage("Unpacking images", len(missing), "images")
    absent = missing - unpack_images(archive, pictures, missing, advance)
    if absent:
        raise DownloadError(f"{archive.name} lacks {len(absent)} images, such as {min(absent)}")
    archive.unlink()


def _safe(name: str) -> str:
    if not name or "/" in name or "\\" in name or unsafe_name(name):
        raise DownloadError(
            f"the annotation file names an image {name!r}: that is no plain file name"
        )
    return name


def _address(data_set: DataSet, image: ImageRecord, mirror: str | None) -> str:
    address = data_set.address(image.name, image.coco_url)
    if address is None:
        raise DownloadError(
            f"the annotation file has image {image.id} at {image.coco_url!r}, not at {data_set.host}"
        )
    return mirrored(address, mirror)


def _source(
    data_set: DataSet, images: int, seed: int | None, mirror: str | None
) -> dict[str, object]:
    return {
        "data_set": data_set.name,
        "title": data_set.title,
        "annotations": mirrored(data_set.annotations.url, mirror),
        "annotations_sha256": data_set.annotations.sha256,
        "member": data_set.member,
        "images": images,
        "images_of_all": data_set.images,
        "seed": seed,
    }
