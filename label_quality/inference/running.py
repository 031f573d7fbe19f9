"""Runs a network over the images of a batch, chunk by chunk: one look at each image serves detections and probes.

The device is kept at work: workers decode the next batches, and a thread makes text of the masks of the last one. A batch
that is too large for the device's memory is halved, and those after it are no larger. Memory holds a few chunks, whatever the batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_quality.inference import probing
from label_quality.inference.chunks import Chunks
from label_quality.inference.detections import PREDICTIONS, detection_rows, off_device
from label_quality.inference.errors import ModelError
from label_quality.inference.network import Detections, Network, describe_device
from label_quality.inference.pasting import Runs, paste
from label_quality.inference.pictures import Decoder, Images, batches, load_batches
from label_quality.workers import cores, in_threads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from torch import Tensor

    from label_quality.inference.mapping import CategoryMap
    from label_quality.inference.probing import Labels, Probed
    from label_quality.matching.masks import Masks

_EVERY = 5.0  # seconds between two words about how far it is
_WORTH = 16  # images from which on it is worth finding out how fast it goes
_MOST = 32  # images in a batch: larger ones are no faster
_SHARE = 0.7  # of the free memory of a GPU
_ON_GPU = 4  # images in a batch where nothing was measured
UNREADABLE = b"unreadable"


@dataclass
class Chunk:
    """Neighbouring rows of `Images`, and the names of what is to be made of them; None where that is there already."""

    rows: NDArray[np.int64]
    detect: str | None
    probe: str | None


@dataclass
class Job:
    """One model on one batch."""

    name: str
    network: Network
    images: Images
    predictions: Chunks
    probes: Chunks
    labels: Labels | None
    mapped: CategoryMap
    con: DuckDBPyConnection
    say: Callable[[str], None]
    batch_size: int = 0
    workers: int = -1


@dataclass
class _Batch:
    """What came of one batch, off the device."""

    rows: list[int]
    found: list[tuple[Detections, Runs | None]]
    asked: list[Probed]
    unreadable: dict[str, str]


@dataclass
class _Open:
    """A chunk at work: the parts that are done."""

    chunk: Chunk
    batches: int
    masks: Masks | None
    found: list[pa.Table] = field(default_factory=list)
    asked: list[pa.Table] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    done: int = 0


def run(job: Job, chunks: Sequence[Chunk]) -> float:
    """Make all chunks; returns seconds. Raises ModelError where a single image is too large for the device."""
    return _Run(job).run([c for c in chunks if c.detect or c.probe])


class _Run:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.limit = job.batch_size or (_ON_GPU if self._on_gpu else 1)

    @property
    def _on_gpu(self) -> bool:
        return bool(self.job.network.device.type == "cuda")

    def run(self, chunks: list[Chunk]) -> float:
        job, total = self.job, sum(len(c.rows) for c in chunks)
        if not total:
            return 0.0
        if total >= _WORTH:
            self._rehearse(chunks, total)
        plans = [batches(c.rows, job.images, job.network.padded_size, self.limit) for c in chunks]
        start = told = time.monotonic()
        done = 0
        for opened, part in in_threads(_to_tables, self._forward(chunks, plans), threads=1):
            opened.found += part.found
            opened.asked += part.asked
            opened.unreadable |= part.unreadable
            opened.done += 1
            done += part.images
            if opened.done == opened.batches:
                self._finish(opened)
            if time.monotonic() - told > _EVERY:
                told = time.monotonic()
                rate = done / (told - start)
                job.say(
                    f"{job.name}: {done:,} of {total:,} images, {rate:.3g} a second, "
                    f"{duration((total - done) / rate)} to go"
                )
        return time.monotonic() - start

    def _rehearse(self, chunks: list[Chunk], total: int) -> None:
        """Find a batch size that fits, and say how long it will take. The first pass warms up and is not timed."""
        job = self.job
        rows = batches(chunks[0].rows, job.images, job.network.padded_size, _MOST)[0]
        decoder = Decoder(job.images)
        first = [p for p in (decoder[r] for r in rows[:1]) if not isinstance(p[1], str)]
        if not first:
            return
        opened = self._open(chunks[0], 0)
        peak = self._peak(lambda: self._one(opened, first))
        if not job.batch_size and peak:
            self.limit = max(1, min(_MOST, int(_SHARE * self._free() / peak)))
        some = [decoder[r] for r in rows[: self.limit]]
        start = time.monotonic()
        self._one(opened, some)
        each = (time.monotonic() - start) / len(some)
        job.say(
            f"{job.name} on {describe_device(str(job.network.device))}, {job.network.precision}, batches of "
            f"{self.limit}: {total:,} images at about {1 / each:.3g} a second will take {duration(total * each)}"
        )

    def _peak(self, work: Callable[[], Any]) -> int:
        """Bytes that `work` takes on a GPU; 0 on a CPU."""
        if not self._on_gpu:
            work()
            return 0
        import torch

        device = self.job.network.device
        before = int(torch.cuda.memory_allocated(device))
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return max(1, int(torch.cuda.max_memory_allocated(device)) - before)

    def _free(self) -> int:
        import torch

        device = self.job.network.device
        kept = int(torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
        return int(torch.cuda.mem_get_info(device)[0]) + kept

    def _forward(
        self, chunks: list[Chunk], plans: list[list[list[int]]]
    ) -> Iterator[tuple[_Open, _Batch, Job]]:
        """Batch by batch through the network; what is yielded lies no longer on the device."""
        job = self.job
        loaded = load_batches(
            job.images, [b for plan in plans for b in plan], self._workers(), pin=self._on_gpu
        )
        for chunk, plan in zip(chunks, plans, strict=True):
            opened = self._open(chunk, len(plan))
            for _ in plan:
                yield opened, self._one(opened, next(loaded)), job

    def _workers(self) -> int:
        if self.job.workers >= 0:
            return self.job.workers
        # On a CPU the network needs all cores, and decoding is a few percent of its time.
        return min(cores(), 12) if self._on_gpu else 0

    def _open(self, chunk: Chunk, count: int) -> _Open:
        masks = None
        if chunk.probe:
            masks = probing.masks_of(self.job.con, self.job.images, chunk.rows)
        return _Open(chunk, count, masks)

    def _one(self, opened: _Open, loaded: list[tuple[int, Tensor | str]]) -> _Batch:
        names = self.job.images.file_name
        bad = {names[row]: p for row, p in loaded if isinstance(p, str)}
        good = [(row, p) for row, p in loaded if not isinstance(p, str)]
        out = _Batch([], [], [], bad)
        while len(out.rows) < len(good):
            some = good[len(out.rows) : len(out.rows) + self.limit]
            found = self._try(opened, some)
            if found is None:
                self._halve(len(some))
                continue
            out.rows += [row for row, _ in some]
            out.found += found[0]
            out.asked += found[1]
        return out

    def _try(
        self, opened: _Open, some: list[tuple[int, Tensor]]
    ) -> tuple[list[tuple[Detections, Runs | None]], list[Probed]] | None:
        """None where the device's memory does not suffice. The error is gone by then, and with it what it held."""
        import torch

        try:
            return self._look(opened, some)
        except torch.cuda.OutOfMemoryError:
            return None

    def _look(
        self, opened: _Open, some: list[tuple[int, Tensor]]
    ) -> tuple[list[tuple[Detections, Runs | None]], list[Probed]]:
        network, job = self.job.network, self.job
        scene = network.look([p for _, p in some])
        found: list[tuple[Detections, Runs | None]] = []
        asked: list[Probed] = []
        if opened.chunk.detect:
            found = [
                (off_device(d), None if d.masks is None else paste(d.masks, d.boxes, size))
                for d, size in zip(network.detect(scene), scene.given, strict=True)
            ]
        if opened.chunk.probe and job.labels:
            asked = probing.probe(network, scene, [r for r, _ in some], job.labels, job.mapped)
        return found, asked

    def _halve(self, tried: int) -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if tried == 1:
            raise ModelError(
                f"model {self.job.name}: the memory of {describe_device(str(self.job.network.device))} does not "
                "suffice for a single image; give a smaller min_size and max_size as arguments of its builder"
            )
        self.limit = tried // 2
        self.job.say(
            f"{self.job.name}: the device's memory is full, going on with batches of {self.limit}"
        )

    def _finish(self, opened: _Open) -> None:
        told = {UNREADABLE: msgspec.json.encode(opened.unreadable)}
        chunk = opened.chunk
        if chunk.detect:
            rows = pa.concat_tables(opened.found) if opened.found else PREDICTIONS.empty_table()
            rows = rows.sort_by([("image_id", "ascending"), ("rank", "ascending")])
            self.job.predictions.write(chunk.detect, rows.replace_schema_metadata(told))
        if chunk.probe:
            # A part without labels does not know how long the features are.
            parts = [t for t in opened.asked if t.num_rows] or opened.asked[:1]
            rows = pa.concat_tables(parts).sort_by("annotation_id") if parts else pa.table({})
            self.job.probes.write(chunk.probe, rows.replace_schema_metadata(told))


@dataclass
class _Tables:
    found: list[pa.Table]
    asked: list[pa.Table]
    unreadable: dict[str, str]
    images: int


def _to_tables(task: tuple[_Open, _Batch, Job]) -> tuple[_Open, _Tables]:
    """The rows of a batch. Works in a thread of its own, while the device is at the next batch."""
    opened, batch, job = task
    found = [
        detection_rows(int(job.images.image_id[row]), *one)
        for row, one in zip(batch.rows, batch.found, strict=bool(batch.found))
    ]
    asked = []
    if batch.asked and job.labels and opened.masks:
        asked = [probing.to_rows(batch.asked, job.labels, opened.masks, job.mapped)]
    images = len(batch.rows) + len(batch.unreadable)
    return opened, _Tables(found, asked, batch.unreadable, images)


def duration(seconds: float) -> str:
    """Seconds in words, roughly."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
