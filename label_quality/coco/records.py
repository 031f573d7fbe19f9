"""The shape of each COCO record, for both readers, and a wrong shape said in plain words.

The strict types are what the fast reader decodes into; anything else makes it refuse. The loose ones are what the
tolerant reader converts a record to; they also take ids as text. Rules about values stand in ``rules``.
"""

from __future__ import annotations

import re

import msgspec

Box = tuple[float, float, float, float]


class Rle(msgspec.Struct, gc=False):
    """A run-length mask: size is height, width; counts are compressed (text) or not (list)."""

    size: tuple[int, int]
    counts: str | list[int]


class Category(msgspec.Struct, gc=False):
    """A category record."""

    id: int
    name: str
    supercategory: str | None = None


class LooseCategory(msgspec.Struct, gc=False):
    """A category record whose id may be text."""

    id: int | float | str
    name: str
    supercategory: str | None = None


class Image(msgspec.Struct, gc=False):
    """An image record; LVIS has a URL in place of the file name, and two lists of categories."""

    id: int
    width: int
    height: int
    file_name: str | None = None
    coco_url: str | None = None
    neg_category_ids: list[int] | None = None
    not_exhaustive_category_ids: list[int] | None = None


class LooseImage(msgspec.Struct, gc=False):
    """An image record whose ids may be text and whose size may be written as 640.0."""

    id: int | float | str
    width: int | float
    height: int | float
    file_name: str | None = None
    coco_url: str | None = None
    neg_category_ids: list[int | float | str] | None = None
    not_exhaustive_category_ids: list[int | float | str] | None = None


class Annotation(msgspec.Struct, gc=False):
    """A label; the segmentation stays as it stands in the file."""

    id: int
    image_id: int
    category_id: int
    bbox: Box | None = None
    area: float | None = None
    iscrowd: bool | int | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"")


class LooseAnnotation(msgspec.Struct, gc=False):
    """A label whose ids may be text."""

    id: int | float | str
    image_id: int | float | str
    category_id: int | float | str
    bbox: Box | None = None
    area: float | None = None
    iscrowd: bool | int | float | None = None
    segmentation: list[list[float]] | Rle | None = None


class Prediction(msgspec.Struct, gc=False):
    """A record of a results file; the segmentation stays as it stands in the file."""

    image_id: int
    category_id: int
    score: float
    bbox: Box | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"")


class LoosePrediction(msgspec.Struct, gc=False):
    """A record of a results file whose ids may be text."""

    image_id: int | float | str
    category_id: int | float | str
    score: float
    bbox: Box | None = None
    segmentation: list[list[float]] | Rle | None = None


_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_EXPECTED = re.compile(r"Expected `(.*)`, got `(.*)`")
_LENGTH = re.compile(r"Expected `array` of length (\d+), got (\d+)")


def in_plain_words(error: msgspec.ValidationError) -> str:
    """What is wrong with a record, from the decoder's message: "bbox[2] is a text, not a number"."""
    message = str(error)
    place = _PLACE.search(message)
    path = place.group(1) if place else ""
    what = path or "the record"
    head = message[: place.start()] if place else message
    if found := _MISSING.fullmatch(head):
        return f"{path} has no {found.group(1)}" if path else f"{found.group(1)} is missing"
    if found := _LENGTH.fullmatch(head):
        return f"{what} has {found.group(2)} values, not {found.group(1)}"
    if found := _EXPECTED.fullmatch(head):
        wanted = [w.strip() for w in found.group(1).split("|") if w.strip() != "null"]
        if "float" in wanted and "int" in wanted:
            wanted.remove("int" if "str" not in wanted else "float")
        return f"{what} is {_WORDS[found.group(2)]}, not {' or '.join(_WORDS[w] for w in wanted)}"
    if head == "Number out of range":
        return f"{what} is too large a number"
    return f"{what}: {head[0].lower()}{head[1:]}"
