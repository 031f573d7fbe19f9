"""What is computed once for each published state of the database and kept until another one is published."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from label_quality.review.database import View

T = TypeVar("T")

_lock = threading.Lock()
_kept: dict[tuple[str, Hashable], Future[Any]] = {}


def once(view: View, key: Hashable, compute: Callable[[], T], *, most: int = 0) -> T:
    """What `compute` gave the first time that this key was asked of what is published now; others wait for the first.

    With `most` only so many are kept of those whose key, a tuple, begins alike.
    """
    # The reader opens every file under a name of its own.
    (state,) = view.con.execute("select current_database()").fetchall()[0]
    name = (str(state), key)
    with _lock:
        made = _kept.get(name)
        mine = made is None
        if made is None:
            for old in [n for n in _kept if n[0] != state]:
                del _kept[old]
            if most and isinstance(key, tuple):
                alike = [n for n in _kept if isinstance(n[1], tuple) and n[1][0] == key[0]]
                for old in alike[: len(alike) - most + 1]:
                    del _kept[old]
            made = _kept[name] = Future()
    if mine:
        try:
            made.set_result(compute())
        except BaseException as error:
            with _lock:
                _kept.pop(name, None)
            made.set_exception(error)
    result: T = made.result()
    return result
