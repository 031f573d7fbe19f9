"""Checks run-length counts before pycocotools reads them: its C code trusts what it is given.

Written for whole chunks of masks at once. Everything that works on sound masks is in ``masks``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_PIXELS = 2**32 - 1  # pycocotools counts in 32 bits
_MAX_CHARACTERS = 7  # of one count: 35 bits hold every number below 2**32 and its sign


@dataclass
class Counts:
    """The decoded counts of several masks, end to end: mask k owns ``values[starts[k]:starts[k + 1]]``."""

    values: np.ndarray  # int64
    starts: np.ndarray  # int64, one more than masks
    sound: np.ndarray  # bool, whether the text could be decoded


def decode(texts: Sequence[str]) -> Counts:
    """The counts of compressed masks, as `rleFrString` of pycocotools reads them.

    Each count is a little-endian group of characters: 5 bits each, 0x20 set while more follow, 0x10 of the last one
    is the sign. From the fourth count on, a count stands as its difference to the one before the last.
    """
    raw = [text.encode("utf-8", "replace") for text in texts]
    lengths = np.array([len(r) for r in raw], dtype=np.int64)
    data = np.frombuffer(b"".join(raw), dtype=np.uint8).astype(np.int64) - 48
    ends = np.cumsum(lengths)
    owner = np.repeat(np.arange(len(raw)), lengths)
    bad = (data < 0) | (data > 63)
    sound = np.bincount(owner[bad], minlength=len(raw)) == 0
    last = (data & 0x20) == 0
    # A text whose last character says that more follow would run into the next one: it ends here all the same.
    filled = lengths > 0
    sound &= filled
    final = ends[filled] - 1
    sound[owner[final[~last[final]]]] = False
    last[final] = True
    stops = np.flatnonzero(last)
    begins = np.concatenate(([0], stops[:-1] + 1)) if len(stops) else stops
    size = stops - begins + 1
    group_owner = owner[stops]
    sound[group_owner[size > _MAX_CHARACTERS]] = False
    place = np.arange(len(data)) - np.repeat(begins, size)
    bits = (data & 0x1F) << (5 * np.minimum(place, _MAX_CHARACTERS))
    values = np.add.reduceat(bits, begins) if len(begins) else bits
    negative = (data[stops] & 0x10) != 0
    values = np.where(negative, values - (1 << (5 * np.minimum(size, _MAX_CHARACTERS))), values)
    starts = np.concatenate(([0], np.cumsum(np.bincount(group_owner, minlength=len(raw)))))
    return Counts(_undo_differences(values, starts, group_owner), starts, sound)


def _undo_differences(values: np.ndarray, starts: np.ndarray, owner: np.ndarray) -> np.ndarray:
    place = np.arange(len(values)) - starts[owner]
    out = values.copy()
    for first in (
        1,
        2,
    ):  # the first count stands alone; those at odd and at even places are two chains
        chain = np.flatnonzero((place >= first) & (place % 2 == first % 2))
        total = np.cumsum(values[chain])
        heads = np.flatnonzero(place[chain] == first)
        before = total[heads] - values[chain[heads]]
        out[chain] = total - np.repeat(before, np.diff(np.append(heads, len(chain))))
    return out


def flatten(lists: Sequence[Sequence[int]]) -> Counts:
    """Uncompressed counts as `Counts`; a list with a number that does not fit is marked unsound."""
    sound = np.array([all(0 <= c <= MAX_PIXELS for c in one) for one in lists], dtype=bool)
    kept = [one if ok else () for one, ok in zip(lists, sound, strict=True)]
    starts = np.concatenate(([0], np.cumsum([len(one) for one in kept], dtype=np.int64)))
    values = np.array([c for one in kept for c in one], dtype=np.int64)
    return Counts(values, starts.astype(np.int64), sound)


def totals(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the counts of each mask (pixels it covers, background included), and whether any count is negative."""
    sums = np.concatenate(([0], np.cumsum(counts.values)))
    negative = np.concatenate(([0], np.cumsum(counts.values < 0)))
    starts = counts.starts
    return sums[starts[1:]] - sums[starts[:-1]], negative[starts[1:]] > negative[starts[:-1]]
