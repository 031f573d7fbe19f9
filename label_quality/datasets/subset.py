"""Some images of a COCO or LVIS annotation file, with their labels. Records are copied as they stand, to the letter."""

from __future__ import annotations

from itertools import compress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from label_quality.datasets.fetch import DownloadError
from label_quality.store.files import replacing


class ImageRecord(msgspec.Struct, gc=False):
    """What is needed of an image record; LVIS has only the address."""

    id: int
    file_name: str = ""
    coco_url: str | None = None

    @property
    def name(self) -> str:
        """The name that the file has below images/, as the COCO reader takes it."""
        return self.file_name or (self.coco_url or "").rsplit("/", 1)[-1]


class _Label(msgspec.Struct, gc=False):
    image_id: int


class Annotations:
    """An annotation file in memory, its records undecoded."""

    def __init__(self, path: Path) -> None:
        """Raises DownloadError when the file is not one of COCO's kind."""
        try:
            self._document = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
            self.images = msgspec.json.decode(self._document["images"], type=list[ImageRecord])
            labels = msgspec.json.decode(self._document["annotations"], type=list[_Label])
        except (msgspec.DecodeError, KeyError) as error:
            raise DownloadError(
                f"{path.name} is no annotation file of COCO's kind: {error}"
            ) from None
        self._image_of_label = np.fromiter((one.image_id for one in labels), np.int64, len(labels))

    @property
    def labels(self) -> int:
        """The number of labels."""
        return len(self._image_of_label)

    def choose(self, count: int | None, seed: int | None) -> list[ImageRecord]:
        """`count` images: the first of the file, or with a `seed` random ones, in the order of the file; None for all."""
        if count is None or count >= len(self.images):
            return self.images
        if seed is None:
            return self.images[:count]
        rows = np.random.default_rng(seed).permutation(len(self.images))[:count]
        return [self.images[k] for k in sorted(rows.tolist())]

    def write(self, target: Path, images: list[ImageRecord]) -> int:
        """Writes these images, their labels and everything else of the file; returns the number of labels."""
        ids = np.array([one.id for one in images], dtype=np.int64)
        label = np.isin(self._image_of_label, ids)
        image = np.isin(np.array([one.id for one in self.images], dtype=np.int64), ids)
        parts: dict[str, Any] = dict(self._document)
        for key, mask in (("images", image), ("annotations", label)):
            if not mask.all():
                records = msgspec.json.decode(self._document[key], type=list[msgspec.Raw])
                parts[key] = list(compress(records, mask.tolist()))
        with replacing(target) as temporary:
            temporary.write_bytes(msgspec.json.encode(parts))
        return int(label.sum())
