"""`label-quality rebuild`: the database anew from the manifests."""

from __future__ import annotations

from pathlib import Path

from label_quality.cli.common import SettingsError, fail, settings_for


def run_rebuild(root: Path | None) -> int:
    """Rebuild; returns the exit code."""
    from label_quality.store import Store, StoreError

    try:
        settings = settings_for(root)
        store = Store(settings.root_path, settings)
        if not store.batches():
            return fail(
                f"nothing has been committed under {settings.root}: there is nothing to rebuild from"
            )
        store.rebuild()
    except (SettingsError, StoreError) as error:
        return fail(str(error))
    count = len(store.batches())
    print(f"rebuilt {store.database} from {count} batch{'es' if count > 1 else ''}")
    return 0
