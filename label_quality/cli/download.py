"""`label-quality download`: a public data set as a batch, and what to type next."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from label_quality.cli.common import SettingsError, console, fail, settings_for
from label_quality.datasets import CATALOGUE, Advance, DataSet, Downloaded, DownloadError, download

if TYPE_CHECKING:
    from rich.progress import Progress as Bars


def run_download(
    name: str | None,
    *,
    images: int | None = None,
    seed: int | None = None,
    output: Path | None = None,
    mirror: str | None = None,
    root: Path | None = None,
    catalogue: Mapping[str, DataSet] = CATALOGUE,
    pauses: tuple[float, ...] | None = None,
) -> int:
    """Fetch a data set; returns the exit code. Without a name: list them, and ask where somebody can answer."""
    if name is None:
        _print_catalogue(catalogue)
        name = _ask(catalogue)
    if name is None:
        return fail("name the data set to download")
    if name not in catalogue:
        return fail(f"there is no data set {name!r}; there are {', '.join(catalogue)}")
    data_set = catalogue[name]
    whole = images is None or images >= data_set.images
    try:
        folder = output or settings_for(root).root_path / "datasets" / (
            name if whole else f"{name}-{images}" + ("" if seed is None else f"-seed{seed}")
        )
        with _Bars() as progress:
            more = {} if pauses is None else {"pauses": pauses}
            batch = download(
                data_set,
                folder,
                images=None if whole else images,
                seed=seed,
                mirror=mirror,
                progress=progress,
                **more,
            )
    except (SettingsError, DownloadError) as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}" if error.strerror else str(error))
    _print_success(batch, root)
    return 0


def _print_catalogue(catalogue: Mapping[str, DataSet]) -> None:
    from rich.table import Table

    table = Table(header_style="bold", title="Data sets with labels", title_justify="left")
    table.add_column("name")
    for column in ("images", "labels", "to download", "with --images 200"):
        table.add_column(column, justify="right")
    table.add_column("what it is")
    for one in catalogue.values():
        labels, pictures = one.annotations.bytes, one.images * one.image_bytes
        whole = labels + (one.pictures.bytes if one.pictures else pictures)
        some = labels + min(200, one.images) * one.image_bytes
        table.add_row(
            one.name, f"{one.images:,}", f"{one.labels:,}", _size(whole), _size(some), one.title
        )
    console().print(table)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _ask(catalogue: Mapping[str, DataSet]) -> str | None:
    """The name that somebody types; None where nobody can, or nobody wants to."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    try:
        return input(f"Which one? [{next(iter(catalogue))}] ").strip() or next(iter(catalogue))
    except EOFError:
        return None


class _Bars:
    """Progress on standard error: bars on a terminal, a line for each stage elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._bars: dict[str, Bars] = {}

    def __enter__(self) -> _Bars:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for bars in self._bars.values():
            bars.stop()

    def stage(self, text: str, total: int, unit: str) -> Advance:
        """See `label_quality.datasets.Progress`."""
        if not self._console.is_terminal:
            amount = _size(total) if unit == "bytes" else f"{total:,}"
            self._console.print(f"{text} ({amount})", markup=False, soft_wrap=True)
            return lambda _: None
        for bars in self._bars.values():
            bars.stop()
        self._bars[text] = bars = self._made(unit)
        bars.start()
        task = bars.add_task(text, total=total)
        return _advancing(bars, task)

    def _made(self, unit: str) -> Bars:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        amount = (
            [DownloadColumn(), TransferSpeedColumn()] if unit == "bytes" else [MofNCompleteColumn()]
        )
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *amount,
            TimeRemainingColumn(),
            console=self._console,
        )


def _advancing(bars: Bars, task: object) -> Callable[[int], None]:
    return lambda count: bars.advance(task, count)  # type: ignore[arg-type]  # rich's id of a task is an int


def _print_success(batch: Downloaded, root: Path | None) -> None:
    from rich.markup import escape
    from rich.panel import Panel

    name = batch.folder.absolute().name
    rooted = f" --root {shlex.quote(str(root))}" if root else ""
    files = f"--annotations {_quoted(batch.annotations)} --images {_quoted(batch.images)}"
    said = (
        f"{batch.label_count:,} labels in {batch.image_count:,} images: {_quoted(batch.folder)}",
        "",
        "Check the labels by themselves:",
        f"  label-quality audit {files}{rooted}",
        "Then ask a Mask R-CNN about them (extra inference):",
        f"  label-quality infer --batch {shlex.quote(name)}{rooted}",
    )
    # Not wider than the commands: a line that is broken cannot be copied.
    out = console(max(map(len, said)) + 4)
    if out.width >= max(map(len, said)) + 4:
        out.print(Panel("\n".join(map(escape, said)), title="Downloaded", expand=False))
    else:
        out.print("[bold]Downloaded[/] " + "\n".join(map(escape, said)), soft_wrap=True)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
