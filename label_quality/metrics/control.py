"""The control of each kind of metric: a number that has to do with nothing.

What another metric seems to explain must be more than what this one does. The files of the three kinds say what
identifies their objects.
"""

from __future__ import annotations

from label_quality.registry import Kind, Metric


def random_control(kind: Kind, *ids: str, needs: frozenset[str] = frozenset()) -> Metric:
    """Evenly spread over 0 to 1, and the same in every run: the MD5 of the kind, the batch and the columns `ids`."""
    words = ["batch", *("id" if name.endswith("_id") else name for name in ids)]
    return Metric(
        name="random",
        kind=kind,
        description=f"Control: a number from the MD5 of {', '.join(words[:-1])} and {words[-1]}, "
        "evenly spread over 0 to 1, the same in every run",
        low=0,
        high=1,
        bad="none",
        control=True,
        needs=needs,
        sql=f"md5_number_lower(concat_ws('/', '{kind}', batch, {', '.join(ids)})) / 18446744073709551616.0",
    )
