"""Labels on nothing: shape, category and mask of real labels, at places where no label is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from label_quality.planting.boxes import clipped
from label_quality.planting.made import Made, moved

if TYPE_CHECKING:
    from collections.abc import Callable

    from label_quality.planting.labels import Floats, Ints, Labels

_TRIES = 30
_FREE = 0.1  # IoU with any label below which a place is free


def anywhere(labels: Labels, places: Ints, rng: Generator) -> Made:
    """At a random place of a random image."""

    def propose(box: Floats, _at: Ints) -> tuple[Ints, Floats]:
        image = rng.integers(0, len(labels.image_ids), len(box))
        room = labels.image_sizes[image] - box[:, 2:]
        return image, rng.random((len(box), 2)) * room

    return _placed(labels, places, propose)


def plausibly(labels: Labels, places: Ints, rng: Generator) -> Made:
    """Where such objects stand: in an image that has one, beside another one's usual height in the picture.

    The image is one of a label of the same category; the place is as high in it as the label was in its own, give or take a
    tenth of the image, and anywhere from left to right.
    """
    order = np.flatnonzero(labels.whole)
    order = order[np.argsort(labels.category_id[order], kind="stable")]
    sorted_categories = labels.category_id[order]

    def propose(box: Floats, at: Ints) -> tuple[Ints, Floats]:
        low = np.searchsorted(sorted_categories, labels.category_id[at], "left")
        high = np.searchsorted(sorted_categories, labels.category_id[at], "right")
        host = order[rng.integers(low, high)]
        image = np.searchsorted(labels.image_ids, labels.image_id[host])
        room = labels.image_sizes[image] - box[:, 2:]
        height = box[:, 1] / labels.size[at, 1] + rng.normal(0, 0.1, len(box))
        y = np.clip(height * labels.image_sizes[image, 1], 0, np.maximum(room[:, 1], 0))
        return image, np.stack([rng.random(len(box)) * room[:, 0], y], 1)

    return _placed(labels, places, propose)


def _placed(
    labels: Labels, places: Ints, propose: Callable[[Floats, Ints], tuple[Ints, Floats]]
) -> Made:
    """Labels at the first free place that is proposed for each; `propose` gives image numbers and left upper corners."""
    box = labels.box[places].copy()
    image = np.zeros(len(places), np.int64)
    wanted = np.ones(len(places), bool)
    for _ in range(_TRIES):
        todo = np.flatnonzero(wanted)
        if not len(todo):
            break
        here, corner = propose(box[todo], places[todo])
        tried = np.concatenate([corner, box[todo, 2:]], 1)
        size = labels.image_sizes[here]
        fits = (corner >= 0).all(1) & (corner + box[todo, 2:] <= size).all(1)
        free = fits & (labels.overlap(labels.image_ids[here], tried) < _FREE)
        done = todo[free]
        box[done], image[done] = clipped(tried, size)[free], here[free]
        wanted[done] = False
    return moved(
        labels,
        places,
        box,
        ~wanted,
        image_id=labels.image_ids[image],
        size=labels.image_sizes[image],
    )
