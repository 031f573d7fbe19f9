"""What assets are given: the store of one root. A run of a batch holds that batch's lock from its first step to its last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import dagster as dg

from label_quality.settings import Settings, load_settings
from label_quality.store import Store, StoreError

if TYPE_CHECKING:
    from dagster import InitResourceContext

BATCHES = dg.DynamicPartitionsDefinition(name="batch")
PARTITION_TAG = "dagster/partition"
INBOX_TAG = "label_quality/inbox"


class StoreResource(dg.ConfigurableResource["StoreResource"]):
    """The store below `root`; empty: the root of the settings (``LABEL_QUALITY_ROOT``, else the settings file)."""

    root: str = ""

    @property
    def settings(self) -> Settings:
        """The settings for this root, read anew for each run, so that a changed limit counts at once."""
        return load_settings(self.root or None)

    def open(self) -> Store:
        """The store."""
        settings = self.settings
        return Store(settings.root_path, settings)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[StoreResource]:
        """Hold the batch's lock while a run (or, with several processes, a step) of the batch goes on."""
        batch = context.run.tags.get(PARTITION_TAG) if context.run else None
        try:
            lock = self.open().lock(batch) if batch else nullcontext()
            with lock:
                yield self
        except StoreError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
