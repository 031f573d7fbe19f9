"""``map`` in several threads or processes, results in order, with few items under way so that memory stays flat.

Threads serve work that lets go of Python's lock (Arrow, NumPy on large arrays); processes what holds it (pycocotools).
To a process a task travels by pickle, so it is made of arrays and text. Nothing about COCO here.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")

_WORTH = 2.0  # seconds of work below which starting processes costs more than it saves
_MOST = 8


def in_threads(work: Callable[[A], B], tasks: Iterable[A], threads: int = 2) -> Iterator[B]:
    """``map(work, tasks)`` in `threads` threads, at most `threads` + 1 tasks under way."""
    pending: deque[Future[B]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for task in tasks:
            pending.append(pool.submit(work, task))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def in_processes(work: Callable[[A], B], tasks: Iterable[A], seconds: float) -> Iterator[B]:
    """``map(work, tasks)``; in several processes if it is some `seconds` of work, enough to pay for their start.

    `work` is a function of a module, or a `functools.partial` of one: what it holds is sent to each process once.
    """
    if seconds < _WORTH or cores() < 2:
        yield from map(work, tasks)
        return
    pending: deque[Future[B]] = deque()
    workers = min(cores(), _MOST)
    # spawn: DuckDB and Arrow have threads, which a fork would leave behind with their locks held.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=_take_up, initargs=(work,)) as pool:
        for task in tasks:
            with nameless_main():
                pending.append(pool.submit(_do, task))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


_work: Callable[[Any], Any] | None = None  # of a process that `in_processes` started


def _take_up(work: Callable[[Any], Any]) -> None:
    global _work  # noqa: PLW0603  an initializer has no other way to leave something to its process
    _work = work


def _do(task: Any) -> Any:
    assert _work is not None
    return _work(task)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@contextmanager
def nameless_main() -> Iterator[None]:
    """Keep spawned processes from importing the main module again: Dagster's starts a run when it is imported."""
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)}
    main.__spec__ = None
    if "__file__" in kept:
        del main.__file__
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)
