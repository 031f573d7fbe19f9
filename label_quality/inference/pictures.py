"""The images that a model is run on: what is opened, in which order, in which batches; decoded by DataLoader workers.

Only files that ingest found good are opened. Images of one batch have one padded size, so that what the network sees of an
image does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from label_quality.metrics.picture import UnreadablePicture, decode
from label_quality.workers import nameless_main

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from torch import Tensor

GOOD = "file_state = 'ok'"


@dataclass
class Images:
    """The good images of a batch, sorted by id. size int64 (n, 2) is height, width."""

    root: Path
    image_id: NDArray[np.int64]
    file_name: list[str]
    orientation: list[int | None]
    size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.image_id)

    def stamp(self, row: int) -> tuple[str, int, int]:
        """What tells a file from another version of it: its name, bytes and time of change (0 where it is gone)."""
        name = self.file_name[row]
        try:
            found = (self.root / name).stat()
        except OSError:
            return name, 0, 0
        return name, found.st_size, found.st_mtime_ns


def read_images(con: DuckDBPyConnection, root: Path) -> Images:
    """The images of a batch that can be run. `con` shows ``images``."""
    rows = con.sql(
        f"""select image_id, file_name, exif_orientation, height, width from images where {GOOD} order by image_id"""
    ).to_arrow_table()
    return Images(
        root,
        rows["image_id"].to_numpy(),
        rows["file_name"].to_pylist(),
        rows["exif_orientation"].to_pylist(),
        np.stack([rows["height"].to_numpy(), rows["width"].to_numpy()], axis=1),
    )


def batches(
    rows: NDArray[np.int64], images: Images, padded: Callable[[int, int], Any], size: int
) -> list[list[int]]:
    """`rows` of `images` in batches of at most `size` of one padded size each; larger sizes first."""
    groups: dict[Any, list[int]] = {}
    for row in rows.tolist():
        groups.setdefault(padded(*images.size[row].tolist()), []).append(row)
    return [
        group[k : k + size]
        for _, group in sorted(groups.items(), reverse=True)
        for k in range(0, len(group), size)
    ]


@dataclass
class Decoder:
    """A map-style data set of torch's: the decoded picture of a row, or why there is none."""

    images: Images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[int, Tensor | str]:
        """The row, and uint8 (height, width, 3), turned as EXIF says."""
        import torch

        images = self.images
        try:
            data = (images.root / images.file_name[row]).read_bytes()
            rgb = decode(data, images.orientation[row]).rgb
        except (OSError, UnreadablePicture) as error:
            return row, str(error)
        return row, torch.from_numpy(np.array(rgb))


def load_batches(
    images: Images, plan: Sequence[list[int]], workers: int, pin: bool
) -> Iterator[list[tuple[int, Tensor | str]]]:
    """The batches of `plan`, decoded in `workers` processes, a few ahead; 0: in this process."""
    from torch.utils.data import DataLoader

    more: dict[str, Any] = {}
    if workers:
        # spawn: DuckDB and Arrow have threads, which a fork would leave behind with their locks held.
        more = {"multiprocessing_context": "spawn", "prefetch_factor": 2}
    loader = DataLoader(
        Decoder(images),
        batch_sampler=plan,
        collate_fn=list,
        num_workers=workers,
        pin_memory=pin,
        **more,
    )
    with nameless_main():
        started = iter(loader)
    yield from started
