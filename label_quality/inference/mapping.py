"""Which category of the dataset each class of a model is, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNMAPPED = -1


@dataclass(frozen=True)
class CategoryMap:
    """`category_id` by label of the model: int64 (classes + 1,), `UNMAPPED` for background and what has no counterpart.

    `of_model` and `of_dataset` are the names on either side that found none.
    """

    category_id: NDArray[np.int64]
    of_model: tuple[str, ...]
    of_dataset: tuple[str, ...]

    def labels(self, category_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The model's label of each category, int64 of the same shape; 0 where it knows none."""
        known = np.flatnonzero(self.category_id != UNMAPPED)
        order = known[np.argsort(self.category_id[known], kind="stable")]
        ids = self.category_id[order]
        if not len(ids):
            return np.zeros(len(category_ids), np.int64)
        place = np.minimum(np.searchsorted(ids, category_ids), len(ids) - 1)
        return np.where(ids[place] == category_ids, order[place], 0)


def map_categories(
    classes: Sequence[str], rename: Mapping[str, str], categories: Mapping[int, str]
) -> CategoryMap:
    """Map classes (label 1 first) to categories (id -> name). Case, spaces, `_` and `-` make no difference.

    Of several categories of one name the one with the smallest id is meant; of several classes of one name the first.
    """
    wanted = {_plain(k): v for k, v in rename.items()}
    by_name: dict[str, int] = {}
    for category_id in sorted(categories):
        by_name.setdefault(_plain(categories[category_id]), category_id)
    found = np.full(len(classes) + 1, UNMAPPED, np.int64)
    taken: set[int] = set()
    for label, name in enumerate(classes, 1):
        target = by_name.get(_plain(wanted.get(_plain(name), name))) if name else None
        if target is not None and target not in taken:
            found[label] = target
            taken.add(target)
    return CategoryMap(
        found,
        tuple(n for n, c in zip(classes, found[1:], strict=True) if n and c == UNMAPPED),
        tuple(name for key, name in sorted(categories.items()) if key not in taken),
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()
