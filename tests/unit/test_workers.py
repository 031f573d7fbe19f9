"""Work in several processes gives what work in one gives, in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from label_quality.workers import in_processes


def _square(n: int) -> tuple[int, int]:
    return n * n, os.getpid()


def test_little_work_stays_in_this_process() -> None:
    done = list(in_processes(_square, iter(range(5)), seconds=0.1))
    assert done == [(n * n, os.getpid()) for n in range(5)]


def test_much_work_goes_to_others_and_comes_back_in_order() -> None:
    main = sys.modules["__main__"]
    before = {name: getattr(main, name, None) for name in ("__spec__", "__file__")}
    made: list[int] = []

    def tasks() -> Iterator[int]:
        for n in range(40):
            made.append(n)
            yield n

    results = in_processes(_square, tasks(), seconds=100.0)
    first = next(results)
    assert len(made) < 40, "tasks are made as they are needed, not all at once"
    done = [first, *results]
    assert [value for value, _ in done] == [n * n for n in range(40)]
    if len(os.sched_getaffinity(0)) > 1:
        assert os.getpid() not in {pid for _, pid in done}
    assert {name: getattr(main, name, None) for name in before} == before


def test_an_error_in_a_process_reaches_the_caller() -> None:
    try:
        list(in_processes(_fail, iter([1]), seconds=100.0))
    except ZeroDivisionError:
        return
    raise AssertionError("the error was lost")


def _fail(n: int) -> float:
    return n / 0
