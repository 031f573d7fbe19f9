"""What an entry of the review log says: a verdict with its fix, an undo, a tag; checked when it is made. Nothing is written here."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Literal

import msgspec

LONGEST = 10_000
"""Characters of a note, and the most that any other text of an entry but a fix may have."""

_FARTHEST = (
    1e9  # px; readers of COCO take no box beyond it, so that none would take the corrected file
)

Action = Literal["verdict", "undo", "tag", "untag"]
Verdict = Literal["accept", "reject", "unsure", "relabel"]
FixAction = Literal["add", "change_class", "change_box", "change_mask", "remove"]
Kind = Literal["image", "annotation", "prediction"]


class Rle(msgspec.Struct, frozen=True):
    """A run-length mask as COCO has it: size is height, width; counts are compressed (text) or not (list)."""

    size: tuple[int, int]
    counts: str | list[int]


class Fix(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a reviewer wants done to a label, complete: it can be carried out without the database.

    `box` is x, y, width, height in pixels. `segmentation` is COCO's: polygons or run lengths. `model` and `prediction_id`
    say whose prediction it was taken from, if from one's.
    """

    action: FixAction
    category_id: int | None = None
    box: tuple[float, float, float, float] | None = None
    segmentation: list[list[float]] | Rle | None = None
    model: str | None = None
    prediction_id: int | None = None

    def __post_init__(self) -> None:
        for name in ("category_id", "model", "prediction_id"):
            _check_size(name, getattr(self, name))
        _require(
            self.action not in ("add", "change_class") or self.category_id is not None,
            f"a fix that is to {self.action} needs a category_id",
        )
        _require(
            self.action not in ("add", "change_box") or self.box is not None,
            f"a fix that is to {self.action} needs a box",
        )
        _require(
            self.action != "change_mask" or self.segmentation is not None,
            "a fix that is to change_mask needs a segmentation",
        )
        if self.box is not None:
            _check_box(self.box)
        if isinstance(self.segmentation, list):
            numbers = [v for part in self.segmentation for v in part]
            _require(all(map(math.isfinite, numbers)), "a polygon needs finite numbers")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log; `docs/reviews.md` explains the fields. `seq` and `at` are given by the log.

    Raises ValueError when what an action needs is not there.
    """

    author: str
    action: Action
    seq: int = 0
    at: datetime | None = None
    undoes: int | None = None
    batch: str | None = None
    image_id: int | None = None
    finding_id: str | None = None
    error_type: str | None = None
    category_id: int | None = None
    annotation_id: int | None = None
    content_hash: str | None = None
    other_annotation_id: int | None = None
    other_content_hash: str | None = None
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    verdict: Verdict | None = None
    fix: Fix | None = None
    note: str | None = None
    models: list[str] | None = None
    rule_version: str | None = None
    sample: str | None = None
    kind: Kind | None = None
    model: str | None = None
    prediction_id: int | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        _require(
            bool(self.author.strip()) and self.author.isprintable(), "an entry needs an author"
        )
        for name in self.__struct_fields__:
            _check_size(name, getattr(self, name))
        if self.action == "undo":
            _require(self.undoes is not None, "an undo says which entry it undoes")
            return
        _require(bool(self.batch) and self.image_id is not None, "it needs a batch and an image_id")
        if self.action == "verdict":
            self._check_verdict()
        else:
            self._check_tag()

    def _check_verdict(self) -> None:
        _require(self.verdict is not None, "a verdict needs a verdict")
        box = (self.x, self.y, self.width, self.height)
        _require(None not in box, "a verdict needs the box that it judged")
        _check_box(box)  # type: ignore[arg-type]
        _require(
            (self.annotation_id is None) == (self.content_hash is None),
            "annotation_id and content_hash go together",
        )
        _require(
            self.annotation_id is not None or self.error_type == "missing",
            "a verdict about no label is about a missing one",
        )
        fix = self.fix
        if fix is not None:
            _require(self.verdict == "accept", "a fix goes with accept")
            _require(
                (fix.action == "add") == (self.annotation_id is None),
                "add goes with a missing label, every other fix with a label",
            )

    def _check_tag(self) -> None:
        _require(bool(self.tag and self.tag.strip()), "a tag needs a text")
        _require(self.kind is not None, "a tag needs a kind: image, annotation or prediction")
        _require(
            self.kind != "annotation" or self.annotation_id is not None, "it needs an annotation_id"
        )
        _require(
            self.kind != "prediction" or None not in (self.model, self.prediction_id),
            "it needs a model and a prediction_id",
        )


def _check_size(name: str, value: object) -> None:
    """What either database would refuse, or could not read again: the entries of a log cannot be mended."""
    if isinstance(value, str):
        _require(len(value) <= LONGEST, f"{name} has more than {LONGEST} characters")
        _require("\0" not in value, f"{name} holds a character that is not text")
    elif isinstance(value, int):
        _require(-(2**63) <= value < 2**63, f"{name} is too large a number")


def _check_box(box: tuple[float, float, float, float]) -> None:
    _require(
        all(map(math.isfinite, box)) and box[2] > 0 and box[3] > 0,
        "a box needs finite numbers, and a width and a height above 0",
    )
    _require(max(map(abs, box)) <= _FARTHEST, "a box holds too large a number")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
