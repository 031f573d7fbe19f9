"""Calibrates on what the store shows: whether it has to be done again, on which part of the data, and the whole of it.

Tables of the result are `tables`' matter, files the store's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from label_quality.calibration.fit import fit
from label_quality.calibration.folds import HALVES
from label_quality.calibration.rounds import ROUNDED, SHARE, Round, plant_round
from label_quality.calibration.sample import choose, opened
from label_quality.calibration.verdicts import Judged
from label_quality.schema import ERROR_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from label_quality.store import Calibration

LABELS_NEEDED = 400
"""Labels, in batches with predictions, below which nothing is calibrated: each type would have a handful of planted errors."""

CHANGED = 0.2
"""Share of the labels that has to be new, or of the verdicts, before it is done again: every batch's findings follow."""

_PLANTED = 800  # errors over all rounds, where this can be had
_MOST_ROUNDS = 4
_LABELS = "select batch, count(*) from annotations where not iscrowd group by batch"
# Sums that DuckDB adds up in parallel differ in their last digits: the same data must give the same version.
_SCORES = f"select error_type, {ROUNDED} as score from finding_scores order by all"


def is_current(
    con: DuckDBPyConnection,
    latest: Calibration | None,
    versions: Mapping[str, str],
    verdicts: int,
) -> bool:
    """Whether the latest calibration still is one of these data.

    Args:
        con: shows ``annotations`` of all batches.
        latest: what there is.
        versions: the version of the findings' scores of each batch.
        verdicts: how many usable verdicts there are.
    """
    if latest is None:
        return False
    labels = dict(con.execute(_LABELS).fetchall())
    known = {b for b, v in versions.items() if latest.fitted_on.get(b) == v}
    new = sum(n for batch, n in labels.items() if batch not in known)
    more = abs(verdicts - latest.verdicts) > CHANGED * max(latest.verdicts, 1)
    return new <= CHANGED * sum(labels.values()) and not more


def calibrate(
    con: DuckDBPyConnection,
    versions: Mapping[str, str],
    judged: Judged,
    say: Callable[[str], None] = lambda _: None,
) -> Calibration | str:
    """Plant errors into a part of the data and fit; or the reason why not, in a sentence.

    Args:
        con: shows the per-batch tables of all batches.
        versions: the version of the findings' scores of each batch, for the record.
        judged: findings that people decided.
        say: told how far it is.
    """
    parts = choose(con)
    labels = sum(p.labels for p in parts)
    if labels < LABELS_NEEDED:
        return (
            f"not calibrated: {labels} labels in batches with predictions are too few, "
            f"{LABELS_NEEDED} are needed"
        )
    # Each half of the shapes alike often, so that each can be judged by the other.
    times = 2 if _PLANTED / (SHARE * labels) <= 2 else _MOST_ROUNDS
    halves: tuple[list[Round], list[Round]] = ([], [])
    for place, part in enumerate(parts):
        with opened(con, part) as copy:
            for k in range(times):
                say(
                    f"planting known errors into {part.labels:,} labels of {part.batch} ({k + 1} of {times})"
                )
                halves[k % 2].append(plant_round(copy, HALVES[k % 2], [place, k]))
    found = con.execute(_SCORES).fetchnumpy()
    kinds = found["error_type"].astype(str)
    calibration = fit(
        {kind: found["score"][kinds == kind].astype(np.float64) for kind in ERROR_TYPES},
        [*halves[0], *halves[1]],
        sum(dict(con.execute(_LABELS).fetchall()).values()),
        halves=halves,
        judged=judged,
        sample=(sum(p.images for p in parts), labels),
        fitted_on=versions,
    )
    return calibration or (
        "not calibrated: the models find too few of the planted errors to tell what a score is worth"
    )
