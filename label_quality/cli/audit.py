"""`label-quality audit`: register the batch, run the two jobs, say what came out."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.cli.common import SettingsError, dagster_home, fail, settings_for

if TYPE_CHECKING:
    from label_quality.cli.summary import Summary
    from label_quality.settings import Settings

_EXECUTE = "label_quality.cli.execute"
# File names that say nothing about the batch: its folder's name says more.
_GENERIC = {"annotations", "instances", "labels", "coco", "_annotations.coco", "result"}


def run_audit(
    annotations: Path,
    *,
    images: Path | None = None,
    predictions: Sequence[str] = (),
    batch: str | None = None,
    root: Path | None = None,
    json_file: Path | None = None,
    junit_file: Path | None = None,
) -> int:
    """Audit one batch; returns the exit code."""
    try:
        settings = settings_for(root)
        summary = audit_batch(settings, annotations, images, predictions, batch)
    except (SettingsError, AuditFailed) as error:
        return fail(str(error))
    from label_quality.cli.summary import print_summary, write_json, write_junit

    try:
        if json_file:
            write_json(summary, json_file)
        if junit_file:
            write_junit(summary, junit_file)
    except OSError as error:
        return fail(f"the summary could not be written: {error}")
    print_summary(summary)
    return summary.exit_code


class AuditFailed(Exception):
    """A batch that could not be audited; the message is for the user."""


def audit_batch(
    settings: Settings,
    annotations: Path,
    images: Path | None,
    predictions: Sequence[str],
    batch: str | None,
) -> Summary:
    """Register the delivery, run `audit_batch` and `refresh`, read back what was published."""
    from label_quality.store import Store, StoreError, batch_name

    # Dagster takes a second to import, and large files as long to copy and hash: the one does not wait for the other.
    threading.Thread(target=importlib.import_module, args=[_EXECUTE], daemon=True).start()
    try:
        name = batch_name(batch or default_batch(annotations))
        store = Store(settings.root_path, settings)
        with store.lock(
            name
        ):  # a batch that is being audited is refused before anything is registered
            store.deliver(name, annotations, images=images, predictions=models(predictions))
        home = dagster_home(settings)
    except StoreError as error:
        raise AuditFailed(str(error)) from error
    except OSError as error:
        raise AuditFailed(f"{error.filename}: {error.strerror}") from error
    return run_batch(settings, name, home)


def run_batch(settings: Settings, name: str, home: Path) -> Summary:
    """Run `audit_batch` and `refresh` for a delivered batch, and read back what was published. Raises AuditFailed."""
    from label_quality.cli.execute import run_jobs
    from label_quality.cli.summary import summarise

    run = run_jobs(settings, name)
    if run.failure:
        raise AuditFailed(f"batch {name} could not be audited: {run.failure}")
    return summarise(settings, name, run, home)


def default_batch(annotations: Path) -> str:
    """The file's stem, or its folder's name where the stem is one that every such file has."""
    stem = annotations.name.removesuffix(".json")
    if stem.lower() not in _GENERIC:
        return stem
    return annotations.absolute().parent.name or stem


def models(predictions: Sequence[str]) -> list[tuple[str, Path]]:
    """``[MODEL=]FILE`` as pairs; the model's name is the file's stem where none is given."""
    pairs = []
    for text in predictions:
        name, equals, file = text.partition("=")
        if equals and name and not Path(text).exists():
            pairs.append((name, Path(file)))
        else:
            pairs.append((Path(text).stem, Path(text)))
    return pairs
