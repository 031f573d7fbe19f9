"""The labels of a batch as arrays, and what lies around each of them. Nothing is changed here.

Boxes are x, y, width, height in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_quality.planting.boxes import covers, ious

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LABELS = """
select a.*, i.width as image_width, i.height as image_height, m.segmentation
from annotations a join images i using (image_id) left join annotation_masks m using (annotation_id)
order by annotation_id
"""
# A label's own category against those of predictions on it: what models, and so perhaps people, take one for the other.
_CONFUSIONS = """
select a.category_id, p.category_id as other, sum(p.score) as weight
from prediction_overlaps o join predictions p using (model, prediction_id) join annotations a using (annotation_id)
where not o.same_category and not o.iscrowd and o.box_iou >= 0.5 group by all
"""
_ALIKE = 0.05  # weight of another category of the same supercategory that no prediction ever named


@dataclass(frozen=True)
class Labels:
    """All labels of a batch, N of them, crowds included, in the order of their ids."""

    rows: pa.Table
    """Schema of ``annotations``, and image_width, image_height, segmentation."""
    image_id: Ints
    category_id: Ints
    box: Floats
    iscrowd: NDArray[np.bool_]
    size: Floats
    """(N, 2): width and height of the label's image, px."""
    image_ids: Ints
    """Images of the batch, with labels or without, sorted; (M,)."""
    image_sizes: Floats
    categories: Ints
    confusions: Floats
    """(C, C): how readily a label of a category is taken for another; rows and columns as `categories`."""

    def segmentations(self, places: Ints) -> list[str | None]:
        """The segmentations' JSON of some labels; None where a label has none."""
        return self.rows["segmentation"].take(places).to_pylist()  # type: ignore[no-any-return]

    @cached_property
    def whole(self) -> NDArray[np.bool_]:
        """Labels that are not crowds and have a box with an area."""
        return np.asarray(~self.iscrowd & (self.box[:, 2:] > 0).all(1))

    @cached_property
    def has_mask(self) -> NDArray[np.bool_]:
        """Labels with a segmentation."""
        return np.asarray(self.rows["segmentation"].is_valid().to_numpy())

    @cached_property
    def in_crowd(self) -> NDArray[np.bool_]:
        """Labels of which at least half lies in a crowd of their category: they need not be labelled."""
        crowds = np.flatnonzero(self.iscrowd)
        one, other = self.beside(self.image_id, crowds)
        same = self.category_id[one] == self.category_id[other]
        one, other = one[same], other[same]
        inside = np.zeros(len(self.box), bool)
        inside[one[covers(self.box[one], self.box[other]) >= 0.5]] = True
        return inside

    @cached_property
    def hidden(self) -> Floats:
        """(N,) the greatest share of a label's box that lies in another label's."""
        one, other = self.beside(self.image_id, np.flatnonzero(self.whole))
        apart = one != other
        one, other = one[apart], other[apart]
        share = np.zeros(len(self.box))
        np.maximum.at(share, one, covers(self.box[one], self.box[other]))
        return share

    @cached_property
    def alike(self) -> Ints:
        """(N,) labels of the same category in the label's image, itself included."""
        keys = np.stack([self.image_id, self.category_id], 1)
        _, which, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        return count[which.ravel()]

    def beside(self, images: Ints, labels: Ints) -> tuple[Ints, Ints]:
        """Pairs (place in `images`, label) of one image, for all `labels`."""
        order = labels[np.argsort(self.image_id[labels], kind="stable")]
        there = self.image_id[order]
        start = np.searchsorted(there, images, "left")
        count = np.searchsorted(there, images, "right") - start
        one = np.repeat(np.arange(len(images)), count)
        within = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
        return one, order[np.repeat(start, count) + within]

    def overlap(self, images: Ints, box: Floats) -> Floats:
        """The greatest IoU of each box with any label in its image."""
        one, other = self.beside(images, np.arange(len(self.box)))
        greatest = np.zeros(len(images))
        np.maximum.at(greatest, one, ious(box[one], self.box[other]))
        return greatest


def read_labels(con: DuckDBPyConnection, *, confusions: bool = False) -> Labels:
    """The labels of the batch that `con` shows.

    Args:
        con: shows ``images``, ``categories``, ``annotations``, ``annotation_masks``; for `confusions` also ``predictions`` and
            ``prediction_overlaps``.
        confusions: whether to fill `Labels.confusions`; else it is all zeros.
    """
    rows = con.sql(_LABELS).to_arrow_table()
    images = con.execute(
        "select image_id, width, height from images order by image_id"
    ).fetchnumpy()
    categories = con.execute(
        "select category_id, coalesce(supercategory, '') as kind from categories order by category_id"
    ).fetchnumpy()
    ids = categories["category_id"].astype(np.int64)
    confused = np.zeros((len(ids), len(ids)))
    if confusions:
        kind = categories["kind"].astype(str)
        confused += _ALIKE * ((kind[:, None] == kind[None, :]) & (kind != "")[:, None])
        seen = con.execute(_CONFUSIONS).fetchnumpy()
        at = [np.searchsorted(ids, seen[c]) for c in ("category_id", "other")]
        confused[at[0], at[1]] += seen["weight"]
        np.fill_diagonal(confused, 0)
    return Labels(
        rows,
        rows["image_id"].to_numpy(),
        rows["category_id"].to_numpy(),
        _columns(rows, "x", "y", "width", "height"),
        np.asarray(rows["iscrowd"].to_numpy()),
        _columns(rows, "image_width", "image_height"),
        images["image_id"].astype(np.int64),
        np.stack([images["width"], images["height"]], 1).astype(np.float64),
        ids,
        confused,
    )


def _columns(rows: pa.Table, *names: Sequence[str] | str) -> Floats:
    return np.stack([rows[n].to_numpy().astype(np.float64) for n in names], 1)
