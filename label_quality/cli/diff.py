"""`label-quality diff`: two COCO files, or two versions of a batch, compared. The comparing is done in ``label_quality.diff``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_quality.cli.common import SettingsError, console, fail, settings_for

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.diff import Side, Summary
    from label_quality.store import Store, Version

_ORDER = "order by file_name, change, coalesce(new_annotation_id, old_annotation_id)"
_SHOWN = 40
_WIDE = 160


def run_diff(old: str, new: str | None, root: Path | None, form: str) -> int:
    """Print what differs; returns the exit code: 0 when nothing does, 1 when something does, 2 for a mistake."""
    from label_quality.coco import UnreadableFile
    from label_quality.diff import compare, scratch_connection
    from label_quality.store import Store, StoreError

    try:
        settings = settings_for(root)
        store = Store(settings.root_path, settings)
        with scratch_connection(settings) as (con, scratch):
            if new is None:
                old, new = _last_two(store, old)
            sides = [
                _load(con, side, name, store, scratch)
                for side, name in (("old", old), ("new", new))
            ]
            summary = compare(con, *sides)
            {"table": _print, "json": _json, "csv": _csv}[form](con, summary)
    except (SettingsError, StoreError, UnreadableFile, OSError) as error:
        return fail(str(error))
    counts = summary.counts
    return int(any(counts[k] for k in ("added", "removed", "changed")))


def _load(con: DuckDBPyConnection, side: str, name: str, store: Store, scratch: Path) -> Side:
    from label_quality.diff import load_file, load_version
    from label_quality.store import StoreError

    if Path(name).is_file():
        return load_file(con, side, Path(name), scratch)
    batch, _, back = name.partition("@")
    versions = _versions(store, batch)
    if not versions:
        raise StoreError(f"{name} is neither a file nor a published batch of {store.root}")
    if back and not (back.isdigit() and int(back) < len(versions)):
        raise StoreError(
            f"{name}: {batch} has {len(versions)} kept version(s), {batch}@0 (the current one) "
            f"to {batch}@{len(versions) - 1}"
        )
    version = versions[int(back or 0)]
    return load_version(con, side, store.shared, version, f"{name} ({version.committed_at[:19]})")


def _versions(store: Store, batch: str) -> tuple[Version, ...]:
    from label_quality.store.names import is_batch_name

    manifest = store.manifest(batch) if is_batch_name(batch) else None
    return manifest.versions if manifest else ()


def _last_two(store: Store, batch: str) -> tuple[str, str]:
    """The current version of a batch and the latest one that came from another delivery."""
    from label_quality.store import StoreError

    versions = _versions(store, batch)
    for back, version in enumerate(versions):
        if version.delivery != versions[0].delivery:
            return f"{batch}@{back}", batch
    if versions:
        raise StoreError(f"only one delivery of {batch} is kept: there is nothing to compare with")
    raise StoreError(
        f"{batch} is no published batch of {store.root}; two files are compared by both"
    )


def _json(con: DuckDBPyConnection, summary: Summary) -> None:
    changes = con.sql(f"select * from changes {_ORDER}").to_arrow_table().to_pylist()
    print(json.dumps(asdict(summary) | {"changes": changes}, indent=1, ensure_ascii=False))


def _csv(con: DuckDBPyConnection, _: Summary) -> None:
    # Row by row through pandas, as `label-quality sql` does: DuckDB cannot write to Python's standard output.
    con.sql(f"select * from changes {_ORDER}").df().to_csv(sys.stdout, index=False)


def _print(con: DuckDBPyConnection, summary: Summary) -> None:
    from rich.text import Text

    out, counts = console(_WIDE), summary.counts
    for word, side in (("old", summary.old), ("new", summary.new)):
        skipped = (
            f"; {side.not_taken:,} records not readable, not compared" if side.not_taken else ""
        )
        images, labels = counts[f"{word}_images"], counts[f"{word}_labels"]
        out.print(Text(f"{word}: {side.name}: {labels:,} labels in {images:,} images{skipped}"))
    if counts["images_added"] or counts["images_removed"]:
        out.print(f"images: {counts['images_added']:,} added, {counts['images_removed']:,} removed")
    if counts["renumbered"]:
        out.print(f"{counts['renumbered']:,} labels have another id and were found by their place")
    out.print(
        f"labels: {counts['unchanged']:,} unchanged, {counts['added']:,} added, {counts['removed']:,} removed, "
        f"{counts['changed']:,} changed (class {counts['reclassed']:,}, box {counts['moved']:,}, "
        f"mask {counts['mask_changed']:,}, crowd {counts['crowd_changed']:,})"
    )
    _print_audit(out, summary)
    _print_changes(out, con, counts["added"] + counts["removed"] + counts["changed"])


def _print_audit(out: Any, summary: Summary) -> None:
    from rich.table import Table

    if not summary.rates:
        return
    findings = {row["error_type"]: row for row in summary.findings}
    table = Table(header_style="bold", title="Error rates and findings", title_justify="left")
    for name in ("error type", "rate before", "rate after", "fixed", "new", "remaining"):
        table.add_column(name, justify="left" if name == "error type" else "right")
    for row in summary.rates:
        found = findings.get(row["error_type"], {})
        numbers = [f"{found[k]:,}" if found else "" for k in ("fixed", "new", "remaining")]
        rates = ["" if (r := row[k]) is None else f"{r:.2%}" for k in ("old_rate", "new_rate")]
        table.add_row(row["error_type"].replace("_", " "), *rates, *numbers)
    out.print(table)


def _print_changes(out: Any, con: DuckDBPyConnection, total: int) -> None:
    from rich.table import Table
    from rich.text import Text

    if not total:
        return
    table = Table(header_style="bold")
    for name in (
        "image",
        "change",
        "old id",
        "new id",
        "old class",
        "new class",
        "box IoU",
        "mask IoU",
    ):
        table.add_column(name, justify="right" if name.endswith(("id", "IoU")) else "left")
    rows = con.execute(
        f"""select file_name, case when change = 'changed' then array_to_string(list_filter([
              case when reclassed then 'class' end, case when moved then 'box' end,
              case when mask_changed then 'mask' end, case when crowd_changed then 'crowd' end
            ], lambda w: w is not null), ', ') else change end, old_annotation_id, new_annotation_id,
            old_category, new_category, round(box_iou, 3), round(mask_iou, 3) from changes {_ORDER} limit {_SHOWN}"""
    ).fetchall()
    for row in rows:
        table.add_row(*(Text("" if v is None else str(v)) for v in row))
    out.print(table)
    if total > _SHOWN:
        out.print(f"… and {total - _SHOWN:,} more: --format csv or json has all of them")
