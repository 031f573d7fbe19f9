"""`label-quality infer`: run models on a batch, and audit it with what they say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.cli.audit import AuditFailed, run_batch
from label_quality.cli.common import SettingsError, dagster_home, fail, settings_for

if TYPE_CHECKING:
    from label_quality.settings import Settings

_DEFAULT = "maskrcnn_resnet50_fpn_v2"


def run_infer(batch: str, *, models: Sequence[str] = (), root: Path | None = None) -> int:
    """Run `models` (else those of the settings, else torchvision's Mask R-CNN) on a batch; returns the exit code.

    The time to expect is said once a few images have shown how fast this device is. What is finished when the command is
    interrupted is taken up by the next one.
    """
    from label_quality.inference.errors import ModelAbsent
    from label_quality.inference.loading import require_libraries, weights_of
    from label_quality.inference.model_file import find_model
    from label_quality.settings import MODELS_VARIABLE
    from label_quality.store import StoreError

    try:
        settings = settings_for(root)
        chosen = tuple(models) or settings.inference.models or (_DEFAULT,)
        require_libraries()
        for name in chosen:
            weights_of(find_model(name, settings))
        _deliver(settings, batch)
        os.environ[MODELS_VARIABLE] = ",".join(chosen)
        summary = run_batch(settings_for(root), batch, dagster_home(settings))
    except (SettingsError, StoreError, AuditFailed, ModelAbsent) as error:
        return fail(str(error))
    from label_quality.cli.summary import print_summary

    print_summary(summary)
    if chosen != settings.inference.models:
        named = ", ".join(f'"{name}"' for name in chosen)
        print(
            f"Later audits run them too if label_quality.toml says: [inference] models = [{named}]"
        )
    return summary.exit_code


def _deliver(settings: Settings, batch: str) -> None:
    """Register what lies in the inbox under this name, unless the batch was delivered before."""
    from label_quality.inbox import find_delivery
    from label_quality.store import Store, StoreError

    store = Store(settings.root_path, settings)
    folder = settings.inbox_path / batch
    try:
        delivery = store.delivery(batch)
    except StoreError:
        if not folder.is_dir():
            raise StoreError(
                f"there is no batch {batch}: neither was it audited before, nor is there {folder}"
            ) from None
        found = find_delivery(folder)
        if isinstance(found, str):
            raise StoreError(f"{folder} is no batch: {found}") from None
        with store.lock(batch):
            delivery = store.deliver(
                batch, found.annotations, images=found.images, predictions=found.predictions
            )
    if delivery.image_place is None:
        raise StoreError(f"batch {batch} came without images: there is nothing to run a model on")
