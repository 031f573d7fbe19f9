"""Checks run-length counts before pycocotools reads them: its C code trusts what it is given.

Written for whole chunks of masks at once. Everything that works on sound masks is in ``masks``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

MAX_PIXELS = 2**32 - 1  # pycocotools counts in 32 bits
_MAX_CHARACTERS = 7  # of one count: 35 bits hold every number below 2**32 and its sign


@dataclass
class Sums:
    """For each mask the sum of its counts, and whether they can be decoded and none is negative or too large."""

    total: np.ndarray  # int64 pixels, the background included
    sound: np.ndarray  # bool


def compressed(texts: Sequence[str]) -> Sums:
    """Decodes compressed counts as `rleFrString` of pycocotools does, and adds them up.

    Each count is a little-endian group of characters: 5 bits each, 0x20 set while more follow, 0x10 of the last one
    is the sign. From the fourth count on, a count stands as its difference to the one before the last.
    """
    lengths = np.array([len(t) if t.isascii() else 0 for t in texts], dtype=np.int64)
    data = np.frombuffer("".join([t for t in texts if t.isascii()]).encode(), dtype=np.uint8) - 48
    result = Sums(np.zeros(len(texts), dtype=np.int64), lengths > 0)
    if not len(data):
        return result
    filled = np.flatnonzero(lengths)
    final = np.cumsum(lengths[filled]) - 1
    last = data < 32
    # A text whose last character says that more follow would run into the next one: it ends here all the same.
    result.sound[filled[~last[final]]] = False
    last[final] = True
    stops = np.flatnonzero(last)
    size = np.diff(stops, prepend=-1)
    ends = np.cumsum(last)[final]  # counts up to the end of each text
    starts = np.concatenate(([0], ends[:-1]))
    odd = np.flatnonzero(data > 63)
    result.sound[filled[np.searchsorted(final, odd)]] = False
    long = stops[size > _MAX_CHARACTERS]
    result.sound[filled[np.searchsorted(final, long)]] = False
    total, negative = _undo_differences(_groups(data, stops, size), starts, ends)
    result.total[filled] = total
    result.sound[filled[negative]] = False
    return result


def _groups(data: np.ndarray, stops: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The numbers that stand in the characters, int64: group k ends at ``stops[k]``."""
    values: np.ndarray = ((data[stops] & 31).astype(np.int64) ^ 16) - 16
    for further in range(1, _MAX_CHARACTERS):
        more = np.flatnonzero(size > further)
        if not len(more):
            break
        values[more] = values[more] * 32 + (data[stops[more] - further] & 31)
    return values


def _undo_differences(
    values: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of each mask's counts, and whether one of them is negative.

    The first count of a mask stands alone; from the second on, counts at odd and at even places are two chains of
    differences. A running sum over every second number of the whole chunk follows both chains through all masks;
    what stood in it when a mask began is taken off again.
    """
    first = values[starts].copy()
    values[starts] = 0
    running = np.empty(
        len(values) + 1, dtype=np.int64
    )  # one in front, so that a mask may look back by one
    running[0] = 0
    np.cumsum(values[0::2], out=running[1::2])
    np.cumsum(values[1::2], out=running[2::2])
    before = (
        running[starts],
        running[starts + 1],
    )  # of the places 1, 3, 5 ... and 2, 4, 6 ... of each mask
    n = ends - starts
    total = first + np.add.reduceat(running[1:], starts) - before[1]
    total -= (n // 2) * before[0] + ((n - 1) // 2) * before[1]
    negative = first < 0
    for parity in (0, 1):
        chain_of = running[1 + parity :: 2]
        begin = (starts + 1 - parity) // 2
        some = np.flatnonzero((ends + 1 - parity) // 2 > begin)
        if len(some):
            lowest = np.minimum.reduceat(chain_of, begin[some])
            base = np.where(starts[some] % 2 == parity, before[1][some], before[0][some])
            negative[some] |= lowest < base
    return total, negative


def uncompressed(lists: Sequence[Sequence[int]]) -> Sums:
    """Adds up uncompressed counts."""
    result = Sums(np.zeros(len(lists), dtype=np.int64), np.ones(len(lists), dtype=bool))
    lengths = np.array([len(one) for one in lists], dtype=np.int64)
    try:
        values = np.fromiter(chain.from_iterable(lists), np.int64, int(lengths.sum()))
    except OverflowError:
        result.sound = np.array([all(0 <= c <= MAX_PIXELS for c in one) for one in lists], bool)
        result.total = np.array(
            [sum(one) if ok else 0 for one, ok in zip(lists, result.sound, strict=True)]
        )
        return result
    filled = np.flatnonzero(lengths)
    if len(filled):
        starts = (np.cumsum(lengths) - lengths)[filled]
        result.sound[filled] = np.minimum.reduceat(values, starts) >= 0
        result.sound[filled] &= np.maximum.reduceat(values, starts) <= MAX_PIXELS
        result.total[filled] = np.add.reduceat(values, starts)
    return result
