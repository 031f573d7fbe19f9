"""From units to bars and the page: an interval decides, and a method without a type is not beaten."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted import page
from planted.judging import judge
from planted.methods import THIS
from planted.unit import Unit

from label_quality.schema import ERROR_TYPES

FIGURES = ("AUROC", "P@20", "P@50", "P@100", "R@1%", "R@5%", "R@10%", "R@20%")
CONTROLS = {
    "cut": 0.5, "labels": 100, "flagged": 2, "small": 10, "small_flagged": 1, "occluded": 5, "occluded_flagged": 0,
    "missing_flagged": 3, "missing_in_crowds": 0, "findings_on_crowds": 0,
}  # fmt: skip


def unit(methods: dict[str, tuple[float, float]], kind: str = "missing", **controls: Any) -> Unit:
    """One shape; of each method the average precision and how far it is from that in the replicates."""
    rng = np.random.default_rng(0)
    shape = {"missing": "missing_uniform", "duplicate": "duplicate_exact"}[kind]
    told = {"shape": shape, "rate": 0.1, "type": kind, "errors": 10, "reachable": 9, "found": 8}
    rows = [
        told | {"method": m, "AP": ap} | dict.fromkeys(FIGURES, 0.5)
        for m, (ap, _) in methods.items()
    ]
    vectors = [np.r_[ap, ap + rng.normal(0, spread, 400)] for ap, spread in methods.values()]
    table = {t: dict.fromkeys((*ERROR_TYPES, "none"), 1) for t in ERROR_TYPES}
    return Unit(rows, np.array(vectors), {**CONTROLS, **controls, "confusion": [table]}, 1.0)


def bars(made: Unit, name: str = "coco") -> dict[str, bool]:
    return {b["bar"]: b["met"] for b in judge({name: [made]})["bars"]}


@pytest.mark.parametrize(
    ("ap", "spread", "met"), [(0.4, 0.01, True), (0.31, 0.1, False), (0.2, 0.01, False)]
)
def test_the_whole_interval_must_lie_above_zero(ap: float, spread: float, met: bool) -> None:
    made = unit({THIS: (ap, spread), "CLOD": (0.3, 0.0)})
    assert bars(made)["missing: AP above CLOD"] is met


def test_a_method_without_the_type_is_not_beaten() -> None:
    assert not [b for b in bars(unit({THIS: (0.9, 0.0)})) if "above" in b]


@pytest.mark.parametrize(
    ("name", "flagged", "met"), [("demo", 1, True), ("demo", 2, False), ("coco", 2, None)]
)
def test_flagged_labels_are_a_bar_on_the_demo_alone(
    name: str, flagged: int, met: bool | None
) -> None:
    made = unit({THIS: (0.9, 0.0)}, flagged=flagged)
    assert bars(made, name).get("at most 1 % of faultless labels flagged") is met


def test_crowds_and_exact_duplicates() -> None:
    made = bars(unit({THIS: (0.9, 0.0)}, "duplicate", missing_in_crowds=1))
    assert made["every exact duplicate is found"] is False  # 8 of 10
    assert made["crowds are never reported, nor what lies in them as missing"] is False


def test_the_page_tells_what_lost() -> None:
    results = judge({"coco": [unit({THIS: (0.2, 0.01), "CLOD": (0.3, 0.0)})]})
    results |= {"half": "report", "quick": False, "titles": {"coco": "COCO"}}
    text = page.page(results)
    assert "| coco | missing: AP above CLOD | **NOT met** | -0.100" in text
    assert "coco: 1 seed." in text
    assert "2 of 100 (2.0%)" in text
    assert "1 of 2 met" in text
