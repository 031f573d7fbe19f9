"""The control of each kind of metric: a number that has to do with nothing.

What another metric seems to explain must be more than what this one does. The files of the three kinds say what
identifies their objects.
"""

from __future__ import annotations

from label_quality.registry import Kind, Metric

_BITS = 0xFFFFFFFF
_SEEDS: dict[Kind, int] = {"image": 0x9E3779B9, "annotation": 0x7F4A7C15, "prediction": 0x243F6A88}


def random_control(kind: Kind, key: str, *, needs: frozenset[str] = frozenset()) -> Metric:
    """Evenly spread over 0 to 1, and the same in every run: the mixed bits of the id in the column `key`.

    The finalizer of MurmurHash3 (Appleby, 2011): one bit of the id turns half of those of the number. A digest such as MD5 costs
    more than all other metrics of four million predictions together.
    """
    bits = f"xor(xor({key}, {key} >> 32) & {_BITS}, {_SEEDS[kind]})"
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = f"(xor({bits}, {bits} >> {shift}) * {factor}::ubigint & {_BITS})"
    bits = f"xor({bits}, {bits} >> 16)"
    return Metric(
        name="random",
        kind=kind,
        description="Control: a number from the mixed bits of the id, evenly spread over 0 to 1, the same in every run",
        low=0,
        high=1,
        bad="none",
        control=True,
        needs=needs,
        sql=f"{bits} / {_BITS + 1}.0",
    )
