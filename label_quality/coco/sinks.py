"""Hands chunks of a table on as they are made, so that a large table never stands in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress

import numpy as np
import pyarrow as pa


class Restartable:
    """A sink that a second reader can take over.

    Rows that the fast reader has handed on before it refused a later record are rows that the tolerant reader makes
    again, in the same order: a record is judged by itself, by the images and categories, and by the records before it.
    They are skipped.
    """

    def __init__(self, write: Callable[[pa.Table], None]) -> None:
        self._write = write
        self._skip = 0
        self.rows = 0

    def __call__(self, table: pa.Table) -> None:
        """Hands on the rows of `table` that were not handed on before."""
        skip = min(self._skip, table.num_rows)
        self._skip -= skip
        if table.num_rows > skip:
            self.rows += table.num_rows - skip
            self._write(table.slice(skip))

    def restart(self) -> None:
        """From here on, rows come again from the first."""
        self._skip = self.rows


class Texts:
    """UTF-8 texts end to end, for string columns without a detour through `str`."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = texts
        self.data = b"".join(texts)
        self.lengths = np.fromiter(map(len, texts), np.int64, len(texts))

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, row: int) -> bytes:
        return self._texts[row]

    def where(self, chosen: np.ndarray) -> list[bytes]:
        """The texts where `chosen` (bool (n,)) holds."""
        return list(compress(self._texts, chosen.tolist()))

    def first_bytes(self) -> np.ndarray:
        """The first byte of each text, uint8 (n,); 0 where there is none."""
        first = np.zeros(len(self), dtype=np.uint8)
        filled = np.flatnonzero(self.lengths)
        starts = (np.cumsum(self.lengths) - self.lengths)[filled]
        first[filled] = np.frombuffer(self.data, dtype=np.uint8)[starts]
        return first

    def column(self, rows: np.ndarray) -> pa.Array:
        """A string column of these rows, which are in order."""
        lengths = self.lengths[rows]
        data = self.data
        if lengths.sum() != len(data):
            data = b"".join([self._texts[row] for row in rows.tolist()])
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(data))
