"""The shapes of planted errors: which labels each one takes, and what it makes of them.

A shape is one way in which an error of a type comes about; `SHAPES` lists all. Belongs here: the table of shapes and what they
make of labels. Does not belong here: geometry (`boxes`, `outlines`), and how many errors are planted, with their ledger (`plant`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from label_quality.planting import boxes, invented, outlines
from label_quality.planting.made import Made, made_of, moved

if TYPE_CHECKING:
    from label_quality.planting.labels import Floats, Ints, Labels

BANDS = {"coarse": (0.40, 0.70), "medium": (0.70, 0.85)}
"""IoU of an inaccurate box with the true one. Above 0.85 lies what careful people differ by."""
MASK_BAND = (0.40, 0.85)
DUPLICATE_BAND = (0.80, 0.98)
NESTED_BAND = (0.35, 0.70)
_LEAST_AREA = 256.0  # px²; the outline of what is smaller is a matter of taste


@dataclass(frozen=True)
class Shape:
    """One way in which an error comes about.

    `weight` gives each label's weight in the draw (N,), 0 for those that cannot have the error. `make` makes the errors out of
    the labels at some places, (n,).
    """

    error_type: str
    weight: Callable[[Labels], Floats]
    make: Callable[[Labels, Ints, Generator], Made]


# Which labels.


def _any(labels: Labels) -> Floats:
    return np.asarray(labels.whole, np.float64)


def _masked(labels: Labels) -> Floats:
    large = labels.box[:, 2:].prod(1) >= _LEAST_AREA
    return np.asarray(labels.whole & labels.has_mask & large, np.float64)


def _outside_crowds(labels: Labels) -> Floats:
    return np.asarray(labels.whole & ~labels.in_crowd, np.float64)


def _small(labels: Labels) -> Floats:
    area = labels.box[:, 2:].prod(1)
    return np.asarray(_outside_crowds(labels) / np.sqrt(np.maximum(area, 1)))


def _occluded(labels: Labels) -> Floats:
    return _outside_crowds(labels) * (0.02 + labels.hidden)


def _crowded(labels: Labels) -> Floats:
    return _outside_crowds(labels) * labels.alike


def _confusable(labels: Labels) -> Floats:
    readily = labels.confusions.sum(1)
    rows = np.searchsorted(labels.categories, labels.category_id)
    return np.asarray(_any(labels) * (readily[rows] > 0))


def _several(labels: Labels) -> Floats:
    return _any(labels) * (len(labels.categories) > 1)


# What becomes of them.


def _gone(labels: Labels, places: Ints, _rng: Generator) -> Made:
    return made_of(labels, places)


def _renamed(labels: Labels, places: Ints, rng: Generator, *, confusable: bool) -> Made:
    weights = labels.confusions if confusable else 1.0 - np.eye(len(labels.categories))
    rows = np.searchsorted(labels.categories, labels.category_id[places])
    total = np.cumsum(weights, 1)[rows]
    drawn = rng.random(len(places)) * total[:, -1]
    column = (total <= drawn[:, None]).sum(1)
    return made_of(labels, places, category_id=labels.categories[column])


def _misplaced(
    labels: Labels, places: Ints, rng: Generator, *, kind: str, band: tuple[float, float]
) -> Made:
    box, iou, good = boxes.distorted(kind, labels.box[places], band, labels.size[places], rng)
    return moved(labels, places, box, good, iou=iou)


def _outlined(labels: Labels, places: Ints, rng: Generator, *, kind: str) -> Made:
    return _by_mask(labels, places, rng, kind, MASK_BAND)


def _by_mask(
    labels: Labels, places: Ints, rng: Generator, kind: str, band: tuple[float, float]
) -> Made:
    made = made_of(labels, places)
    for k, segmentation in enumerate(labels.segmentations(places)):
        size = labels.size[places[k]]
        found, made.iou[k] = outlines.distorted(
            kind, segmentation or "[]", size, rng.uniform(*band), rng
        )
        made.good[k] = found is not None and band[0] <= made.iou[k] <= band[1]
        if found is not None and made.good[k]:
            made.put(k, found, size)
            made.box[k] = found.box
    return made


def _again(labels: Labels, places: Ints, rng: Generator, *, renamed: bool) -> Made:
    made = _misplaced(labels, places, rng, kind="shift", band=DUPLICATE_BAND)
    if renamed:
        made.category_id[:] = _renamed(labels, places, rng, confusable=False).category_id
    return made


def _exactly(labels: Labels, places: Ints, _rng: Generator) -> Made:
    made = made_of(labels, places)
    made.iou[:] = 1.0
    return made


def _part(labels: Labels, places: Ints, rng: Generator) -> Made:
    """A label of a part beside that of the whole: by mask where there is one, else by one edge."""
    made = _misplaced(labels, places, rng, kind="tight", band=NESTED_BAND)
    masked = np.flatnonzero(labels.has_mask[places])
    return made.replaced(masked, _by_mask(labels, places[masked], rng, "cut", NESTED_BAND))


def _table() -> dict[str, Shape]:
    table = {
        "missing_uniform": Shape("missing", _outside_crowds, _gone),
        "missing_small": Shape("missing", _small, _gone),
        "missing_occluded": Shape("missing", _occluded, _gone),
        "missing_crowded": Shape("missing", _crowded, _gone),
        "wrong_class_uniform": Shape("wrong_class", _several, partial(_renamed, confusable=False)),
        "wrong_class_confusable": Shape(
            "wrong_class", _confusable, partial(_renamed, confusable=True)
        ),
    }
    for kind in boxes.KINDS:
        for name, band in BANDS.items():
            table[f"inaccurate_{kind}_{name}"] = Shape(
                "inaccurate", _any, partial(_misplaced, kind=kind, band=band)
            )
    for kind in outlines.KINDS:
        table[f"mask_{kind}"] = Shape("inaccurate", _masked, partial(_outlined, kind=kind))
    return table | {
        "duplicate_exact": Shape("duplicate", _any, _exactly),
        "duplicate_same": Shape("duplicate", _any, partial(_again, renamed=False)),
        "duplicate_other": Shape("duplicate", _several, partial(_again, renamed=True)),
        "duplicate_nested": Shape("duplicate", _any, _part),
        "spurious_random": Shape("spurious", _any, invented.anywhere),
        "spurious_plausible": Shape("spurious", _any, invented.plausibly),
    }


SHAPES: Mapping[str, Shape] = MappingProxyType(_table())
"""All shapes by name, those of one error type together."""
