"""Precision, or the rate of labels that are not found, in quantile bins of a metric."""

from __future__ import annotations

BINS = 10
_Z = 1.959963984540054


def by_metric_sql(relation: str, metric: str, measure: str) -> str:
    """Rows model, bin, low, high, count, value, value_low, value_high of one metric.

    Bins end at the deciles, of each model by itself; equal values share a bin, so that there are fewer bins where values
    tie, none of them is empty, and `low` and `high` are values that occur. The interval is Wilson's (JASA 22, 1927).

    Args:
        relation: SQL of what has the columns model, right (boolean) and the metric's.
        metric: the column.
        measure: "precision", right ones among all; "false_negative_rate", wrong ones among all.
    """
    value = f'"{metric}"'
    deciles = [round(k / BINS, 3) for k in range(1, BINS)]
    counted = "n.right" if measure == "precision" else "not n.right"
    place = " + ".join(f"({value} > edges[{k}])::int" for k in range(1, BINS))
    return f"""
    with measured as (
      select model, "right", {value} from {relation} where isfinite({value})
    ), deciles as (
      select model, quantile_disc({value}, {deciles}) as edges from measured group by model
    ), binned as (
      select model, {place} as place, min({value}) as low, max({value}) as high, count(*) as n,
             count(*) filter ({counted}) as k
      from measured n join deciles using (model) group by all
    )
    select model, row_number() over (partition by model order by low) as bin, low, high, n as count, k / n as value,
           greatest((k + {_Z**2 / 2}) / (n + {_Z**2}) - half, 0) as value_low,
           least((k + {_Z**2 / 2}) / (n + {_Z**2}) + half, 1) as value_high
    from binned
    cross join lateral (select {_Z} / (n + {_Z**2}) * sqrt(k * (n - k) / n + {_Z**2 / 4}) as half)
    """
