"""`label-quality export`: decisions and labels in the formats of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.cli.common import SettingsError, console, fail, settings_for

if TYPE_CHECKING:
    from label_quality.exports.source import Select


def run_export(
    form: str | None,
    *,
    root: Path | None,
    batches: Sequence[str],
    output: Path | None,
    author: str | None,
    select: Select,
    limit: int,
    image_url: str,
    listing: bool,
) -> int:
    """Write one format; returns the exit code."""
    from label_quality.exports import found, open_source

    if listing or form is None:
        return _list()
    exporter = found().exporters.get(form)
    if exporter is None:
        return fail(f"there is no format {form!r}; these are: {', '.join(found().exporters)}")
    from label_quality.coco import UnreadableFile
    from label_quality.store import Store, StoreError

    try:
        settings = settings_for(root)
        folder = output or settings.root_path / "exports" / form
        store = Store(settings.root_path, settings)
        options = {"author": author, "select": select, "limit": limit, "image_url": image_url}
        with open_source(store, batches, **options) as source:  # type: ignore[arg-type]
            folder.mkdir(parents=True, exist_ok=True)
            result = exporter.write(source, folder)
    except (SettingsError, StoreError, UnreadableFile, OSError) as error:
        return fail(str(error))
    for line in (*result.says, *(str(file) for file in result.files)):
        print(line)
    return 0


def _list() -> int:
    from rich.table import Table

    from label_quality.exports import found

    table = Table("format", "what it is", header_style="bold")
    for exporter in found().exporters.values():
        table.add_row(exporter.name, exporter.description)
    console().print(table)
    for problem in found().problems:
        print(problem)
    return 0
