"""`label-quality advice`: what to review next, how much is left, and when to stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from label_quality.cli.common import SettingsError, console, fail, settings_for


def run_advice(root: Path | None, batch: str, *, as_json: bool) -> int:
    """Print the advice on one batch, or ("") on all; returns the exit code."""
    from label_quality.review.advice import advice
    from label_quality.review.database import Published
    from label_quality.store import StoreError

    try:
        published = Published(settings_for(root))
        try:
            with published.view() as view:
                if batch and not view.row("select 1 from batches where batch = ?", [batch]):
                    return fail(f"there is no batch {batch!r}")
                found = advice(view, batch)
        finally:
            published.close()
    except (SettingsError, StoreError, OSError) as error:
        return fail(str(error))
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _print(found)
    return 0


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table

    out = console()
    table = Table(header_style="bold", title="What to review next", title_justify="left")
    table.add_column("error type")
    for name in ("open", "of the last", "expected in the next", "at most (95 %)", "expected left"):
        table.add_column(name, justify="right")
    table.add_column("advice")
    for row in found["types"]:
        ahead = row["ahead"]
        table.add_row(
            row["error_type"].replace("_", " "),
            f"{row['open']:,}",
            f"{row['last_errors']} of {row['last']}" if row["last"] else "none decided",
            f"{row['expected_next']:.1f} of {ahead}" if ahead else "",
            f"{row['most_errors']} of {ahead}" if ahead and row["last"] else "",
            f"{row['expected_left']:,.1f}",
            "nothing is open" if not ahead else "stop" if row["time_to_stop"] else "look on",
        )
    out.print(table)
    sample = found["sample"]
    if sample["drawn"]:
        out.print(f"Random sample: {sample['drawn'] - sample['open']:,} of {sample['drawn']:,} cards answered.")  # fmt: skip
    if sample["errors"] is not None:
        out.print(
            f"By its answers there are about {sample['errors']:,.0f} errors ({sample['low']:,.0f} to {sample['high']:,.0f}), those that "
            f"nobody suspects included; {sample['found']:,} findings were accepted."
        )
