"""`label-quality status`: every delivery and what became of it, from the files of the root as they are now."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.cli.common import SettingsError, console, fail, settings_for

if TYPE_CHECKING:
    from label_quality.settings import Settings
    from label_quality.store import Store
    from label_quality.store.accounts import Account

_COUNTS = ("images", "labels", "predictions", "quarantined", "findings")
_COLOURS = {"published": "green", "failed": "red", "running": "cyan", "waiting": "yellow"}


def run_status(root: Path | None, *, as_json: bool) -> int:
    """Print the account of each batch and what waits in the inbox; returns the exit code."""
    from label_quality.store import Store, StoreError

    try:
        settings = settings_for(root)
        store = Store(settings.root_path, settings)
        found, waiting = store.accounts(), _inbox(store)
    except (SettingsError, StoreError, OSError) as error:
        return fail(str(error))
    if as_json:
        both = {"batches": [asdict(account) for account in found], "inbox": waiting}
        print(json.dumps(both, indent=1, ensure_ascii=False, default=_iso))
    else:
        _print(settings, found, waiting)
    return 0


def _inbox(store: Store) -> dict[str, str]:
    """The folders of the inbox that no run was asked for as they are now, and why."""
    from label_quality.inbox import Memory, find_delivery, folders

    memory = Memory.peek(store.shared)
    out = {}
    for folder in folders(store.settings.inbox_path):
        found, asked = find_delivery(folder), memory.folders.get(folder.name)
        if isinstance(found, str):
            out[folder.name] = found
        elif not asked or (asked.labels, asked.results) != (found.labels, found.results):
            out[folder.name] = (
                "not taken yet: the sensor has not seen it, or has just asked for its run"
            )
    return out


def _iso(value: object) -> str:
    return value.isoformat() + "Z" if isinstance(value, datetime) else str(value)


def _print(settings: Settings, found: list[Account], waiting: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    if not found and not waiting:
        out.print(Text(f"nothing has been delivered to {settings.root}"))
        return
    table = Table(header_style="bold")
    table.add_column("batch")
    table.add_column("state")
    for name in ("delivered (UTC)", "times", *_COUNTS):
        table.add_column(name, justify="right")
    for a in found:
        table.add_row(
            Text(a.batch),
            Text(a.state, style=_COLOURS[a.state]),
            f"{a.delivered_at:%Y-%m-%d %H:%M}" if a.delivered_at else "",
            str(a.deliveries),
            *("" if (n := getattr(a, name)) is None else f"{n:,}" for name in _COUNTS),
        )
    if found:
        out.print(table)
    for a in found:
        if a.message:
            out.print(Text(f"{a.batch}: the last run failed: {a.message} (run {a.last_run})"))
    for folder, why in waiting.items():
        out.print(Text(f"inbox/{folder}: {why}"))
