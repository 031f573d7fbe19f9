"""Expected recall at review budgets, and the default cut, on cases made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from label_quality.calibration.recall import BUDGETS, Expected, default_cut, recall_at_budgets
from label_quality.schema import ERROR_TYPES


def test_recall_counts_what_no_finding_names_as_missed() -> None:
    missing, spurious = ERROR_TYPES.index("missing"), ERROR_TYPES.index("spurious")
    expected = Expected(
        own=np.array([0.9, 0.8, 0.3, 0.2] + [0.01] * 16),
        kinds=np.array([missing, missing, missing, missing, spurious, spurious]),
        best=np.array([0.95, 0.85, 0.25, np.nan, 0.9, 0.1]),
        errors=np.array(
            [30.0 if k == missing else 10.0 if k == spurious else 0.0 for k in range(5)]
        ),
        labels=100,
    )
    found = {(b.error_type, b.budget): b for b in recall_at_budgets(expected)}
    two = found["missing", 0.02]
    assert (two.findings, two.recall, two.precision) == (2, 0.5, pytest.approx(0.85))
    assert found["spurious", 0.02].recall == 0.5
    assert found["any", 0.05].recall == pytest.approx((30 * 0.75 + 10 * 1) / 40)
    assert {b for kind, b in found if kind == "missing"} == set(BUDGETS)
    assert not any(kind == "duplicate" for kind, _ in found)


@pytest.mark.parametrize(
    ("own", "cut"),
    [
        ([], 0.5),
        ([0.1, 0.05], 0.5),  # nowhere are half of them errors
        ([0.9, 0.8, 0.45, 0.3, 0.1], 0.25),  # 2.55 of 5
        ([0.9, 0.4, 0.3, 0.01, 0.01], 0.3),  # 1.6 of 3, 1.61 of 4
        ([0.99] * 50 + [0.2] * 20, 0.25),  # never lower
        ([0.99, 0.6], 0.5),  # never higher
    ],
)
def test_the_cut_is_where_half_of_what_is_above_is_expected_to_be_errors(
    own: list[float], cut: float
) -> None:
    assert default_cut(np.array(own)) == pytest.approx(cut)
