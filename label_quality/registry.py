"""What a metric is, and where metrics are found: files below ``label_quality/metrics`` and the entry points of plugins.

Below the schema, because tables have a column for each metric. Nothing is computed here, and nothing heavy imported. A file
or a plugin that is broken leaves a sentence in `problems` and no metric; it never keeps the rest from working.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from typing import Any, Literal, get_args

GROUP = "label_quality.metrics"
Kind = Literal["image", "annotation", "prediction"]
Bad = Literal["low", "high", "both", "none"]
Scale = Literal["linear", "log"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What has to be there for a metric to have a value; without it the metric is NULL.
NEEDS = frozenset({"pixels", "masks", "predictions"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Columns that the tables of metrics have anyway; see label_quality/schema/tables_metrics.py.
TAKEN = frozenset(
    {
        *("batch", "image_id", "annotation_id", "category_id", "prediction_id", "model", "iscrowd"),
        *(
            "pixels",
            "pixels_reason",
            "perceptual_hash",
            "nearest_image_id",
            "nearest_distance",
            "duplicate_of",
        ),
        *("same_class_annotation_id", "other_class_annotation_id"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number about an image, a label or a prediction; a nullable DOUBLE column of ``<kind>_metrics``.

    Exactly one of `sql` and `function` says how it is computed:

    - `sql`: an expression over the row of that kind, whose columns ``label_quality/metrics/rows.py`` lists.
    - `function` of an image metric (needs pixels): ``f(picture) -> float``, see ``label_quality.metrics.picture``.
    - `function` of an annotation metric that needs pixels: ``f(picture, boxes) -> float64 (n,)`` for all boxes of an image,
      int64 (n, 4) left, top, right, bottom in whole pixels inside the picture, none of them empty.
    - `function` of an annotation metric that needs masks: ``f(outlines) -> float64 (n,)`` for many polygon labels at once,
      see ``label_quality.metrics.outlines``.

    A function gives NaN where there is no value; it becomes NULL.

    Attributes:
        name: column name, lower case with underscores.
        kind: image, annotation or prediction.
        description: one sentence with the formula; it becomes the comment of the column.
        unit: "" for a plain number.
        low: smallest value there can be, None if unbounded.
        high: largest value there can be, None if unbounded.
        bad: the end at which errors are to be looked for; none for controls.
        scale: log for sizes and ratios, whose logarithms are to be compared; the value is then >= 0.
        per_category: whether values of different categories are not comparable, so that outliers are sought within each.
        needs: what it cannot be computed without, of `NEEDS`.
        control: a random number: what has to do with nothing, to compare others with.
        origin: the plugin that gave it, "" for a file of this package; set when it is found.
    """

    name: str
    kind: Kind
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    bad: Bad = "both"
    scale: Scale = "linear"
    per_category: bool = False
    needs: frozenset[str] = frozenset()
    control: bool = False
    origin: str = ""
    sql: str | None = None
    function: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        for wrong in self._mistakes():
            raise ValueError(f"metric {self.name!r}: {wrong}")

    def _mistakes(self) -> Iterator[str]:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            yield "its name is to be lower case letters, digits and underscores"
        if self.name in TAKEN:
            yield "its name is that of a column that the table has anyway"
        for field, allowed in (("kind", KINDS), ("bad", get_args(Bad)), ("scale", get_args(Scale))):
            if getattr(self, field) not in allowed:
                yield f"{field} is to be one of {', '.join(allowed)}"
        if not self.description.strip():
            yield "it needs a description"
        if not self.needs <= NEEDS:
            yield f"needs may hold {', '.join(sorted(NEEDS))}"
        ends = [end for end in (self.low, self.high) if end is not None]
        if not all(map(math.isfinite, ends)) or ends != sorted(ends):
            yield "low and high are to be finite and in order"
        if self.scale == "log" and (self.low is None or self.low < 0):
            yield "a log scale needs low >= 0"
        yield from self._mistakes_of_how()

    def _mistakes_of_how(self) -> Iterator[str]:
        if (self.sql is None) == (self.function is None):
            yield "exactly one of sql and function says how it is computed"
        if self.function is not None and not callable(self.function):
            yield "function is to be a function"
        if self.function is not None and self.kind == "prediction":
            yield "a metric of predictions is given by sql"
        if self.function is not None and not self.needs & {"pixels", "masks"}:
            yield "a function needs pixels or masks"
        if self.function is not None and self.kind == "image" and "pixels" not in self.needs:
            yield "a function over an image needs pixels"


@dataclass(frozen=True)
class Found:
    """All metrics by kind, in the order of their columns, and what was found and could not be used."""

    metrics: dict[Kind, dict[str, Metric]]
    problems: tuple[str, ...]


def metrics(kind: Kind) -> dict[str, Metric]:
    """The metrics of one kind by name, in the order of their columns: those of this package first, then plugins by name."""
    return found().metrics[kind]


def is_control(kind: Kind, metric: str) -> bool:
    """Whether a metric is a random one, to compare others with; false for one that is no longer there."""
    known = metrics(kind).get(metric)
    return known is not None and known.control


def problems() -> tuple[str, ...]:
    """A sentence for each file or plugin that could not be used."""
    return found().problems


@cache
def found() -> Found:
    """Look for metrics; once in a process."""
    result: dict[Kind, dict[str, Metric]] = {kind: {} for kind in KINDS}
    wrong: list[str] = []
    for origin, source, load in (*_files(), *_plugins()):
        # Whatever a plugin does when it is imported, the rest goes on without it.
        try:
            some = list(_metrics_of(load()))
            for metric in some:
                if metric.name in result[metric.kind]:
                    raise ValueError(
                        f"there is a metric {metric.name!r} of kind {metric.kind} already"
                    )
        except Exception as error:
            wrong.append(f"{source} gives no metric: {type(error).__name__}: {error}")
            continue
        for metric in some:
            result[metric.kind][metric.name] = replace(metric, origin=origin)
    return Found(result, tuple(wrong))


_Source = tuple[str, str, Callable[[], object]]  # origin, what to call it, how to load it


def _files() -> Iterator[_Source]:
    for kind in KINDS:
        package = importlib.import_module(f"{__package__}.metrics.{kind}")
        for name in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
            yield "", f"{package.__name__}.{name}", _importer(f"{package.__name__}.{name}")


def _importer(name: str) -> Callable[[], object]:
    return lambda: importlib.import_module(name)


def _plugins() -> Iterator[_Source]:
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        by = f" of {point.dist.name}" if point.dist else ""
        yield point.value, f"the plugin {point.name!r}{by} ({point.value})", point.load


def _metrics_of(loaded: object) -> Iterable[Metric]:
    """The metrics of a module (its ``METRICS``), of a list, or the one metric."""
    if isinstance(loaded, Metric):
        return [loaded]
    listed = getattr(loaded, "METRICS", loaded)
    some = list(listed) if isinstance(listed, Iterable) else []
    if not some or not all(isinstance(one, Metric) for one in some):
        raise TypeError("it is neither a metric nor a module or list of metrics (METRICS)")
    names = [(one.kind, one.name) for one in some]
    if len(set(names)) < len(names):
        raise ValueError("it has two metrics of one name")
    return some
