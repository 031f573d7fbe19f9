"""Image and category records: their rules and columns, the same for both readers. Files are opened in ``image_files``."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from label_quality.coco.columns import ImageSizes
from label_quality.coco.ids import Id, Numbering, References
from label_quality.coco.records import Category, Image, LooseCategory, LooseImage
from label_quality.coco.verdict import Verdict

MAX_SIDE = 10**9  # px
_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")


@dataclass
class Rows:
    """The records of one kind that are taken: their row in the array, and the columns of their table but ``batch``."""

    kept: np.ndarray  # int64
    columns: dict[str, Any]
    references: References

    @property
    def ids(self) -> np.ndarray:
        """The integer ids, int64."""
        ids: np.ndarray = self.columns[next(iter(self.columns))]
        return ids


def _numbered(
    ids: Sequence[Id], numbering: Numbering, kept: np.ndarray
) -> tuple[np.ndarray, list[str | None]]:
    numbers = np.array([numbering(value) for value in ids], dtype=np.int64)
    originals = [value if isinstance(value, str) else None for value in ids]
    return numbers[kept], [originals[k] for k in kept.tolist()]


def take_categories(
    records: Sequence[Category] | Sequence[LooseCategory],
    ids: Sequence[Id],
    numbering: Numbering,
    verdict: Verdict,
) -> Rows:
    """Judges category records; `ids` are canonical and stand only once."""
    first: dict[str, Id] = {}
    names = [r.name for r in records]
    again = [first.setdefault(name, key) != key for name, key in zip(names, ids, strict=True)]
    verdict.warn(
        np.array(again, dtype=np.bool_),
        "duplicate_category_name",
        lambda k: f"the name {names[k]!r} is also that of category {first[names[k]]}",
    )
    kept = np.flatnonzero(verdict.kept)
    numbers, originals = _numbered(ids, numbering, kept)
    columns = {
        "category_id": numbers,
        "original_id": originals,
        "name": [records[k].name for k in kept.tolist()],
        "supercategory": [records[k].supercategory for k in kept.tolist()],
    }
    return Rows(kept, columns, References(numbers, originals))


def take_images(
    records: Sequence[Image] | Sequence[LooseImage],
    ids: Sequence[Id],
    lists: Mapping[str, Sequence[Sequence[Id] | None]],
    numbering: Numbering,
    categories: Rows,
    verdict: Verdict,
) -> tuple[Rows, ImageSizes]:
    """Judges image records; `ids` and `lists` (LVIS's lists of category ids) are canonical.

    The columns of the file itself (``file_state`` and so on) are not among those returned.
    """
    sizes = [
        _sides([getattr(r, side) for r in records], side, verdict) for side in ("width", "height")
    ]
    names = [r.file_name or _name_from_url(r.coco_url) for r in records]
    nameless = np.array([name is None for name in names], dtype=bool)
    verdict.reject(nameless, lambda k: "file_name is missing, and no coco_url gives one")
    kept = np.flatnonzero(verdict.kept)
    _warn_same_name(names, ids, verdict)
    numbers, originals = _numbered(ids, numbering, kept)
    columns: dict[str, Any] = {
        "image_id": numbers,
        "original_id": originals,
        "file_name": [names[k] for k in kept.tolist()],
        "width": sizes[0][kept].astype(np.int64),
        "height": sizes[1][kept].astype(np.int64),
    }
    for name in _LISTS:
        columns[name] = _known_categories(name, lists[name], kept, categories, verdict)
    return Rows(kept, columns, References(numbers, originals)), ImageSizes(
        columns["width"], columns["height"]
    )


def _sides(values: list[float], name: str, verdict: Verdict) -> np.ndarray:
    # An integer of hundreds of digits does not become a float; it is as much too large as infinity is.
    sides = np.array(
        [v if isinstance(v, float) or abs(v) < 2**63 else math.inf for v in values],
        dtype=np.float64,
    )
    verdict.reject(
        ~np.isfinite(sides),
        lambda k: (
            f"{name} is {values[k] if isinstance(values[k], float) else 'too large a number'}"
        ),
    )
    verdict.reject(
        sides <= 0, lambda k: f"{name} is {values[k]}, and an image has at least one pixel"
    )
    verdict.reject(sides > MAX_SIDE, lambda k: f"{name} {values[k]} is too large a number")
    with np.errstate(invalid="ignore"):
        verdict.reject(
            sides != np.floor(sides), lambda k: f"{name} {values[k]} is not a whole number"
        )
    return sides


def _name_from_url(url: str | None) -> str | None:
    try:
        return unquote(posixpath.basename(urlsplit(url or "").path)) or None
    except ValueError:
        return None


def _warn_same_name(names: list[str | None], ids: Sequence[Id], verdict: Verdict) -> None:
    first: dict[str | None, Id] = {}
    again = np.zeros(len(names), dtype=bool)
    for row, keep in enumerate(verdict.kept.tolist()):
        again[row] = keep and first.setdefault(names[row], ids[row]) != ids[row]
    verdict.warn(
        again,
        "duplicate_file_name",
        lambda k: f"the file {names[k]!r} is also that of image {first[names[k]]}",
    )


def _known_categories(
    name: str,
    lists: Sequence[Sequence[Id] | None],
    kept: np.ndarray,
    categories: Rows,
    verdict: Verdict,
) -> list[list[int] | None]:
    if all(one is None for one in lists):
        return [None] * len(kept)
    taken = [lists[k] for k in kept.tolist()]
    flat = list(chain.from_iterable(one for one in taken if one is not None))
    rows = iter(categories.references.rows(flat).tolist())
    ids = categories.ids.tolist()
    out: list[list[int] | None] = []
    unknown: dict[int, list[Id]] = {}
    for k, one in zip(kept.tolist(), taken, strict=True):
        found = None if one is None else [(value, next(rows)) for value in one]
        out.append(None if found is None else [ids[row] for _, row in found if row >= 0])
        if found and (missing := [value for value, row in found if row < 0]):
            unknown[k] = missing
    odd = np.zeros(len(lists), dtype=bool)
    odd[list(unknown)] = True
    verdict.warn(
        odd,
        "unknown_category_left_out",
        lambda k: (
            f"{name} names categories that the file does not have: {', '.join(map(str, unknown[k]))}"
        ),
    )
    return out
