"""The outlines of polygon labels, many at once, and what metrics ask of them; extents and areas of all masks.

Parsing is ``coco``'s work. What a metric makes of an outline stands in ``annotation/polygon.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from label_quality import registry
from label_quality.coco import segments
from label_quality.coco.errors import Refused
from label_quality.coco.masks import areas, decode_segmentations, to_rles
from label_quality.coco.sinks import Texts
from label_quality.metrics.hulls import hull_areas
from label_quality.metrics.rows import measured
from label_quality.workers import in_threads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

_LABELS_A_TASK = 5_000  # their points fit a core's cache
_LARGEST_RASTER = 10_000  # px; a self-crossing outline that is longer keeps its shoelace area


class Outlines:
    """The polygons of `n` labels.

    Part k has the points ``x[starts[k]:]``, ``y[starts[k]:]`` up to the next part, in order, and belongs to label
    ``row[k]``; labels are in order and each has a part.
    """

    def __init__(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        starts: NDArray[np.int64],
        row: NDArray[np.int64],
    ) -> None:
        """All parts have three points or more; see the class for the shapes."""
        self.x, self.y, self.starts, self.row = x, y, starts, row
        self._first = np.flatnonzero(np.diff(row, prepend=-1))  # first part of each label
        self._label_starts = starts[self._first]  # first point of each label

    def __len__(self) -> int:
        return len(self._first)

    def _per_label(self, per_part: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(per_part, self._first))

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.append(self.starts[1:], len(self.x))

    @cached_property
    def points(self) -> NDArray[np.int64]:
        """Points of all parts of each label, int64 (n,)."""
        return np.diff(np.append(self._label_starts, len(self.x)))

    @cached_property
    def _edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """From each point to the next of its part, the last one to the first."""
        dx, dy = np.empty_like(self.x), np.empty_like(self.y)
        for out, values in ((dx, self.x), (dy, self.y)):
            np.subtract(values[1:], values[:-1], out=out[:-1])
            out[self._ends - 1] = values[self.starts] - values[self._ends - 1]
        return dx, dy

    @cached_property
    def perimeter(self) -> NDArray[np.float64]:
        """Length of the outlines of all parts of each label, px."""
        return np.asarray(np.add.reduceat(np.hypot(*self._edges), self._label_starts))

    @cached_property
    def shoelace(self) -> NDArray[np.float64]:
        """Sum of the absolute shoelace areas of the parts of each label, px²."""
        dx, dy = self._edges
        # Relative to the first point of the part, so that far from the origin nothing is lost.
        sizes = self._ends - self.starts
        x = self.x - np.repeat(self.x[self.starts], sizes)
        y = self.y - np.repeat(self.y[self.starts], sizes)
        return self._per_label(np.abs(np.add.reduceat(x * dy - y * dx, self.starts)) / 2)

    @cached_property
    def turns_once(self) -> NDArray[np.bool_]:
        """Whether each part of a label turns by exactly one full turn, as every outline does that does not cross itself."""
        dx, dy = self._edges
        some = np.flatnonzero((dx != 0) | (dy != 0))
        part = np.repeat(np.arange(len(self.starts)), self._ends - self.starts)[some]
        out = np.zeros(len(self.starts), bool)
        if len(some):
            angle = np.arctan2(dy[some], dx[some])
            first = np.flatnonzero(np.diff(part, prepend=-1))
            turn = np.empty_like(angle)
            np.subtract(angle[1:], angle[:-1], out=turn[:-1])
            last = np.append(first[1:], len(angle)) - 1
            turn[last] = angle[first] - angle[last]
            turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
            total = np.add.reduceat(turn, first) / (2 * np.pi)
            out[part[first]] = np.abs(np.abs(total) - 1) < 1e-6
        return np.asarray(np.logical_and.reduceat(out, self._first))

    @cached_property
    def area(self) -> NDArray[np.float64]:
        """Area of each label, px²: the shoelace sum; of an outline that crosses itself, the pixels that COCO draws of it.

        The shoelace sum of a bow-tie is the difference of its two halves.
        """
        out = self.shoelace.copy()
        crossed = np.flatnonzero(~self.turns_once)
        left, top, right, bottom = (edge[crossed] for edge in self.extent.T)
        small = (right - left < _LARGEST_RASTER) & (bottom - top < _LARGEST_RASTER)
        crossed = crossed[small]
        texts, heights, widths = [], [], []
        ends = np.append(self._first[1:], len(self.starts))
        for one in crossed.tolist():
            x0, y0 = np.floor(self.extent[one, :2])
            parts = [
                np.stack([self.x[a:b] - x0, self.y[a:b] - y0], axis=1).ravel().tolist()
                for a, b in zip(
                    self.starts[self._first[one] : ends[one]],
                    self._ends[self._first[one] : ends[one]],
                    strict=True,
                )
            ]
            texts.append(str(parts))
            heights.append(int(self.extent[one, 3] - y0) + 1)
            widths.append(int(self.extent[one, 2] - x0) + 1)
        if texts:
            out[crossed] = areas(to_rles(texts, heights, widths))
        return out

    @cached_property
    def extent(self) -> NDArray[np.float64]:
        """Left, top, right and bottom edge of each label, (n, 4) px."""
        s = self._label_starts
        return np.stack(
            [
                np.minimum.reduceat(self.x, s),
                np.minimum.reduceat(self.y, s),
                np.maximum.reduceat(self.x, s),
                np.maximum.reduceat(self.y, s),
            ],
            axis=1,
        )

    @cached_property
    def hull_area(self) -> NDArray[np.float64]:
        """Area of the convex hull of all parts of each label, px²."""
        return hull_areas(self.x, self.y, self._label_starts)


def mask_metrics() -> list[registry.Metric]:
    """The metrics that are functions of outlines."""
    found = registry.metrics("annotation").values()
    return [m for m in found if m.function and "pixels" not in m.needs]


def measure_masks(con: DuckDBPyConnection) -> list[str]:
    """Fill the temporary table ``_masks``.

    Its columns: annotation_id, outline_area, mask_x, mask_y, mask_width, mask_height, and ``measured_...`` for each metric that
    is a function of outlines.

    Args:
        con: shows ``annotation_masks``.

    Returns:
        A sentence for each metric whose function failed.
    """
    problems: dict[str, str] = {}
    rows = con.sql("select annotation_id, segmentation from annotation_masks")
    parts = list(in_threads(lambda batch: _measure(batch, problems), _batches(rows)))
    schema = pa.schema(
        [("annotation_id", pa.int64())]
        + [(name, pa.float64()) for name in (*_FIXED, *(measured(m.name) for m in mask_metrics()))]
    )
    con.register("_mask_rows", pa.Table.from_batches(parts, schema))
    con.execute("create or replace temp table _masks as from _mask_rows")
    con.unregister("_mask_rows")
    return [f"metric annotation.{name}: {text}" for name, text in sorted(problems.items())]


_FIXED = ("outline_area", "mask_x", "mask_y", "mask_width", "mask_height")


def _batches(rows: object) -> Iterator[pa.RecordBatch]:
    yield from rows.to_arrow_reader(_LABELS_A_TASK)  # type: ignore[attr-defined]


def _measure(batch: pa.RecordBatch, problems: dict[str, str]) -> pa.RecordBatch:
    n = batch.num_rows
    texts = batch.column(1).cast(pa.binary()).to_pylist()
    found = _parse(texts)
    extent, area = np.full((n, 4), np.nan), np.full(n, np.nan)
    columns = {m.name: np.full(n, np.nan) for m in mask_metrics()}
    rows = np.flatnonzero(found.kind == segments.POLYGON)
    if len(rows):
        x, y = (
            np.ascontiguousarray(found.coordinates[0::2]),
            np.ascontiguousarray(found.coordinates[1::2]),
        )
        sizes = found.part_length // 2
        outlines = Outlines(x, y, np.cumsum(sizes) - sizes, found.part_row)
        extent[rows], area[rows] = outlines.extent, outlines.area
        for metric in mask_metrics():
            try:
                columns[metric.name][rows] = metric.function(outlines)  # type: ignore[misc]
            except Exception as error:  # of a plugin: the others go on
                problems.setdefault(metric.name, f"{type(error).__name__}: {error}")
    if len(found.rle_row):
        area[found.rle_row], extent[found.rle_row] = segments.rle_geometry(found.rles)
    values = [
        area,
        extent[:, 0],
        extent[:, 1],
        *(extent[:, 2:] - extent[:, :2]).T,
        *columns.values(),
    ]
    return pa.record_batch(
        [batch.column(0), *(pa.array(v, mask=~np.isfinite(v)) for v in values)],
        ["annotation_id", *_FIXED, *map(measured, columns)],
    )


def _parse(texts: list[bytes]) -> segments.Segments:
    try:
        return segments.from_texts(Texts(texts))
    except Refused:  # what only the tolerant reader of labels takes
        return segments.from_values(decode_segmentations([t.decode() for t in texts]))
