"""Counting planted errors among the first findings, on hand-made cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from label_quality.demo.score import ERROR_TYPES, planted_found

COLUMNS = [
    "error_type",
    "image_id",
    "annotation_id",
    "other_annotation_id",
    "suggested_x",
    "suggested_y",
    "suggested_width",
    "suggested_height",
]


def finding(
    error_type: str,
    image_id: int = 1,
    annotation_id: int | None = None,
    other: int | None = None,
    box: tuple[float, float, float, float] | None = None,
) -> list[Any]:
    return [error_type, image_id, annotation_id, other, *(box or (None,) * 4)]


def planted(
    error_type: str,
    image_id: int = 1,
    annotation_id: int | None = None,
    other: int | None = None,
    box: tuple[float, float, float, float] = (10, 10, 20, 20),
) -> dict[str, Any]:
    values = dict(zip("xy", box[:2], strict=True))
    return {
        "error_id": 1,
        "error_type": error_type,
        "image_id": image_id,
        "annotation_id": annotation_id,
        "other_annotation_id": other,
        "category_id": 1,
        **values,
        "width": box[2],
        "height": box[3],
        "detail": "",
    }


def counts(
    findings: list[list[Any]], ledger: list[dict[str, Any]], first: int = 100
) -> dict[str, tuple[int, int, int]]:
    table = planted_found(pd.DataFrame(findings, columns=COLUMNS), ledger, first)
    assert list(table.columns) == ["error_type", "planted", "found", "right_type"]
    assert tuple(table["error_type"]) == ERROR_TYPES
    return {row[0]: row[1:] for row in table.itertuples(index=False, name=None) if any(row[1:])}


BOX = (10.0, 10.0, 20.0, 20.0)


@pytest.mark.parametrize(
    ("found", "error", "expected"),
    [
        # missing: type, image and box must agree
        (finding("missing", box=BOX), planted("missing"), (1, 1, 1)),
        (finding("missing", box=(10, 10, 20, 10)), planted("missing"), (1, 1, 1)),  # IoU 0.5
        (finding("missing", box=(10, 10, 20, 9.9)), planted("missing"), (1, 0, 0)),
        (finding("missing", 2, box=BOX), planted("missing"), (1, 0, 0)),
        (finding("spurious", box=BOX), planted("missing"), (1, 0, 0)),
        (finding("missing"), planted("missing"), (1, 0, 0)),  # nothing suggested
        # a named label counts whatever the type says; right_type tells
        (finding("wrong_class", 1, 5), planted("wrong_class", 1, 5), (1, 1, 1)),
        (finding("spurious", 1, 5), planted("wrong_class", 1, 5), (1, 1, 0)),
        (finding("duplicate", 1, 4, 5), planted("inaccurate", 1, 5), (1, 1, 0)),
        (finding("inaccurate", 2, 5), planted("inaccurate", 1, 5), (1, 0, 0)),
        (finding("spurious", 1, 6), planted("spurious", 1, 5), (1, 0, 0)),
        # duplicate: either of the pair, but only a finding of that type
        (finding("duplicate", 1, 5, 6), planted("duplicate", 1, 5, 6), (1, 1, 1)),
        (finding("duplicate", 1, 6, 5), planted("duplicate", 1, 5, 6), (1, 1, 1)),
        (finding("duplicate", 1, 6, 9), planted("duplicate", 1, 5, 6), (1, 1, 1)),
        (finding("spurious", 1, 5), planted("duplicate", 1, 5, 6), (1, 0, 0)),
    ],
)
def test_one_finding_one_error(
    found: list[Any], error: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    assert counts([found], [error]) == {error["error_type"]: expected}


def test_only_the_first_findings_count() -> None:
    queue = [finding("spurious", 1, 9), finding("spurious", 1, 5)]
    ledger = [planted("spurious", 1, 5)]
    assert counts(queue, ledger, 1) == {"spurious": (1, 0, 0)}
    assert counts(queue, ledger, 2) == {"spurious": (1, 1, 1)}
    assert counts(queue, ledger, 0) == {"spurious": (1, 0, 0)}


def test_missing_labels_are_found_one_to_one() -> None:
    ledger = [planted("missing", box=(0, 0, 20, 20)), planted("missing", box=(4, 0, 20, 20))]
    between = finding("missing", box=(2, 0, 20, 20))
    assert counts([between], ledger) == {"missing": (2, 1, 1)}
    # The second fits only the first error: an assignment in order would lose it.
    only_first = finding("missing", box=(-5, 0, 20, 20))
    assert counts([between, only_first], ledger) == {"missing": (2, 2, 2)}
    assert counts([between, between, between], ledger[:1]) == {"missing": (1, 1, 1)}


def test_an_error_found_twice_counts_once_and_the_right_type_wins() -> None:
    queue = [finding("spurious", 1, 5), finding("wrong_class", 1, 5), finding("spurious", 1, 5)]
    assert counts(queue, [planted("wrong_class", 1, 5)]) == {"wrong_class": (1, 1, 1)}


def test_sums_by_type_and_a_shuffled_index() -> None:
    ledger = [
        planted("wrong_class", 1, 1),
        planted("wrong_class", 1, 2),
        planted("spurious", 2, 3),
        planted("missing", 2),
    ]
    queue = pd.DataFrame(
        [finding("wrong_class", 1, 1), finding("missing", 2, box=BOX), finding("missing", 2)],
        columns=COLUMNS,
        index=[7, 7, 3],
    )
    for column in ("annotation_id", "other_annotation_id"):
        queue[column] = queue[column].astype("Int64")
    table = planted_found(queue, ledger, 3).set_index("error_type")
    assert table["planted"].to_dict() == {
        "missing": 1,
        "wrong_class": 2,
        "inaccurate": 0,
        "duplicate": 0,
        "spurious": 1,
    }
    assert table["found"].sum() == table["right_type"].sum() == 2
    assert table.dtypes.eq(np.int64).all()


@pytest.mark.parametrize("queue", [[], [finding("missing", box=BOX)]])
def test_empty_ledger_and_empty_queue(queue: list[list[Any]]) -> None:
    assert counts(queue, []) == {}
    assert counts([], [planted("missing")]) == {"missing": (1, 0, 0)}


def test_wrong_use_is_told() -> None:
    empty = pd.DataFrame(columns=COLUMNS)
    with pytest.raises(ValueError, match="negative"):
        planted_found(empty, [], -1)
    with pytest.raises(ValueError, match="unknown error types in the ledger: typo"):
        planted_found(empty, [planted("typo")], 1)
    with pytest.raises(KeyError, match="suggested_x"):
        planted_found(empty.drop(columns="suggested_x"), [], 1)
