"""How much of each image lies in the box of at least one label: areas of unions of boxes, in array code."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from label_quality.workers import in_threads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_BOXES_A_TASK = 20_000  # their strips fit a core's cache, and their numbers into 16 bits

# The boxes, cut off at the border of the image, from the top of each image down.
_BOXES = """
with boxes as (
  select a.image_id, greatest(a.x, 0) as x0, greatest(a.y, 0) as y0,
         least(a.x + a.width, i.width) as x1, least(a.y + a.height, i.height) as y1
  from annotations a join images i using (image_id)
)
from boxes where x1 > x0 and y1 > y0 order by image_id, y0, y1
"""


def find_unions(con: DuckDBPyConnection) -> None:
    """Fill the temporary table ``_unions``: image_id, boxes_union (px²) of each image with a label inside.

    Args:
        con: shows ``images`` and ``annotations``.
    """
    boxes = con.execute(_BOXES).fetchnumpy()
    ids, first = np.unique(boxes["image_id"], return_index=True)
    ends = np.append(first, len(boxes["image_id"]))
    box = np.stack([boxes[name] for name in ("x0", "y0", "x1", "y1")])
    image = np.repeat(np.arange(len(ids)), np.diff(ends))
    areas = in_threads(partial(_of_boxes, box, image), _tasks(ends))
    rows = pa.table({"image_id": ids, "boxes_union": np.concatenate([np.zeros(0), *areas])})
    con.register("_union_rows", rows)
    con.execute("create or replace temp table _unions as from _union_rows")
    con.unregister("_union_rows")


def _tasks(ends: Ints) -> Iterator[slice]:
    """Boxes of whole images, some thousands at a time."""
    start = 0
    while start < ends[-1]:
        stop = ends[np.searchsorted(ends, start + 1)]
        stop = max(stop, ends[np.searchsorted(ends, start + _BOXES_A_TASK, side="right") - 1])
        yield slice(int(start), int(stop))
        start = stop


def _of_boxes(box: Floats, image: Ints, some: slice) -> Floats:
    x0, y0, x1, y1 = box[:, some]
    return union_areas(x0, y0, x1, y1, image[some] - image[some.start])


def union_areas(x0: Floats, y0: Floats, x1: Floats, y1: Floats, image: Ints) -> Floats:
    """Area of the union of the boxes of each image, float64 (images,) px².

    Between two vertical edges of boxes of an image that follow each other, a strip, the same boxes are open: the union of
    their vertical extents, which a running maximum of lower edges gives, times the width of the strip.

    Args:
        x0: left edges of the boxes, which stand by `image` and in it by y0 and y1.
        y0: their upper edges.
        x1: their right edges.
        y1: their lower edges.
        image: number of the image of each box, 0, 1, 2 ..., each of which has a box.
    """
    n = len(x0)
    edges, of = np.concatenate([x0, x1]), np.concatenate([image, image])
    order = np.lexsort((edges, of))
    new = (np.diff(edges[order], prepend=np.nan) != 0) | (np.diff(of[order], prepend=-1) != 0)
    place = np.empty(2 * n, np.int64)
    place[order] = np.cumsum(new) - 1
    at = edges[order[new]]
    # Each box in each of its strips, those of one strip together, from the top down.
    first, strips = place[:n], place[n:] - place[:n]
    box = np.repeat(np.arange(n), strips)
    strip = np.arange(len(box)) - np.repeat(np.cumsum(strips) - strips - first, strips)
    by_strip = np.argsort(strip.astype(np.min_scalar_type(len(at))), kind="stable")
    strip, box = strip[by_strip], box[by_strip]
    # The running maximum, in all strips at once: of ranks, with the strip's number before them.
    lowest = np.argsort(y1, kind="stable")
    rank = np.empty(n, np.int64)
    rank[lowest] = np.arange(n)
    reached = np.maximum.accumulate(strip * n + rank[box])
    covered = y0[box]
    follows = np.flatnonzero(strip[1:] == strip[:-1]) + 1
    above = y1[lowest[reached[follows - 1] - strip[follows] * n]]
    covered[follows] = np.maximum(covered[follows], above)
    areas = (at[strip + 1] - at[strip]) * np.maximum(y1[box] - covered, 0)
    images = int(image[-1]) + 1 if n else 0
    return np.bincount(image[box], areas, minlength=images).astype(np.float64, copy=False)
