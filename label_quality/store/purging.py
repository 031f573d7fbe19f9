"""Removing what nobody reads any more: versions that no kept manifest names, and what killed processes left.

Deliveries stay: they are the users' own bytes, and an export starts from them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from label_quality.store.files import TEMPORARY, is_alive
from label_quality.store.manifests import Manifest
from label_quality.store.shared import Shared

# The process in a name that `files.scratch_name` or `files.temporary_name` has made.
_OWNER = re.compile(r"(?:^|\.)(\d+)-[0-9a-f]+(?:\.\w+)*$")


def purge_versions(shared: Shared, batch: str, manifest: Manifest | None) -> list[str]:
    """Remove the version files of `batch` that none of its kept states names; returns them. Hold the batch's lock."""
    named = {f for v in (manifest.versions if manifest else ()) for f in v.tables.values()}
    gone = [name for name in shared.names(f"tables/*/{batch}/*.parquet") if name not in named]
    for name in gone:
        shared.remove(name)
    return [*gone, *shared.remove_leftovers(f"tables/*/{batch}")]


def purge_leftovers(root: Path) -> None:
    """Remove scratch files, spill folders and files half written of processes that are no more."""
    half = (f"{folder}/.*{TEMPORARY}" for folder in ("deliveries", "deliveries/*", "batches"))
    for pattern in ("spill/*", "readers/*", *half):
        for path in root.glob(pattern):
            owner = _OWNER.search(path.name)
            if owner and not is_alive(int(owner[1])):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
