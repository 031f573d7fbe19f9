"""What was decided about the records of a chunk: not taken, with the reason, or taken with a warning. No rule here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Say = Callable[[int], str]


@dataclass
class Verdict:
    """Decisions about `n` records, by row of the chunk. The first reason found for a record stands."""

    n: int
    reasons: dict[int, str] = field(default_factory=dict)
    warnings: list[tuple[int, str, str]] = field(default_factory=list)  # row, issue, detail
    kept: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.kept = np.ones(self.n, dtype=bool)

    def reject(self, bad: np.ndarray, reason: Say) -> None:
        """Turns down the rows where `bad` (bool (n,)) holds and that are still kept."""
        for row in np.flatnonzero(bad & self.kept).tolist():
            self.reasons[row] = reason(row)
        self.kept &= ~bad

    def warn(self, odd: np.ndarray, issue: str, detail: Say) -> None:
        """Notes an issue of the rows where `odd` (bool (n,)) holds and that are kept."""
        self.warnings += [
            (row, issue, detail(row)) for row in np.flatnonzero(odd & self.kept).tolist()
        ]
