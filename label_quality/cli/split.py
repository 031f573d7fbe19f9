"""`label-quality split`: one huge COCO file, and results files with it, cut into batches for the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from label_quality.cli.common import SettingsError, fail, settings_for


def run_split(
    file: Path,
    *,
    images_per_batch: int,
    predictions: Sequence[str],
    images: Path | None,
    output: Path | None,
    root: Path | None,
) -> int:
    """Write the batches; returns the exit code."""
    from label_quality.cli.audit import default_batch, models
    from label_quality.coco import UnreadableFile
    from label_quality.coco.split import split
    from label_quality.store import StoreError, batch_name
    from label_quality.store.names import check_model

    try:
        target = output or settings_for(root).inbox_path
        if not isinstance(target, Path):
            return fail(
                f"the inbox {target} is on an object store: name a folder with --output, and copy it there"
            )
        named = {check_model(model): path for model, path in models(predictions)}
        if len(named) < len(predictions):
            return fail("two results files are given for one model: name them, MODEL=FILE")
        if images is not None and not images.is_dir():
            return fail(f"the image folder {images} is not there")
        cut = split(
            file,
            target,
            batch_name(default_batch(file)),
            images_per_batch,
            predictions=named,
            images=images,
        )
    except (SettingsError, StoreError, UnreadableFile) as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or file}: {error.strerror}" if error.strerror else str(error))
    print(
        f"{len(cut.folders)} batches in {target}: {cut.images:,} images, {cut.annotations:,} labels"
        + "".join(f", {n:,} predictions of {model}" for model, n in cut.predictions.items())
    )
    if cut.orphans:
        print(
            f"{cut.orphans:,} records are of images that the file does not have: they are in the last batch"
        )
    return 0
