"""Hands chunks of a table on as they are made, so that a large table never stands in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


def strings(texts: Sequence[bytes]) -> pa.Array:
    """A string column from UTF-8 texts, without a detour through `str`."""
    offsets = np.zeros(len(texts) + 1, dtype=np.int32)
    np.cumsum([len(t) for t in texts], out=offsets[1:])
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))
    )
