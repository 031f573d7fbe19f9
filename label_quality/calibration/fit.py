"""From scores to a calibration: for each error type how many errors there are, and what a score is worth.

Arrays in, `Calibration` out. Where the arrays come from is `sample`'s and `rounds`' matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from label_quality.calibration.curve import evaluate, fit_curve
from label_quality.calibration.proportion import at_most
from label_quality.calibration.recall import Expected, default_cut, recall_at_budgets
from label_quality.calibration.reliability import reliability
from label_quality.calibration.rounds import Round
from label_quality.calibration.verdicts import BY_BOTH, BY_PLANTING, NEEDED, NOBODY, Judged, bend
from label_quality.schema import ERROR_TYPES
from label_quality.store.calibrations import Calibration, Curve, FittedType, Reliability

HITS_NEEDED = 20
"""Findings of a type that have to name planted errors, for the type to be calibrated."""

WEIGHT_OF_PRIOR = {"spurious": 1.0, "inaccurate": 0.5}
"""Types whose false alarms are what a weak model makes of good labels, so that they score as errors do and the scores leave room
for too many: an object that it never finds looks like a label on nothing (nothing tells them apart), one that it outlines badly
like a bad outline (partly). By how much, on a logarithmic scale, the prior then counts instead of the scores' bound."""

PRIOR = 0.01
"""Errors of such a type, as a share of the labels, that are believed in before anybody has looked; or as many as there are of the
other types on average, if that is more."""

Scores = Mapping[str, NDArray[np.float64]]
"""By error type."""


def fit(
    own: Scores,
    rounds: Sequence[Round],
    labels: int,
    *,
    halves: tuple[Sequence[Round], Sequence[Round]] = ((), ()),
    judged: Judged = NOBODY,
    sample: tuple[int, int] = (0, 0),
    fitted_on: Mapping[str, str] | None = None,
) -> Calibration | None:
    """The calibration; None where no type has `HITS_NEEDED` findings that name planted errors.

    Args:
        own: scores of the findings about the data as it is, all batches together.
        rounds: planted errors, scored.
        labels: labels of the data, crowds left out.
        halves: `rounds` by the half of the shapes that they planted, for `cross_judged`.
        judged: findings that people decided.
        sample: images and labels that were planted into.
        fitted_on: batch to the version of its findings' scores, for the record.
    """
    planted = _hits(rounds)
    nothing = np.zeros(0)
    known = [kind for kind in ERROR_TYPES if len(planted[kind]) >= HITS_NEEDED]
    if not known:
        return None
    kinds = np.concatenate([r.error_kinds for r in rounds])
    # Planted errors for each finding that names one: some are never found, some are named by findings of another type.
    per_hit = {k: (kinds == ERROR_TYPES.index(k)).sum() / len(planted[k]) for k in known}
    among = _errors_among(own, planted, per_hit, labels)
    curves = bend(
        {kind: fit_curve(own.get(kind, nothing), planted[kind], among[kind]) for kind in known},
        judged,
    )
    p_own = {kind: evaluate(curves[kind], own.get(kind, nothing)) for kind in known}
    best = np.concatenate([best_of(r, curves) for r in rounds])
    errors = np.zeros(len(ERROR_TYPES))
    types = []
    for kind in known:
        mine = kinds == ERROR_TYPES.index(kind)
        errors[ERROR_TYPES.index(kind)] = p_own[kind].sum() * per_hit[kind]
        types.append(
            FittedType(
                kind,
                curves[kind],
                int(mine.sum()),
                int(np.isfinite(best[mine]).sum()),
                float(errors[ERROR_TYPES.index(kind)]),
                int((judged.kinds == ERROR_TYPES.index(kind)).sum()),
            )
        )
    ranked = np.concatenate([p_own[kind] for kind in known])
    expected = Expected(ranked, kinds, best, errors, labels)
    return Calibration(
        version="",
        basis=BY_BOTH if len(judged.kinds) >= NEEDED else BY_PLANTING,
        images=sample[0],
        labels=sample[1],
        verdicts=len(judged.kinds),
        default_cut=default_cut(ranked),
        types=tuple(types),
        recall=tuple(recall_at_budgets(expected)),
        reliability=cross_judged(*halves) if all(halves) else Reliability(),
        fitted_on=dict(fitted_on or {}),
    ).sealed()


def _errors_among(
    own: Scores, planted: Scores, per_hit: Mapping[str, float], labels: int
) -> dict[str, float]:
    """How many of the findings of each type are errors, by its planted scores."""
    nothing = np.zeros(0)
    most = {kind: at_most(own.get(kind, nothing), planted[kind]) for kind in per_hit}
    sure = [most[kind] * per_hit[kind] for kind in per_hit if kind not in WEIGHT_OF_PRIOR]
    believed = max(PRIOR * labels, float(np.mean(sure)) if sure else 0.0)
    for kind in WEIGHT_OF_PRIOR.keys() & most.keys():
        weight = WEIGHT_OF_PRIOR[kind]
        fewer = min(most[kind], believed / per_hit[kind])
        most[kind] = float(most[kind] ** (1 - weight) * fewer**weight)
    return most


def best_of(planted: Round, curves: Mapping[str, Curve]) -> NDArray[np.float64]:
    """(E,) the greatest p_error of a finding that names each planted error; NaN where none does."""
    p = np.full(len(planted.scores), np.nan)
    for kind, curve in curves.items():
        mine = planted.kinds == ERROR_TYPES.index(kind)
        p[mine] = evaluate(curve, planted.scores[mine])
    best: NDArray[np.float64] = np.full(len(planted.error_kinds), np.nan)
    np.fmax.at(best, planted.hit_errors, p[planted.hit_findings])
    return best


def cross_judged(one: Sequence[Round], other: Sequence[Round]) -> Reliability:
    """How far the curves hold for errors of other shapes: each half's, fitted on that half, judged on the other.

    What is judged is "names a planted error", which is known. The data's own errors are not known, and count as none here, in
    fitting as in judging; how many of them there are is no part of this figure.
    """
    p, y = [], []
    for fitted, judged in ((one, other), (other, one)):
        hits = _hits(fitted)
        every = {k: np.concatenate([_of(r, k) for r in fitted]) for k in ERROR_TYPES}
        for kind in ERROR_TYPES:
            if len(hits[kind]) < HITS_NEEDED:
                continue
            curve = fit_curve(every[kind], hits[kind], float(len(hits[kind])))
            for r in judged:
                mine = r.kinds == ERROR_TYPES.index(kind)
                p.append(evaluate(curve, r.scores[mine]))
                y.append(r.hit[mine])
    return reliability(np.concatenate(p), np.concatenate(y)) if p else Reliability()


def _of(r: Round, kind: str) -> NDArray[np.float64]:
    return np.asarray(r.scores[r.kinds == ERROR_TYPES.index(kind)], np.float64)


def _hits(rounds: Sequence[Round]) -> dict[str, NDArray[np.float64]]:
    """Scores of the findings that name planted errors, by the findings' type."""
    return {
        kind: np.concatenate([np.zeros(0), *(r.scores[r.hit & (r.kinds == k)] for r in rounds)])
        for k, kind in enumerate(ERROR_TYPES)
    }
