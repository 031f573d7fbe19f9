"""What a part of the job `refresh` is. Which there are is said in ``parts``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Part:
    """Tables that are computed together.

    `says` is told when it begins; `reads` are the tables that it comes from; `tables` maps each table to what the UI shows
    beside it, a function of the connection and the table's rows; `build` returns table -> SELECT; `seconds` is what the part
    took before that.
    """

    says: str
    reads: list[str]
    tables: Mapping[str, Callable[[DuckDBPyConnection, int], Mapping[str, Any]]]
    build: Callable[[DuckDBPyConnection], Mapping[str, str]]
    seconds: Callable[[], float] = lambda: 0.0
