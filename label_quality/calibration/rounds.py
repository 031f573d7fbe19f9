"""Rounds of planting: the data's own labels with known errors in them, scored anew, as arrays.

Nothing is fitted here. How errors are planted and what counts as a hit is said in ``planting``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from label_quality.planting import SHAPES, matched, plant, rescore
from label_quality.schema import ERROR_TYPES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHARE = 0.1
"""Share of the labels that a round plants errors into: enough to learn from, few enough to leave the models' figures alone."""

ROUNDED = "round(score, 9)"
_NUMBER = f"list_position({[*ERROR_TYPES]}, error_type) - 1 as kind"
_FINDINGS = f"""
select finding_id, {_NUMBER}, {ROUNDED} as score, finding_id in (select finding_id from planted_findings) as hit
from finding_scores order by finding_id
"""
_HITS = "select error_id, finding_id from planted_findings order by all"
_ERRORS = f"select error_id, {_NUMBER}, shape from planted_errors order by error_id"


@dataclass(frozen=True)
class Round:
    """What one round of planting gave. Types are numbers, their places in `ERROR_TYPES`.

    F findings: `kinds`, `scores` and whether each is a `hit`, which is about a planted error; E planted errors: `error_kinds`,
    `error_shapes` (names); H hits: `hit_errors` and `hit_findings`, as places among errors and findings.
    """

    kinds: NDArray[np.int64]
    scores: NDArray[np.float64]
    hit: NDArray[np.bool_]
    error_kinds: NDArray[np.int64]
    error_shapes: NDArray[np.str_]
    hit_errors: NDArray[np.int64]
    hit_findings: NDArray[np.int64]


def plant_round(
    con: DuckDBPyConnection, shapes: Sequence[str], seed: Sequence[int], share: float = SHARE
) -> Round:
    """Plant errors of `shapes` into `share` of the labels, as many of each error type, and score them.

    Args:
        con: shows the tables of one batch that `planting` reads.
        shapes: names of `SHAPES`.
        seed: the same one plants the same errors.
        share: of the labels, 0 to 1.
    """
    with rescore(con, plant(con, even_shares(shapes, share), seed)) as scored:
        matched(scored)
        findings = scored.execute(_FINDINGS).fetchnumpy()
        hits = scored.execute(_HITS).fetchnumpy()
        errors = scored.execute(_ERRORS).fetchnumpy()
    ids = findings["finding_id"].astype(str)
    return Round(
        findings["kind"].astype(np.int64),
        findings["score"].astype(np.float64),
        findings["hit"].astype(bool),
        errors["kind"].astype(np.int64),
        errors["shape"].astype(str),
        np.searchsorted(errors["error_id"].astype(np.int64), hits["error_id"].astype(np.int64)),
        np.searchsorted(ids, hits["finding_id"].astype(str)),
    )


def even_shares(shapes: Sequence[str], share: float) -> dict[str, float]:
    """`share` of the labels split evenly over the error types, and within a type over its `shapes`."""
    kinds = [SHAPES[name].error_type for name in shapes]
    return {
        name: share / len(set(kinds)) / kinds.count(kind)
        for name, kind in zip(shapes, kinds, strict=True)
    }
