"""What an exporter is, and where exporters are found: files below ``label_quality/exports/formats`` and plugins.

A file or a plugin that is broken leaves a sentence in `Found.problems` and no exporter; the others work all the same.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from label_quality.exports.source import Source

GROUP = "label_quality.exports"
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass
class Result:
    """What an exporter wrote: its files, and sentences for the user, what was left out and why among them."""

    files: list[Path] = field(default_factory=list)
    says: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Exporter:
    """One format.

    Attributes:
        name: the word for ``label-quality export``: lower case letters, digits and hyphens.
        description: one sentence.
        write: ``f(source, folder)`` writes its files into an existing folder, over those that stand there.
    """

    name: str
    description: str
    write: Callable[[Source, Path], Result]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name for an exporter: lower case, digits, -")


@dataclass(frozen=True)
class Found:
    """The exporters by name, and what was found and could not be used."""

    exporters: dict[str, Exporter]
    problems: tuple[str, ...]


@cache
def found() -> Found:
    """Look for exporters; once in a process."""
    exporters: dict[str, Exporter] = {}
    problems: list[str] = []
    for source, load in (*_files(), *_plugins()):
        # Whatever a plugin does when it is imported, the rest goes on without it.
        try:
            loaded = load()
            exporter = getattr(loaded, "EXPORTER", loaded)
            if not isinstance(exporter, Exporter):
                raise TypeError("it has no EXPORTER")
            if exporter.name in exporters:
                raise ValueError(f"there is an exporter {exporter.name!r} already")
        except Exception as error:
            problems.append(f"{source} gives no exporter: {type(error).__name__}: {error}")
            continue
        exporters[exporter.name] = exporter
    return Found(exporters, tuple(problems))


def _files() -> Iterator[tuple[str, Callable[[], object]]]:
    package = importlib.import_module(f"{__package__}.formats")
    for name in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        full = f"{package.__name__}.{name}"
        yield full, lambda full=full: importlib.import_module(full)  # type: ignore[misc]


def _plugins() -> Iterator[tuple[str, Callable[[], object]]]:
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        yield f"the plugin {point.name!r} ({point.value})", point.load
