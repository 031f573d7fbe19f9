"""Mask overlaps of the pairs whose boxes intersect, image by image, through pycocotools.

One call per image compares all its labels with all its predictions; pycocotools itself skips pairs whose boxes do not
meet. Images go in groups, so that memory does not grow with the batch. RLE work lives in ``coco.masks``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as mask_api

from label_quality.coco.masks import to_rles
from label_quality.workers import in_processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

_IMAGES_AT_A_TIME = 100
_SECONDS = 6e-5  # of work for each prediction, roughly
_UNCOMPARED = "_pairs where both_masks and mask_iou is null"
PREDICTION_KEY = "prediction_id * len(enum_range(null::_model)) + enum_code(model)"


def mask_overlaps(con: DuckDBPyConnection) -> pa.Table:
    """Mask IoU of the rows of ``_pairs`` with ``both_masks`` that have none: columns ``pair`` (rowid) and ``mask_iou``.

    Leaves ``_label_masks`` and ``_prediction_masks`` behind for `boundary`.
    """
    gather_label_masks(con, f"select annotation_id from {_UNCOMPARED}")
    gather_prediction_masks(con, _UNCOMPARED)
    pairs: list[NDArray[np.int64]] = []

    def tasks() -> Iterator[_Task]:
        for first, last in image_ranges(con, _UNCOMPARED):
            rows = con.execute(
                f"""select rowid as pair, image_id, annotation_id, {PREDICTION_KEY} as prediction
                    from {_UNCOMPARED} and image_id between {first} and {last}
                    order by image_id"""
            ).fetchnumpy()
            labels = Masks(con, "_label_masks", first, last)
            predictions = Masks(con, "_prediction_masks", first, last)
            pairs.append(rows["pair"])
            left, right = labels.find(rows["annotation_id"]), predictions.find(rows["prediction"])
            yield rows["image_id"], labels, predictions, left, right

    values = list(in_processes(_by_image, tasks(), _SECONDS * count(con, "_prediction_masks")))
    return pa.table(
        {
            "pair": np.concatenate([np.empty(0, np.int64), *pairs]),
            "mask_iou": np.concatenate([np.empty(0), *values]),
        }
    )


def count(con: DuckDBPyConnection, source: str) -> int:
    """Rows of a table."""
    # All of the result: one that was not read to its end keeps DuckDB 2 from registering anything on the connection.
    return int(con.execute(f"select count(*) from {source}").fetchall()[0][0])


def image_ranges(
    con: DuckDBPyConnection, source: str, images: int | None = None
) -> Iterator[tuple[int, int]]:
    """Ranges of image ids (first, last, both included) of at most so many images, else of 100 to 1000."""
    ids = con.execute(f"select distinct image_id from {source} order by image_id").fetchnumpy()[
        "image_id"
    ]
    step = images or min(max(_IMAGES_AT_A_TIME, len(ids) // 50), 10 * _IMAGES_AT_A_TIME)
    for start in range(0, len(ids), step):
        group = ids[start : start + step]
        yield int(group[0]), int(group[-1])


def gather_label_masks(con: DuckDBPyConnection, wanted: str) -> None:
    """Fill ``_label_masks`` with the segmentations of the labels that `wanted` (SQL: annotation_id) gives, once."""
    con.execute(
        f"""create or replace temp table _label_masks as
            select a.image_id, a.annotation_id as key, a.iscrowd, s.segmentation, i.height, i.width
            from annotations a semi join ({wanted}) using (annotation_id)
              join annotation_masks s using (annotation_id) join images i using (image_id)"""
    )


def gather_prediction_masks(con: DuckDBPyConnection, pairs: str) -> None:
    """Fill ``_prediction_masks`` with the segmentations of the predictions in `pairs` (rows of ``_pairs``, as SQL)."""
    con.execute(
        f"""create or replace temp table _prediction_masks as
            with wanted as (
              select distinct image_id, model, prediction_id from {pairs}
            ), masks as (
              select model::_model as model, prediction_id, segmentation from prediction_masks
            )
            select image_id, {PREDICTION_KEY} as key, false as iscrowd, segmentation, i.height, i.width
            from wanted join masks using (model, prediction_id) join images i using (image_id)"""
    )


class Masks:
    """The masks of a range of images, found by key: annotation id, or prediction id × number of models + model.

    They travel to another process as text; `rles` makes run lengths of them there.
    """

    def __init__(self, con: DuckDBPyConnection, table: str, first: int, last: int) -> None:
        found = con.sql(f"select * from {table} where image_id between {first} and {last}")
        rows = found.to_arrow_table().sort_by("key")
        self.keys = rows["key"].to_numpy()
        self.texts = rows["segmentation"].to_pylist()
        self.sizes = rows["height"].to_pylist(), rows["width"].to_pylist()
        self.iscrowd = rows["iscrowd"].to_numpy()

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the given keys."""
        return np.searchsorted(self.keys, keys)

    def rles(self) -> list[dict[str, Any]]:
        """All masks as compressed run lengths."""
        return to_rles(self.texts, *self.sizes)

    def some_rles(self, places: NDArray[np.int64]) -> list[dict[str, Any]]:
        """The masks at some positions as compressed run lengths."""
        wanted = places.tolist()
        return to_rles(*([values[k] for k in wanted] for values in (self.texts, *self.sizes)))


_Task = tuple[NDArray[np.int64], Masks, Masks, NDArray[np.int64], NDArray[np.int64]]


def _by_image(task: _Task) -> NDArray[np.float64]:
    """IoU of each pair (images, labels, predictions, position in each); the pairs stand sorted by image."""
    images, labels, predictions, left, right = task
    label_rles, prediction_rles = labels.rles(), predictions.rles()
    out = np.empty(len(images))
    bounds = np.flatnonzero(np.r_[True, images[1:] != images[:-1], True])
    for start, end in pairwise(bounds):
        row, at_row = np.unique(left[start:end], return_inverse=True)
        column, at_column = np.unique(right[start:end], return_inverse=True)
        matrix = mask_api.iou(
            [prediction_rles[i] for i in column],
            [label_rles[i] for i in row],
            [bool(labels.iscrowd[i]) for i in row],
        )
        out[start:end] = matrix[at_column, at_row]
    return out
