"""`label-quality convert`: a Pascal VOC or YOLO folder becomes COCO, and what to type next."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

from label_quality.cli.common import SettingsError, console, fail, settings_for
from label_quality.formats import IMAGE, LABEL, Conversion, ConvertError, convert

_SHOWN = 10  # refused records that are named on the screen; the file has all


def run_convert(
    folder: Path,
    *,
    form: str,
    split: str | None,
    origin: str,
    output: Path | None,
    root: Path | None,
) -> int:
    """Convert a folder; returns 0 when something came of it, whatever was refused."""
    try:
        name = folder.absolute().name + (f"-{split}" if split else "")
        target = output or settings_for(root).root_path / "converted" / name
        done = convert(folder, target, form=form, split=split, origin=origin)
    except (SettingsError, ConvertError) as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}" if error.strerror else str(error))
    _print(done, root)
    if not done.converted.images:
        return fail(f"every image was refused; {done.refused} says why")
    return 0


def _print(done: Conversion, root: Path | None) -> None:
    from rich.markup import escape

    made, out = done.converted, console()
    refused = Counter(one.record for one in made.refused)
    out.print(
        f"[bold]{made.format}[/]: {made.labels_read:,} labels read, {len(made.annotations):,} kept, {refused[LABEL]:,} refused; "
        f"{made.images_read:,} images read, {len(made.images):,} kept, {refused[IMAGE]:,} refused; {len(made.categories)} categories"
    )
    for note in made.notes:
        out.print(f"Note: {escape(note)}", soft_wrap=True)
    for one in made.refused[:_SHOWN]:
        place = one.file if one.line is None else f"{one.file}:{one.line}"
        out.print(f"[yellow]refused[/] {escape(f'{place}: {one.reason}')}", soft_wrap=True)
    if len(made.refused) > _SHOWN:
        out.print(f"… and {len(made.refused) - _SHOWN:,} more")
    if done.refused:
        out.print(f"All refused records: {escape(str(done.refused))}", soft_wrap=True)
    rooted = f" --root {shlex.quote(str(root))}" if root else ""
    out.print("Audit it, with the results of a model if there are some (--predictions FILE):")
    out.print(
        escape(
            f"  label-quality audit --annotations {shlex.quote(str(done.annotations))} "
            f"--images {shlex.quote(str(done.images))}{rooted}"
        ),
        soft_wrap=True,
    )
