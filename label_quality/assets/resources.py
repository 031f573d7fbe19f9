"""What assets are given: the store of one root. A run of a batch holds that batch's lock from its first step to its last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from label_quality.assets.alive import PARTITION_TAG, at_work
from label_quality.settings import Settings, SettingsError, load_settings
from label_quality.store import Store, StoreError

if TYPE_CHECKING:
    from dagster import InitResourceContext

BATCHES = dg.DynamicPartitionsDefinition(name="batch")
INBOX_TAG = "label_quality/inbox"
# Set by an executor that holds a run's locks for its steps: the run's id, and behind it why it was refused them, if it was.
HELD_TAG = "label_quality/held_for"


class StoreResource(dg.ConfigurableResource["StoreResource"]):
    """The store below `root`; empty: the root of the settings (``LABEL_QUALITY_ROOT``, else the settings file)."""

    root: str = ""
    _refusal: str = PrivateAttr("")

    @property
    def settings(self) -> Settings:
        """The settings for this root, read anew for each run, so that a changed limit counts at once."""
        return load_settings(self.root or None)

    @property
    def refused(self) -> bool:
        """Whether this run is not allowed to work, because another one has its batch."""
        return bool(self._refusal)

    def open(self) -> Store:
        """The store. Raises StoreError when the run was refused, SettingsError when the settings are wrong."""
        if self._refusal:
            raise StoreError(self._refusal)
        settings = self.settings
        return Store(settings.root_path, settings)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[StoreResource]:
        """Hold the batch's lock while a run of the batch goes on, unless the executor does.

        A run that is refused is told so by its first step: an error here would be shown as a traceback of Dagster's.
        """
        run = context.run
        told = run.tags.get(HELD_TAG, "") if run else ""
        if run and told.startswith(run.run_id):
            refusal = told.removeprefix(run.run_id).strip()
            yield self._refusing(refusal) if refusal else self
            return
        with ExitStack() as held:
            try:
                if run:
                    held.enter_context(at_work(self.settings.root_path, run.run_id))
                if run and (batch := run.tags.get(PARTITION_TAG)):
                    held.enter_context(self.open().lock(batch))
            except (StoreError, SettingsError, OSError) as error:
                yield self._refusing(str(error))
                return
            yield self

    def _refusing(self, why: str) -> StoreResource:
        made = StoreResource(root=self.root)
        made._refusal = why
        return made
