"""`label-quality selftest`: what the method would find of each kind of error in the user's own data, and at which cost.

Known errors are planted into a copy of the labels in memory. Nothing is audited, published or kept.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_quality.cli.common import SettingsError, console, fail, settings_for

if TYPE_CHECKING:
    from label_quality.store import Calibration

_WEAK = 0.5  # share of the errors of a type that should be found at the largest budget


def run_selftest(
    annotations: Path, predictions: Sequence[str], root: Path | None, json_file: Path | None
) -> int:
    """Print what would be found; returns the exit code: 0, or 2 where it cannot be told."""
    from label_quality.calibration.build import calibrate
    from label_quality.calibration.load import load_files
    from label_quality.calibration.verdicts import NOBODY
    from label_quality.cli.audit import models
    from label_quality.coco import UnreadableFile
    from label_quality.diff import scratch_connection
    from label_quality.store import StoreError

    files = models(predictions)
    try:
        if gone := next(
            (f for f in (annotations, *(f for _, f in files)) if not f.is_file()), None
        ):
            return fail(f"{gone} is not a file")
        if twice := {m for m, _ in files if [n for n, _ in files].count(m) > 1}:
            return fail(
                f"two results files carry the model name {twice.pop()}; name them: MODEL=FILE"
            )
        with scratch_connection(settings_for(root)) as (con, _):
            taken = load_files(con, annotations, files, _say)
            found = calibrate(con, {}, NOBODY, _say)
        if isinstance(found, str):
            return fail(found.removeprefix("not calibrated: "))
        if json_file:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(json.dumps(as_json(found), indent=1) + "\n", "utf-8")
    except (SettingsError, StoreError, UnreadableFile, OSError) as error:
        return fail(str(error))
    _print(found, taken)
    return 0


def as_json(found: Calibration) -> dict[str, Any]:
    """The result as plain values, without the curves."""
    import msgspec

    told = msgspec.to_builtins(found)
    for each in told["types"]:
        del each["curve"]
    return {k: v for k, v in told.items() if k not in ("version", "fitted_on", "verdicts", "basis")}


def weak(found: Calibration) -> list[str]:
    """A sentence for each kind of error that the models are too weak for."""
    from label_quality.schema import ERROR_TYPES

    recall = {(b.error_type, b.budget): b.recall for b in found.recall}
    most = max((b.budget for b in found.recall), default=0.0)
    known = {t.error_type: t for t in found.types}
    out = []
    for kind in ERROR_TYPES:
        words = kind.replace("_", " ")
        if kind not in known:
            out.append(
                f"{words}: hardly any planted error was named by a finding of this type; not judged"
            )
            continue
        reached = known[kind].reached / max(known[kind].planted, 1)
        found_at_most = recall.get((kind, most), 0.0)
        if reached < _WEAK:
            out.append(
                f"{words}: {1 - reached:.0%} of such errors leave no trace in these predictions"
            )
        elif found_at_most < _WEAK:
            out.append(
                f"{words}: only {found_at_most:.0%} of such errors stand among as many findings as "
                f"{most:.0%} of the labels"
            )
    return out


_start = time.perf_counter()


def _say(text: str) -> None:
    print(f"[{time.perf_counter() - _start:5.1f} s] {text}", file=sys.stderr, flush=True)


def _print(found: Calibration, taken: Mapping[str, tuple[int, int]]) -> None:
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    out = console()
    what = ", ".join(
        f"{escape(name)} {kept:,}" + (f" ({lost:,} not taken)" if lost else "")
        for name, (kept, lost) in taken.items()
    )
    planted = sum(t.planted for t in found.types)
    out.print(
        f"\n[bold]Self-test[/]: {what}. {planted:,} known errors were planted into {found.labels:,} labels "
        f"in {found.images:,} images."
    )
    table = Table(
        header_style="bold",
        title="Share of each kind of error among the surest findings",
        title_justify="left",
    )
    table.add_column("looked at")
    recall = {(b.error_type, b.budget): b for b in found.recall}
    kinds = [
        k
        for k in ("any", *(t.error_type for t in found.types))
        if any(b.error_type == k for b in found.recall)
    ]
    for name in ("errors among them", *(k.replace("_", " ") for k in kinds)):
        table.add_column(name, justify="right")
    for budget in sorted({b.budget for b in found.recall}):
        row = [recall[k, budget] for k in kinds]
        looked = f"{row[0].findings:,} findings ({budget:.0%} of the labels)"
        table.add_row(looked, f"{row[0].precision:.0%}", *(f"{b.recall:.0%}" for b in row))
    out.print(table)
    out.print(_in_words(found))
    if sentences := weak(found):
        out.print(
            Panel(
                "\n".join(escape(s) for s in sentences),
                title="Where these models are too weak to help",
                title_align="left",
                border_style="yellow",
            )
        )
    out.print(
        "Planted errors are not real ones: real errors may be harder to find, and there may be other kinds.\n"
    )


def _in_words(found: Calibration) -> str:
    expected = ", ".join(
        f"{t.error_type.replace('_', ' ')} {t.expected_errors:.0f}" for t in found.types
    )
    text = (
        f"Errors that these labels seem to hold: {expected} (an estimate until people have looked)."
    )
    if found.reliability.error is not None:
        text += f" Probabilities are off by {found.reliability.error:.3f} on errors of other shapes"
        text += f" (slope {found.reliability.slope:.2f})." if found.reliability.slope else "."
    return text
