"""What a metric's function raised: noted, so that the others go on, and told in one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from label_quality.registry import Metric

Problems = dict[str, str]  # kind.name of a metric -> what its function raised first


@contextmanager
def noted(problems: Problems, metric: Metric) -> Iterator[None]:
    """Keep the first error of the metric's function in `problems`; the block ends there."""
    try:
        yield
    except Exception as error:  # of a plugin, whatever it is
        problems.setdefault(f"{metric.kind}.{metric.name}", f"{type(error).__name__}: {error}")


def sentences(problems: Mapping[str, str]) -> list[str]:
    """A sentence for each metric, by name."""
    return [f"metric {name}: {text}" for name, text in sorted(problems.items())]
