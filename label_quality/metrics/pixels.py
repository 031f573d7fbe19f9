"""Decodes each image of a batch once, for all metrics of pixels: of the image, and of the boxes of its labels.

Only files that ingest found safe and readable are opened. What cannot be decoded is recorded with its reason.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from PIL import Image

from label_quality import registry
from label_quality.metrics.picture import Picture, UnreadablePicture, decode
from label_quality.metrics.rows import measured
from label_quality.registry import Metric
from label_quality.workers import in_processes

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

_IMAGES_A_TASK = 32
_SECONDS = 6e-3  # of work for each image, roughly
_EVERY = 2.0  # seconds between two words about how far it is
_NEEDS = frozenset({"pixels"})


@dataclass
class Task:
    """Some images: what to open, and the boxes of their labels, sorted by image, x, y, width, height in pixels."""

    image_id: NDArray[np.int64]
    file_name: list[str]
    orientation: list[int | None]
    as_labelled: NDArray[np.bool_]  # whether the file has the size that the labels were drawn in
    annotation_id: NDArray[np.int64]
    box: NDArray[np.float64]  # (n, 4)
    first: NDArray[np.int64]  # (images + 1,), where the boxes of each image begin


@dataclass
class Measured:
    """What came of a task; NaN where there is no value."""

    image_id: NDArray[np.int64]
    reason: list[str | None]  # why a picture could not be decoded
    content: list[str | None]  # SHA-256 of the file
    hash: list[int | None]
    images: dict[str, NDArray[np.float64]]
    annotation_id: NDArray[np.int64]
    crops: dict[str, NDArray[np.float64]]
    problems: dict[str, str] = field(
        default_factory=dict
    )  # metric -> what its function raised first


@cache
def pixel_metrics() -> tuple[list[Metric], list[Metric]]:
    """The metrics that are functions of a picture: of images, and of labels."""
    image, annotation = (
        [m for m in registry.metrics(kind).values() if m.function and m.needs >= _NEEDS]
        for kind in ("image", "annotation")
    )
    return image, annotation


def measure_pixels(
    con: DuckDBPyConnection, root: Path | None, say: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Fill the temporary tables ``_pictures`` and ``_crops``.

    ``_pictures``: image_id, pixels, pixels_reason, content, hash (UBIGINT), and ``measured_...`` for each metric of pixels.
    ``_crops``: annotation_id and ``measured_...`` for each metric of pixels of labels.

    Args:
        con: shows ``images`` and ``annotations``.
        root: the image root, or None where the batch came without images.
        say: is told how far it is.

    Returns:
        A sentence for each metric whose function failed.
    """
    parts, problems = [], dict[str, str]()
    if root is not None:
        ((total,),) = con.execute(f"select count(*) from images where {_GOOD}").fetchall()
        done, told = 0, time.monotonic()
        for part in in_processes(partial(measure, root), _tasks(con), _SECONDS * total):
            parts.append(part)
            problems = {**part.problems, **problems}
            done += len(part.image_id)
            if time.monotonic() - told > _EVERY:
                told = time.monotonic()
                say(f"measured the pixels of {done:,} of {total:,} images")
    _register(con, parts, root is not None)
    return [f"metric {name}: {text}" for name, text in sorted(problems.items())]


_GOOD = "file_state in ('ok', 'size_differs')"


def _tasks(con: DuckDBPyConnection) -> Iterator[Task]:
    """The images in groups, those of one group with their boxes."""
    images = con.sql(
        f"""select image_id, file_name, exif_orientation, file_state = 'ok' as as_labelled from images
            where {_GOOD} order by image_id"""
    ).to_arrow_table()
    boxes = con.execute(
        f"""select image_id, annotation_id, x, y, width, height from annotations
            semi join (from images where {_GOOD}) using (image_id) order by image_id, annotation_id"""
    ).fetchnumpy()
    box = np.stack([boxes[c] for c in ("x", "y", "width", "height")], axis=1)
    ids = images["image_id"].to_numpy()
    first = np.searchsorted(boxes["image_id"], ids)
    first = np.append(first, len(box))
    for start in range(0, len(ids), _IMAGES_A_TASK):
        some = images.slice(start, _IMAGES_A_TASK)
        end = start + some.num_rows
        labels = slice(first[start], first[end])
        yield Task(
            ids[start:end],
            some["file_name"].to_pylist(),
            some["exif_orientation"].to_pylist(),
            some["as_labelled"].to_numpy(),
            boxes["annotation_id"][labels],
            box[labels],
            first[start : end + 1] - first[start],
        )


def measure(root: Path, task: Task) -> Measured:
    """Decode and measure the images of a task."""
    image_metrics, crop_metrics = pixel_metrics()
    out = Measured(
        task.image_id,
        [],
        [],
        [],
        {m.name: np.full(len(task.image_id), np.nan) for m in image_metrics},
        task.annotation_id,
        {m.name: np.full(len(task.annotation_id), np.nan) for m in crop_metrics},
    )
    _quiet()
    for place, (name, orientation) in enumerate(zip(task.file_name, task.orientation, strict=True)):
        try:
            data = (root / name).read_bytes()
            picture = decode(data, orientation)
        except (OSError, UnreadablePicture) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            out.reason.append(reason or "cannot be read")
            out.content.append(None)
            out.hash.append(None)
            continue
        out.reason.append(None)
        out.content.append(hashlib.sha256(data).hexdigest())
        _measure_one(out, task, place, picture)
    return out


def _measure_one(out: Measured, task: Task, place: int, picture: Picture) -> None:
    image_metrics, crop_metrics = pixel_metrics()
    rows = np.arange(task.first[place], task.first[place + 1])
    if task.as_labelled[place]:
        boxes, filled = whole_pixels(task.box[rows], picture.width, picture.height)
        boxes, rows = boxes[filled], rows[filled]
        picture.expect(boxes)
    else:  # nobody knows where in the picture the boxes lie
        rows = rows[:0]
    out.hash.append(picture.perceptual_hash)
    for metric in image_metrics:
        with _noted(out, metric):
            out.images[metric.name][place] = metric.function(picture)  # type: ignore[misc]
    for metric in crop_metrics if len(rows) else ():
        with _noted(out, metric):
            out.crops[metric.name][rows] = metric.function(picture, boxes)  # type: ignore[misc]


class _noted:
    """Keeps the first error of a metric's function as a problem, so that the others go on."""

    def __init__(self, out: Measured, metric: Metric) -> None:
        self.out, self.metric = out, metric

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if isinstance(error, Exception):
            text = f"{type(error).__name__}: {error}"
            self.out.problems.setdefault(f"{self.metric.kind}.{self.metric.name}", text)
        return isinstance(error, Exception)


def whole_pixels(
    box: NDArray[np.float64], width: int, height: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The pixels that boxes (x, y, width, height) touch, inside a picture: int64 (n, 4) left, top, right, bottom.

    Right and bottom are the first pixel behind. The second result says which boxes hold a pixel at all.
    """
    low = np.floor(np.maximum(box[:, :2], 0))
    high = np.ceil(np.minimum(box[:, :2] + box[:, 2:], (width, height)))
    edges = np.concatenate([low, high], axis=1).astype(np.int64)
    return edges, np.asarray((high > low).all(axis=1))


@cache
def _quiet() -> None:
    """A large picture is no cause for a warning on the terminal; what is too large is an error, and recorded."""
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def _register(con: DuckDBPyConnection, parts: list[Measured], with_images: bool) -> None:
    image_metrics, crop_metrics = pixel_metrics()
    pictures = pa.table(
        {
            "image_id": _numbers([p.image_id for p in parts], np.int64),
            "reason": pa.array([r for p in parts for r in p.reason], pa.string()),
            "content": pa.array([c for p in parts for c in p.content], pa.string()),
            "hash": pa.array([h for p in parts for h in p.hash], pa.uint64()),
            **{
                measured(m.name): _numbers([p.images[m.name] for p in parts]) for m in image_metrics
            },
        }
    )
    crops = pa.table(
        {
            "annotation_id": _numbers([p.annotation_id for p in parts], np.int64),
            **{measured(m.name): _numbers([p.crops[m.name] for p in parts]) for m in crop_metrics},
        }
    )
    con.register("_measured_rows", pictures)
    con.register("_crop_rows", crops)
    con.execute(
        f"""
        create or replace temp table _pictures as
        select i.image_id,
               case when not {str(with_images).lower()} then 'no_images'
                    when m.image_id is null then 'skipped'
                    when m.reason is not null then 'unreadable' else 'measured' end as pixels,
               case when {str(with_images).lower()} then
                    case when m.image_id is null then 'file_state is ' || i.file_state else m.reason end
               end as pixels_reason,
               m.* exclude (image_id, reason)
        from images i left join _measured_rows m using (image_id);
        create or replace temp table _crops as from _crop_rows;
        """
    )
    con.unregister("_measured_rows")
    con.unregister("_crop_rows")


def _numbers(parts: list[NDArray[np.generic]], kind: type = np.float64) -> pa.Array:
    """One column; NaN and infinite values become NULL."""
    values = np.concatenate([np.zeros(0, kind), *parts])
    mask = ~np.isfinite(values) if kind is np.float64 else None
    return pa.array(values, mask=mask)
