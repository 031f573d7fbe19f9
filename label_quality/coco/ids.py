"""Ids as COCO files have them: integers, and text where a tool writes text. No rule about a whole record here.

The canonical form of an id is its text, so that ``7`` and ``"7"`` are one id. Ids that are not integers in canonical
decimal form get integers that no other record of their kind uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

INT64_MAX = 2**63 - 1
_MOST_IN_TABLE = 1 << 21
_CANONICAL = re.compile(r"-?[1-9][0-9]{0,18}|0")

Id = int | str


class BadId(ValueError):
    """A value that cannot be an id; the message completes the sentence "id ..."."""


def canonical(value: float | int | str) -> Id:
    """The id as an integer where its text is one, else as text. Raises `BadId`.

    A float with an integral value (``7.0``, as tools write ids that went through a data frame) is that integer.
    """
    if isinstance(value, float):
        if not value.is_integer() or abs(value) > 2**53:  # NaN and infinity are not integral either
            raise BadId(f"is {value}, which is not a whole number that can be an id")
        return int(value)
    if isinstance(value, int):
        if not -INT64_MAX - 1 <= value <= INT64_MAX:
            raise BadId("is too large a number")
        return value
    if not value:
        raise BadId("is an empty text")
    if _CANONICAL.fullmatch(value) and -INT64_MAX - 1 <= int(value) <= INT64_MAX:
        return int(value)
    return value


class Numbering:
    """Gives text ids of one kind of record the smallest positive integers that no integer id uses, in order."""

    def __init__(self, taken: Iterable[int]) -> None:
        self._taken = set(taken)
        self._next = 1
        self._numbers: dict[str, int] = {}

    def __call__(self, value: Id) -> int:
        """The integer that stands for this id: itself, or the number of its text."""
        if isinstance(value, int):
            return value
        number = self._numbers.get(value)
        if number is None:
            while self._next in self._taken:
                self._next += 1
            number = self._numbers[value] = self._next
            self._next += 1
        return number


class References:
    """Finds the row of a table (images, categories) by the ids that other records refer to it with."""

    def __init__(self, ids: np.ndarray, original_ids: Sequence[str | None]) -> None:
        texts = {text: row for row, text in enumerate(original_ids) if text is not None}
        # An integer that was made up for a text id is not a name of that record: only its text is.
        integer_rows = np.array(
            [row for row, text in enumerate(original_ids) if text is None], dtype=np.int64
        )
        order = np.argsort(ids[integer_rows], kind="stable")
        self._rows = integer_rows[order]
        self._ids = np.asarray(ids, dtype=np.int64)[self._rows]
        self._texts = texts
        # Ids that lie close together, as most do, are places in a table: no search.
        self._table: np.ndarray | None = None
        if len(self._ids) and self._ids[0] >= 0 and self._ids[-1] < _MOST_IN_TABLE:
            self._table = np.full(int(self._ids[-1]) + 2, -1, dtype=np.int64)
            self._table[self._ids] = self._rows

    def rows_of_integers(self, references: np.ndarray) -> np.ndarray:
        """Row of each integer reference, int64, -1 where there is none."""
        if not len(self._ids):
            return np.full(len(references), -1, dtype=np.int64)
        if self._table is not None:
            last = len(self._table) - 1  # where nothing stands
            rows: np.ndarray = self._table[
                np.where((references >= 0) & (references < last), references, last)
            ]
            return rows
        at = np.searchsorted(self._ids, references)
        at[at == len(self._ids)] = 0
        return np.where(self._ids[at] == references, self._rows[at], -1)

    def rows(self, references: Sequence[Id]) -> np.ndarray:
        """Row of each canonical reference, int64, -1 where there is none."""
        integers = np.array([r if isinstance(r, int) else 0 for r in references], dtype=np.int64)
        rows = self.rows_of_integers(integers)
        for k, reference in enumerate(references):
            if isinstance(reference, str):
                rows[k] = self._texts.get(reference, -1)
        return rows
