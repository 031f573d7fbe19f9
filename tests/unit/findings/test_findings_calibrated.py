"""p_error by the curves of a calibration, as SQL has it, against NumPy's interpolation."""

from __future__ import annotations

import numpy as np
from helpers.batch import BATCH, database, rows

from label_quality.findings import build_findings
from label_quality.schema import TABLES
from label_quality.store.calibrations import Calibration, Curve, FittedType

CURVES = {
    "missing": Curve((0.0, 0.3, 0.31, 1.0), (0.0, 0.1, 0.6, 0.95)),
    "spurious": Curve((0.2, 0.8), (0.05, 0.9)),
    "duplicate": Curve((0.5,), (0.7,)),
}


def calibration() -> Calibration:
    types = tuple(FittedType(kind, curve, 9, 9, 1.0) for kind, curve in CURVES.items())
    return Calibration("", "planted errors", 1, 1, 0, 0.5, types).sealed()


def scored(kinds: list[str], scores: np.ndarray):
    con = database([{"id": 1, "width": 9, "height": 9}], [], {})
    needed = {c.name: c.type for c in TABLES["finding_scores"].columns if not c.nullable}
    zero = {"VARCHAR": "''", "BIGINT": "1", "DOUBLE": "0.0"}
    fixed = {n: zero[t] for n, t in needed.items()} | {"batch": f"'{BATCH}'"}
    for k, (kind, score) in enumerate(zip(kinds, scores.tolist(), strict=True)):
        row = fixed | {"finding_id": f"'{k:04}'", "error_type": f"'{kind}'", "score": repr(score)}
        con.execute(
            f"insert into finding_scores ({', '.join(row)}) values ({', '.join(row.values())})"
        )
    return con


def test_p_error_is_the_curve_of_the_type_at_the_score() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.uniform(0.05, 1, 57), [0.3, 0.31, 1.0]])
    kinds = [[*CURVES][k % 3] for k in range(60)]
    con, fitted = scored(kinds, scores), calibration()
    build_findings(con, fitted)
    found = rows(
        con,
        "select p_error, calibrated, calibration_version as v from new_findings order by finding_id",
    )
    expected = [
        np.interp(s, CURVES[t].scores, CURVES[t].p_errors)
        for t, s in zip(kinds, scores, strict=True)
    ]
    np.testing.assert_allclose([f["p_error"] for f in found], expected, atol=1e-12)
    assert {(f["calibrated"], f["v"]) for f in found} == {(True, fitted.version)}


def test_a_type_without_a_curve_keeps_its_score_and_says_so() -> None:
    con, fitted = scored(["wrong_class", "missing"], np.array([0.42, 0.3])), calibration()
    build_findings(con, fitted)
    found = rows(
        con,
        "select p_error, calibrated, calibration_version as v from new_findings order by finding_id",
    )
    assert [(f["p_error"], f["calibrated"], f["v"]) for f in found] == [
        (0.42, False, fitted.version),
        (0.1, True, fitted.version),
    ]


def test_without_a_calibration_nothing_is_called_calibrated() -> None:
    con = scored(["missing"], np.array([0.3]))
    build_findings(con)
    assert rows(con, "select p_error, calibrated, calibration_version as v from new_findings") == [
        {"p_error": 0.3, "calibrated": False, "v": None}
    ]
