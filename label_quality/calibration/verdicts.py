"""What people decided, as evidence of how far probabilities are right: the curves are bent towards it.

logit p' = a + b logit p for each error type, fitted to its verdicts (logistic recalibration; Cox 1958, Platt 1999). Priors draw a and b of
a type to those of all types together, and those to 0 and 1, so few verdicts move little.

Which findings are looked at is no chance: people begin at the top, and choose types. That does not bias what is fitted here,
which is the chance of an error *given* type and score, as long as they decide on what they look at whatever it is. What would bias
it is left out: "unsure", verdicts that others contradict, and those on labels that were delivered anew since (the accepted ones
are gone by then, the rejected ones are still there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from label_quality.calibration.reliability import fit_logistic, logits
from label_quality.reviews.attach import attach
from label_quality.schema import ERROR_TYPES
from label_quality.store.calibrations import Curve

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

BY_PLANTING = "planted errors"
BY_BOTH = "planted errors and verdicts"

NEEDED = 50
"""Verdicts below which planted errors alone count."""

_OF_ALL = (1 / 2.0**2, 1 / 0.5**2)  # 1 / variance of a and b around 0 and 1
_OF_A_TYPE = (1 / 1.0**2, 1 / 0.25**2)  # around those of all types

# A finding that several people judged counts once. Unless the log says otherwise, a verdict is about the delivery of its time.
_JUDGED = """
select f.error_type, f.score, bool_or(v.verdict <> 'reject') as error
from _verdicts v join finding_scores f on f.batch = v.batch and f.finding_id = v.attached_finding_id
  join _delivered d on d.batch = v.batch
where v.verdict in ('accept', 'reject', 'relabel') and not v.applied and not v.superseded and not v.disagreement
  and v."at" >= d.delivered_at
group by f.batch, f.finding_id, f.error_type, f.score order by f.batch, f.finding_id
"""


def rests_on(basis: str, verdicts: int) -> str:
    """What probabilities of a calibration rest on, in a sentence that begins with "calibrated"."""
    if basis == BY_PLANTING:
        return (
            f"calibrated on planted errors until {NEEDED} verdicts exist "
            f"({verdicts} so far): real errors may score otherwise"
        )
    return f"calibrated on planted errors and {verdicts} verdicts"


class Judged(msgspec.Struct, frozen=True):
    """Findings that people decided: n types (places in `ERROR_TYPES`), scores, and whether each was an error."""

    kinds: NDArray[np.int64]
    scores: NDArray[np.float64]
    errors: NDArray[np.bool_]


NOBODY = Judged(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))


def judged_findings(con: DuckDBPyConnection, entries: pa.Table, delivered: pa.Table) -> Judged:
    """The findings that people decided, by today's scores.

    Args:
        con: shows ``images``, ``annotations``, ``findings`` and ``finding_scores`` of all batches.
        entries: the review log.
        delivered: batch, delivered_at: when the labels that are published came.
    """
    if not len(entries):
        return NOBODY
    attach(con, entries)
    con.register("_delivered", delivered)
    rows = con.execute(_JUDGED).fetchnumpy()
    con.unregister("_delivered")
    con.execute("drop table _verdicts")
    con.execute("drop table _tags")
    number = {kind: k for k, kind in enumerate(ERROR_TYPES)}
    return Judged(
        np.array([number[kind] for kind in rows["error_type"]], np.int64),
        rows["score"].astype(np.float64),
        rows["error"].astype(bool),
    )


def bend(curves: Mapping[str, Curve], judged: Judged) -> dict[str, Curve]:
    """The curves, recalibrated by the verdicts; as they were where there are fewer than `NEEDED` of types that have a curve."""
    kinds = np.array(ERROR_TYPES)[judged.kinds]
    known = np.isin(kinds, list(curves))
    kinds, scores, errors = kinds[known], judged.scores[known], judged.errors[known]
    if len(kinds) < NEEDED:
        return dict(curves)
    x = np.zeros(len(kinds))
    for kind, curve in curves.items():
        mine = kinds == kind
        x[mine] = logits(np.interp(scores[mine], curve.scores, curve.p_errors))
    y = errors.astype(np.float64)
    together = fit_logistic(x, y, (0.0, 1.0), _OF_ALL) or (0.0, 1.0)
    out = {}
    for kind, curve in curves.items():
        mine = kinds == kind
        a, b = fit_logistic(x[mine], y[mine], together, _OF_A_TYPE) or together
        out[kind] = _bent(curve, a, max(b, 0.05))  # never against the score
    return out


def _bent(curve: Curve, a: float, b: float) -> Curve:
    p = 1 / (1 + np.exp(-a - b * logits(np.array(curve.p_errors))))
    return Curve(curve.scores, tuple(np.maximum.accumulate(p).tolist()))
