"""What was computed so far, chunk by chunk, under names that say what from: a crash resumes at the last finished chunk.

A name is a hash over the model, the images of the chunk and, for probes, their labels. So the next run of the same batch takes what
still holds: a new results file, or a corrected label, runs no image again through what it does not concern.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from label_quality.store.files import replacing


class Chunks:
    """The finished chunks of one batch of one kind (predictions or probes), in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, key: str) -> bool:
        """Whether the chunk is finished."""
        return self._path(key).is_file()

    def write(self, key: str, rows: pa.Table) -> None:
        """Keep a finished chunk; it appears as a whole or not at all."""
        with replacing(self._path(key)) as temporary:
            pq.write_table(rows, temporary, compression="snappy", use_dictionary=False)

    def read(self, key: str) -> pa.Table:
        """The rows of a finished chunk."""
        return pq.read_table(self._path(key))

    def keep_only(self, keys: Iterable[str]) -> None:
        """Remove all chunks but these, and what a killed run left."""
        wanted = {self._path(key).name for key in keys}
        for path in self.folder.glob("*") if self.folder.is_dir() else ():
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"


def key_of(*parts: object) -> str:
    """A name made from whatever the chunk is computed from; parts are text, numbers, bytes, lists of them."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
