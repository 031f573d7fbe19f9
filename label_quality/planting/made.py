"""What a shape makes of labels: their new image, category, box and mask. Nothing is chosen here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from label_quality.planting import outlines

if TYPE_CHECKING:
    from label_quality.coco.regions import Region
    from label_quality.planting.labels import Floats, Ints, Labels


_ARRAYS = ("image_id", "category_id", "box", "area", "iou", "good")


@dataclass(frozen=True)
class Made:
    """Labels that were made of others, n of them; the arrays may be written to."""

    image_id: Ints
    category_id: Ints
    box: Floats
    """(n, 4): x, y, width, height, px."""
    segmentation: list[str | None]
    area: Floats
    """Of the mask, else of the box, px²; NaN: as it was."""
    iou: Floats
    """IoU with what was there before, of boxes or, where the outline is what changed, of masks; NaN where nothing moved."""
    good: NDArray[np.bool_]
    """Whether it came out as wanted; what did not is not planted."""

    def put(self, k: int, found: Region, size: Floats) -> None:
        """Give label `k` the mask `found`, in an image of this width and height."""
        self.segmentation[k] = outlines.text(found, size)
        self.area[k] = found.area

    def followed_by(self, other: Made) -> Made:
        """This and what came out as wanted of `other`."""
        good = np.flatnonzero(other.good)
        parts = {
            name: np.concatenate([getattr(self, name), getattr(other, name)[good]])
            for name in _ARRAYS
        }
        texts = self.segmentation + [other.segmentation[k] for k in good]
        return Made(segmentation=texts, **parts)

    def replaced(self, places: Ints, other: Made) -> Made:
        """This with the labels at `places` replaced by those of `other`, in its order."""
        for name in _ARRAYS:
            getattr(self, name)[places] = getattr(other, name)
        for k, text in zip(places.tolist(), other.segmentation, strict=True):
            self.segmentation[k] = text
        return self


def made_of(labels: Labels, places: Ints, category_id: Ints | None = None) -> Made:
    """The labels at `places` as they are, in another category where one is given."""
    n = len(places)
    return Made(
        labels.image_id[places].copy(),
        labels.category_id[places].copy() if category_id is None else category_id,
        labels.box[places].copy(),
        labels.segmentations(places),
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.ones(n, bool),
    )


def moved(
    labels: Labels,
    places: Ints,
    box: Floats,
    good: NDArray[np.bool_],
    *,
    image_id: Ints | None = None,
    size: Floats | None = None,
    iou: Floats | None = None,
) -> Made:
    """The labels at `places` with another box, their masks stretched into it, in another image where one is given.

    Args:
        labels: all labels.
        places: (n,) which of them.
        box: (n, 4) their new boxes, within the image.
        good: (n,) which of the boxes came out as wanted.
        image_id: (n,) where they stand now; with `size`, (n, 2), width and height of those images.
        size: see `image_id`.
        iou: (n,) IoU of the new box with the old one.
    """
    made = made_of(labels, places)
    old, here = labels.box[places], labels.size[places]
    there = here if size is None else size
    made.box[:] = box
    made.good[:] = good
    if image_id is not None:
        made.image_id[:] = image_id
    if iou is not None:
        made.iou[:] = iou
    made.area[:] = box[:, 2:].prod(1)
    for k in np.flatnonzero(good & labels.has_mask[places]).tolist():
        found = outlines.stretched(made.segmentation[k] or "[]", here[k], old[k], box[k], there[k])
        if found is None:
            made.good[k] = False
        else:
            made.put(k, found, there[k])
    return made
