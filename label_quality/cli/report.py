"""`label-quality report`: one HTML page on everything that was published."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.cli.common import SettingsError, fail, settings_for

if TYPE_CHECKING:
    from label_quality.store import Store

DEFAULT = "label_quality_report.html"


def run_report(root: Path | None, output: Path | None) -> int:
    """Write the page; returns the exit code."""
    from label_quality.report import render_report
    from label_quality.store import Reader, Store, StoreError

    try:
        settings = settings_for(root)
        store = Store(settings.root_path, settings)
        if not store.database.is_file():
            return fail(
                f"nothing has been published under {settings.root}: run `label-quality audit` with --root {settings.root} first"
            )
        with closing(Reader(store.database, settings.duckdb.memory_limit)) as reader:
            page = render_report(
                reader.connection(), {b: _images(store, b) for b in store.batches()}
            )
        target = output or settings.root_path / DEFAULT
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, "utf-8")
    except (SettingsError, StoreError, OSError) as error:
        return fail(str(error))
    print(f"Report: {target}")
    return 0


def _images(store: Store, batch: str) -> Path | None:
    """The folder of a batch's images; None where it came without or is no longer registered."""
    from label_quality.store import StoreError

    try:
        return store.delivery(batch).images
    except StoreError:
        return None
