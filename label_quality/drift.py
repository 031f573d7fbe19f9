"""How a batch differs from the batches before it: error rates, share of unmatched labels, class mix, sizes of boxes.

Each measure has an effect, which is compared with a limit, and a p value, which says whether it may be chance: in large
batches the slightest difference is significant, and in small ones a large difference may mean nothing.

- ``error_rate`` and ``unmatched``: rise of the share; one-sided two-proportion z-test.
- ``class_mix``: Cramér's V of batch × category, the predecessors weighed as if they were as many labels as the batch (else
  V would shrink the more of them there are); chi-squared test of the true counts.
- ``box_size``: Kolmogorov-Smirnov distance of the relative side sqrt(box area / image area); its asymptotic test.

p values come from ``scipy.special``: importing ``scipy.stats`` would cost each audit more than all the rest of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_quality.schema import ERROR_TYPES, TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.settings import Drift

READS = (
    "batches",
    "images",
    "categories",
    "annotations",
    "predictions",
    "prediction_overlaps",
    "error_rates",
)
MEASURES = ("error_rate", "unmatched", "class_mix", "box_size")
_RATES = """
select error_type, sum(expected_errors), sum(labels + expected_missing) from error_rates
where category_id is null and judged and rate is not null group by 1
"""
# Labels of the batches that have predictions at all.
_UNMATCHED = """
select count(*) filter (m.annotation_id is null), count(*)
from (from annotations semi join (select distinct batch from predictions) using (batch)) a
left join (select distinct batch, annotation_id from prediction_overlaps where assigned) m using (batch, annotation_id)
where not a.iscrowd
"""
_CLASSES = """
select c.name, count(*) from annotations a join categories c using (batch, category_id) where not iscrowd group by 1
"""
_SIZES = """
select sqrt(a.width * a.height / (i.width * i.height)) as side
from annotations a join images i using (batch, image_id)
where not iscrowd and a.width > 0 and a.height > 0 and i.width > 0 and i.height > 0 order by 1
"""


# Value now, value before, effect, p value; all None where there is nothing to compare.
_Compared = tuple[float | None, float | None, float | None, float | None]


@dataclass(frozen=True)
class _State:
    """What is compared, of one batch or of several together."""

    rates: dict[str, tuple[float, float]]
    unmatched: tuple[int, int]
    classes: dict[str, int]
    sizes: NDArray[np.float64]


_NOTHING = _State({}, (0, 0), {}, np.zeros(0))


def build_drift(
    con: DuckDBPyConnection, before: DuckDBPyConnection, predecessors: int, limits: Drift
) -> pa.Table:
    """The rows of the table ``drift`` of one batch.

    Args:
        con: shows the tables `READS` of the batch.
        before: shows them of its predecessors.
        predecessors: how many these are; 0: nothing is judged.
        limits: the limits of the settings.
    """
    (batch,) = con.execute("select batch from batches").fetchall()[0]
    now, then = (_state(con), _state(before)) if predecessors else (_NOTHING, _NOTHING)
    rows = [
        *(
            _row(
                "error_rate",
                kind,
                limits.error_rate,
                _rise(now.rates.get(kind), then.rates.get(kind)),
            )
            for kind in (*ERROR_TYPES, "any")
        ),
        _row("unmatched", None, limits.unmatched, _rise(now.unmatched, then.unmatched)),
        _row("class_mix", None, limits.class_mix, _class_mix(now.classes, then.classes)),
        _row("box_size", None, limits.box_size, _box_size(now.sizes, then.sizes)),
    ]
    for row in rows:
        row["drifted"] = (
            row["effect"] > row["limit"] and row["p_value"] < limits.significance
            if row["judged"]
            else None
        )
        row |= {"batch": batch, "predecessors": predecessors}
    return pa.Table.from_pylist(rows, schema=TABLES["drift"].arrow_schema())


def _row(measure: str, kind: str | None, limit: float, compared: _Compared) -> dict[str, Any]:
    value, before, effect, p_value = compared
    return {
        "measure": measure,
        "error_type": kind,
        "value": value,
        "before": before,
        "effect": effect,
        "p_value": p_value,
        "limit": limit,
        "judged": effect is not None,
    }


def _state(con: DuckDBPyConnection) -> _State:
    rates = {kind: (errors, n) for kind, errors, n in con.execute(_RATES).fetchall() if n}
    return _State(
        rates,
        con.execute(_UNMATCHED).fetchall()[0],
        dict(con.execute(_CLASSES).fetchall()),
        con.execute(_SIZES).fetchnumpy()["side"].astype(np.float64),
    )


def _rise(now: tuple[float, float] | None, then: tuple[float, float] | None) -> _Compared:
    """Share now, share before, their difference, and the one-sided p value of the two-proportion z-test."""
    if not now or not then or not now[1] or not then[1]:
        return None, None, None, None
    value, before = now[0] / now[1], then[0] / then[1]
    return value, before, value - before, two_proportions(*now, *then)


def two_proportions(count: float, n: float, other_count: float, other_n: float) -> float:
    """The p value of "the first proportion is not larger than the second", pooled z-test. Counts may be expected ones."""
    from scipy.special import ndtr  # noqa: PLC0415

    pooled = (count + other_count) / (n + other_n)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / other_n)) if 0 < pooled < 1 else 0.0
    return float(ndtr(-(count / n - other_count / other_n) / error)) if error else 1.0


def _class_mix(now: dict[str, int], then: dict[str, int]) -> _Compared:
    if not now or not then:
        return None, None, None, None
    names = sorted({*now, *then})
    table = np.array([[side.get(name, 0) for name in names] for side in (now, then)], float)
    scaled = table * (table[0].sum() / table.sum(axis=1, keepdims=True))
    return None, None, cramers_v(scaled), chi_squared_p(table)


def _chi_squared(table: NDArray[np.float64]) -> float:
    """Pearson's chi-squared of a contingency table without empty columns."""
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def cramers_v(table: NDArray[np.float64]) -> float:
    """Cramér's V of a table (2, K) of counts, 0 to 1; 0 for one column."""
    return float(np.sqrt(_chi_squared(table) / table.sum())) if table.shape[1] > 1 else 0.0


def chi_squared_p(table: NDArray[np.float64]) -> float:
    """The p value of the chi-squared test of independence of a table (2, K)."""
    from scipy.special import chdtrc  # noqa: PLC0415

    freedom = table.shape[1] - 1
    return float(chdtrc(freedom, _chi_squared(table))) if freedom else 1.0


def _box_size(now: NDArray[np.float64], then: NDArray[np.float64]) -> _Compared:
    if not len(now) or not len(then):
        return None, None, None, None
    distance, p_value = kolmogorov_smirnov(now, then)
    return float(np.median(now)), float(np.median(then)), distance, p_value


def kolmogorov_smirnov(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Two-sided distance, 0 to 1, of two sorted samples, and its asymptotic p value."""
    from scipy.special import kolmogorov  # noqa: PLC0415

    values = np.concatenate([a, b])
    below_a = np.searchsorted(a, values, side="right") / len(a)
    below_b = np.searchsorted(b, values, side="right") / len(b)
    distance = float(np.abs(below_a - below_b).max())
    return distance, float(kolmogorov(np.sqrt(len(a) * len(b) / (len(a) + len(b))) * distance))
