"""Arrays become rows of the schema's tables: NaN is NULL, shared values stand in every row, no rows are rows too."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from label_quality.schema import TABLES
from label_quality.schema.rows import nan_as_null, offer, rows_of

SUMMARY = {"kind": "image", "metric": "area", "rule": "robust"}


def counts(n: int) -> dict[str, object]:
    """Columns as rooms have them: a list, an array of NumPy, an array of Arrow in another type."""
    return {
        "moderate": list(range(n)),
        "severe": np.arange(n, dtype=np.int8),
        "objects": pa.array(range(n), pa.int16()),
    }


@pytest.mark.parametrize(
    ("values", "where", "expected"),
    [
        ([1.5, np.nan], None, [1.5, None]),
        ([], None, []),
        ([7, 8], [np.nan, 0.0], [None, 8]),
        ([np.inf], None, [np.inf]),
    ],
)
def test_nan_is_null(
    values: list[float], where: list[float] | None, expected: list[float | None]
) -> None:
    mask = None if where is None else np.array(where)
    assert nan_as_null(np.array(values), mask).to_pylist() == expected


def test_rows_have_the_schema_and_what_they_share() -> None:
    found = rows_of("outlier_summary", SUMMARY, counts(2))
    assert found.schema == TABLES["outlier_summary"].arrow_schema()
    assert found.to_pylist() == [
        SUMMARY | {"moderate": n, "severe": n, "objects": n} for n in (0, 1)
    ]


@pytest.mark.parametrize("parts", [[], [0], [2], [2, 0, 1]])
def test_parts_are_one_table_also_where_there_are_none(parts: list[int]) -> None:
    made = [rows_of("outlier_summary", SUMMARY, counts(n)) for n in parts]
    with duckdb.connect() as con:
        selects = offer(con, {"outlier_summary": made})
        rows = con.execute(selects["outlier_summary"]).fetchall()
    assert list(selects) == ["outlier_summary"]
    assert len(rows) == sum(parts)
