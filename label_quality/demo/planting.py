"""Plants label errors of every type into faultless labels and keeps a ledger of them.

Belongs here: what is made wrong, and how it is told. Does not belong here: the true objects
(`scenes`), the files (`write`), whether findings find the errors (`score`).

Every label carries at most one error; the original of a planted duplicate counts as touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from numpy.random import Generator

from label_quality.coco.regions import Region, iou
from label_quality.demo.categories import CATEGORY_IDS, CATEGORY_NAMES, CONFUSED_WITH
from label_quality.demo.distort import distort
from label_quality.demo.scenes import HEIGHT, WIDTH, Scene

SIZE: Final = (WIDTH, HEIGHT)
# Share of each type among the planted errors.
SHARES: Final = {
    "missing": 0.21,
    "wrong_class": 0.24,
    "inaccurate": 0.29,
    "duplicate": 0.13,
    "spurious": 0.13,
}
# Bands of IoU between the true box and the delivered one.
INACCURATE_BANDS: Final = ((0.40, 0.70), (0.70, 0.85))
DUPLICATE_BAND: Final = (0.80, 0.98)


@dataclass(frozen=True, eq=False)
class Label:
    """One label: of a true object, or invented (`spurious`). Compared by identity."""

    image_id: int
    category_id: int
    region: Region
    iscrowd: bool = False


@dataclass(frozen=True, eq=False)
class PlantedError:
    """One planted error: `delivered` is None for a missing label, `true` None for a spurious one.

    `other` is the untouched original of a duplicate.
    """

    error_type: str
    true: Label | None
    delivered: Label | None
    other: Label | None
    detail: str

    @property
    def shown(self) -> Label:
        """The true label, or the invented one where there is none."""
        label = self.true or self.delivered
        if label is None:
            raise ValueError("a planted error without a true and without a delivered label")
        return label


@dataclass(frozen=True)
class Planting:
    """The labels as delivered, sorted by image (list index + 1 is the id), and the errors."""

    labels: list[Label]
    errors: list[PlantedError]

    def ledger(self) -> list[dict[str, Any]]:
        """The errors as plain records, sorted by image; boxes x, y, width, height in pixels.

        `annotation_id` is the label as delivered (null for missing), `other_annotation_id` the
        original of a duplicate. Category and box are the true ones; of a spurious label, which has
        no true ones, they are those delivered.
        """
        ids = {id(label): number for number, label in enumerate(self.labels, start=1)}
        records = []
        for number, error in enumerate(self.errors, start=1):
            shown = error.shown
            x, y, width, height = shown.region.box
            records.append(
                {
                    "error_id": number,
                    "error_type": error.error_type,
                    "image_id": shown.image_id,
                    "annotation_id": None if error.delivered is None else ids[id(error.delivered)],
                    "other_annotation_id": None if error.other is None else ids[id(error.other)],
                    "category_id": shown.category_id,
                    "x": x,
                    "y": y,
                    "width": width,
                    "height": height,
                    "detail": error.detail,
                }
            )
        return records


def true_labels(scenes: Sequence[Scene]) -> list[Label]:
    """The labels that a faultless annotator would have made, crowd regions included."""
    return [
        Label(thing.image_id, thing.category_id, thing.region, thing.iscrowd)
        for scene in scenes
        for thing in scene.objects
        if thing.labelled
    ]


def plant(scenes: Sequence[Scene], rng: Generator, share: float = 0.06) -> Planting:
    """Plant errors into about `share` of the labels, at least one of every type if possible.

    Types come in the proportions of `SHARES`. Where a label does not suit a type (too small for
    the band of IoU, no free background), the next one is tried; very few labels may therefore
    get fewer errors than asked for.
    """
    labels = true_labels(scenes)
    eligible = [label for label in labels if not label.iscrowd]
    candidates = [eligible[index] for index in rng.permutation(len(eligible))]
    # Every scene gets at most one spurious label, so no two of them can stand for one thing.
    free_scenes = [scenes[index] for index in rng.permutation(len(scenes))]
    makers: dict[str, Callable[[Label], PlantedError | None]] = {
        "missing": _missing,
        "wrong_class": lambda label: _wrong_class(label, rng),
        "inaccurate": lambda label: _inaccurate(label, rng),
        "duplicate": lambda label: _duplicate(label, rng),
        "spurious": lambda label: _spurious(label, free_scenes, rng),
    }
    errors: list[PlantedError] = []
    for error_type, part in SHARES.items():
        wanted = max(1, round(len(labels) * share * part))
        unsuited = []
        while wanted and candidates:
            label = candidates.pop()
            error = makers[error_type](label)
            if error is None:
                unsuited.append(label)
                continue
            errors.append(error)
            wanted -= 1
        candidates = unsuited + candidates
    return _deliver(labels, errors, rng)


def _deliver(labels: list[Label], errors: list[PlantedError], rng: Generator) -> Planting:
    """Apply the errors; new labels are mixed in among the others so that ids give nothing away."""
    replaced = {
        id(error.true): error.delivered
        for error in errors
        if error.true is not None and error.other is None
    }
    delivered: list[Label] = []
    for label in labels:
        kept = replaced.get(id(label), label)
        if kept is not None:
            delivered.append(kept)
    known = {id(label) for label in delivered}
    for error in errors:
        if error.delivered is not None and id(error.delivered) not in known:
            delivered.append(error.delivered)
    order = rng.permutation(len(delivered))
    shuffled = [delivered[index] for index in order]
    return Planting(
        sorted(shuffled, key=lambda label: label.image_id),
        sorted(errors, key=lambda error: error.shown.image_id),
    )


def _name(category_id: int) -> str:
    return CATEGORY_NAMES[category_id - 1]


def _missing(label: Label) -> PlantedError:
    return PlantedError(
        "missing", label, None, None, f"label of a {_name(label.category_id)} removed"
    )


def _wrong_class(label: Label, rng: Generator) -> PlantedError:
    """Change the category: four times out of five to the one it is most easily taken for."""
    wrong = CATEGORY_IDS[CONFUSED_WITH[_name(label.category_id)]]
    if rng.random() >= 0.8:
        others = [number for number in CATEGORY_IDS.values() if number != label.category_id]
        wrong = int(rng.choice(others))
    detail = f"{_name(label.category_id)} labelled {_name(wrong)}"
    return PlantedError("wrong_class", label, replace(label, category_id=wrong), None, detail)


def _inaccurate(label: Label, rng: Generator) -> PlantedError | None:
    """Shift, widen or narrow the box, or move one edge; the mask goes with it."""
    band = INACCURATE_BANDS[int(rng.random() < 0.45)]
    changed = distort(label.region, band, SIZE, rng)
    if changed is None:
        return None
    kind, region = changed
    detail = f"{kind}: IoU {iou(label.region.box, region.box):.2f} with the true box"
    return PlantedError("inaccurate", label, replace(label, region=region), None, detail)


def _duplicate(label: Label, rng: Generator) -> PlantedError | None:
    """A second label on the same object, of the same class or, one time in three, of another."""
    changed = distort(label.region, DUPLICATE_BAND, SIZE, rng)
    if changed is None:
        return None
    category_id, what = label.category_id, "same class"
    if rng.random() < 1 / 3:
        category_id = CATEGORY_IDS[CONFUSED_WITH[_name(label.category_id)]]
        what = f"other class ({_name(category_id)})"
    second = Label(label.image_id, category_id, changed[1])
    overlap = iou(label.region.box, second.region.box)
    return PlantedError(
        "duplicate", label, second, label, f"{what}: IoU {overlap:.2f} with the original"
    )


def _spurious(label: Label, scenes: list[Scene], rng: Generator) -> PlantedError | None:
    """A label on bare bench or on clutter; shape and class are borrowed from `label`.

    One time in three it marks clutter that resembles a part, as hurried annotators do. Takes its
    scene from the end of `scenes`.
    """
    if not scenes:
        return None
    scene = scenes.pop()
    if scene.clutter and rng.random() < 1 / 3:
        thing = scene.clutter[int(rng.integers(len(scene.clutter)))]
        if thing.region.area >= 60:
            marked = Label(scene.image_id, thing.category_id, thing.region)
            return PlantedError("spurious", None, marked, None, f"clutter: {thing.name}")
    height, width = label.region.pixels.shape
    for _ in range(20):
        x, y = int(rng.integers(0, WIDTH - width + 1)), int(rng.integers(0, HEIGHT - height + 1))
        if scene.occupied[y : y + height, x : x + width].mean() > 0.02:
            continue
        invented = Label(scene.image_id, label.category_id, Region(x, y, label.region.pixels))
        return PlantedError("spurious", None, invented, None, "bare bench")
    return None
