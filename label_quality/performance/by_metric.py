"""Precision, or the rate of labels that are not found, in quantile bins of a metric."""

from __future__ import annotations

BINS = 10
_Z = 1.959963984540054

_DECILES = [round(k / BINS, 3) for k in range(1, BINS)]
_PLACE = " + ".join(f"(value > edges[{k}])::int" for k in range(1, BINS))
_OF_OBJECTS = f"""
    deciles as (
      select model, quantile_disc(value, {_DECILES}) as edges from measured group by model
    ), placed as (
      select model, value, 1 as n, counted::int as k, {_PLACE} as place from measured join deciles using (model)
    )"""
# The same deciles from the number of objects of each image, without a row for each object.
_OF_IMAGES = f"""
    valued as (
      select model, value, sum(n) as n, sum(k) as k from measured group by all
    ), placed as (
      select model, value, n, k,
             floor({BINS} * (sum(n) over (partition by model order by value) - n) / sum(n) over (partition by model)) as place
      from valued
    )"""


def by_metric_sql(measured: str, *, of_images: bool = False) -> str:
    """Rows model, bin, low, high, count, value, value_low, value_high of one metric.

    Bins end at the deciles, of each model by itself; equal values share a bin, so that there are fewer bins where values
    tie, none of them is empty, and `low` and `high` are values that occur. The interval is Wilson's (JASA 22, 1927).

    Args:
        measured: SELECT of model, value and `counted`, true for what the rate counts, with a row for each object; of images
            model, value, n objects and k that the rate counts.
        of_images: whether rows are images.
    """
    return f"""
    with measured as ({measured}), {_OF_IMAGES if of_images else _OF_OBJECTS}, binned as (
      select model, place, min(value) as low, max(value) as high, sum(n)::bigint as n, sum(k)::bigint as k
      from placed group by all
    )
    select model, row_number() over (partition by model order by place) as bin, low, high, n as count, k / n as value,
           greatest((k + {_Z**2 / 2}) / (n + {_Z**2}) - half, 0) as value_low,
           least((k + {_Z**2 / 2}) / (n + {_Z**2}) + half, 1) as value_high
    from binned
    cross join lateral (select {_Z} / (n + {_Z**2}) * sqrt(k * (n - k) / n + {_Z**2 / 4}) as half)
    """
