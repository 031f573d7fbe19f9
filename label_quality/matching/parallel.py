"""Works on mask tasks in several processes where that pays: pycocotools holds Python's lock while it works.

Nothing about masks here. A task and its result travel by pickle, so they are arrays and lists of text.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

_WORTH = 2.0  # seconds of work below which starting processes costs more than it saves
_MOST = 8


def in_processes(work: Callable[[A], B], tasks: Iterable[A], seconds: float) -> Iterator[B]:
    """``map(work, tasks)`` in order; in several processes if it is some `seconds` of work and there are cores."""
    workers = min(len(os.sched_getaffinity(0)), _MOST) if hasattr(os, "sched_getaffinity") else 1
    if seconds < _WORTH or workers < 2:
        yield from map(work, tasks)
        return
    pending: deque[Future[B]] = deque()
    # spawn: DuckDB and Arrow have threads, which a fork would leave behind with their locks held.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for task in tasks:
            with _nameless_main():
                pending.append(pool.submit(work, task))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@contextmanager
def _nameless_main() -> Iterator[None]:
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
