"""`label-quality demo`: render the demo, audit it, and say how many of the planted errors the queue finds."""

from __future__ import annotations

import json
from pathlib import Path

from label_quality.cli.audit import AuditFailed, audit_batch
from label_quality.cli.common import SettingsError, console, fail, settings_for

BATCH = "demo"


def run_demo(root: Path | None, *, images: int, seed: int) -> int:
    """Make and audit the demo; returns 0 when it worked, whatever the checks say."""
    from label_quality.demo import make_demo

    try:
        settings = settings_for(root)
        folder = settings.root_path / "demo"
        demo = make_demo(folder, images=images, seed=seed)
        predictions = [f"{model}={file}" for model, file in demo.predictions.items()]
        summary = audit_batch(settings, demo.annotations, demo.images, predictions, BATCH)
    except (SettingsError, AuditFailed, OSError) as error:
        return fail(str(error))
    from label_quality.cli.summary import print_summary

    print_summary(summary)
    _print_planted(settings.root_path, json.loads(demo.planted.read_text("utf-8")))
    return 0


def _print_planted(root: Path, planted: list[dict[str, object]]) -> None:
    """How many of the planted errors stand in the first N findings, N being their number and twice that."""
    from rich.table import Table

    import label_quality
    from label_quality.demo.score import planted_found

    findings = label_quality.open(root).findings(batch=BATCH)
    total = len(planted)
    first, twice = (
        planted_found(findings, planted, n).set_index("error_type") for n in (total, 2 * total)
    )
    table = Table(
        header_style="bold",
        title=f"{total} errors were planted in the demo's labels; found among the first findings of the queue",
        title_justify="left",
    )
    for name in ("error type", "planted", f"first {total}", f"first {2 * total}"):
        table.add_column(name, justify="left" if name == "error type" else "right")
    for kind, row in first.iterrows():
        table.add_row(
            str(kind).replace("_", " "),
            *(str(int(v)) for v in (row["planted"], row["found"], twice.loc[kind, "found"])),
        )
    table.add_section()
    table.add_row("all", str(total), str(int(first["found"].sum())), str(int(twice["found"].sum())))
    console().print(table)
