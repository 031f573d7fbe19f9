"""What every asset of a batch does alike: open the run and a connection, tell how far it is, turn mistakes into sentences."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from label_quality.assets.metadata import column_schema
from label_quality.assets.resources import BATCHES, INBOX_TAG
from label_quality.coco import UnreadableFile
from label_quality.inbox import find_delivery
from label_quality.schema import TABLES
from label_quality.settings import SettingsError
from label_quality.store import Store, StoreError

if TYPE_CHECKING:
    import duckdb

    from label_quality.assets.resources import StoreResource
    from label_quality.store import BatchRun

OWNERS = ["team:data-quality"]
CODE_VERSION = "1"
# Where several machines work, these steps are done by the one that has the database, one after another.
BESIDE_THE_DATABASE = {"dagster-celery/queue": "publish"}

# The command line listens here; in the Dagster UI the same lines stand in the run's log.
listeners: list[Callable[[str], None]] = []


@dataclass
class Step:
    """One step of one batch: its run, its connection, its clock."""

    batch: str
    run: BatchRun
    store: Store
    con: duckdb.DuckDBPyConnection
    context: dg.AssetExecutionContext
    _start: float = field(default_factory=time.perf_counter)

    def say(self, text: str) -> None:
        """Tell whoever listens how far this step is."""
        tell(self.context, text)

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return round(time.perf_counter() - self._start, 3)

    def result(
        self,
        table: str,
        rows: int,
        metadata: Mapping[str, Any] | None = None,
        checks: list[dg.AssetCheckResult] | None = None,
    ) -> dg.MaterializeResult[Any]:
        """The materialisation of `table`: rows, seconds since the step began, and what the asset adds."""
        return dg.MaterializeResult(
            asset_key=table,
            metadata={"dagster/row_count": rows, "seconds": self.seconds, **(metadata or {})},
            check_results=checks or [],
        )


def tell(context: dg.AssetExecutionContext, text: str) -> None:
    """Say how far a run is: in its log, and to the command line."""
    context.log.info(text)
    for listen in listeners:
        listen(text)


@contextmanager
def step(context: dg.AssetExecutionContext, resource: StoreResource) -> Iterator[Step]:
    """Open a step. What is the user's mistake, or the store's, ends the run with one sentence."""
    with noted(context, resource), one_sentence():
        store = resource.open()
        run = store.run(context.partition_key, context.run.run_id)
        with store.connect() as con:
            yield Step(context.partition_key, run, store, con, context)


@contextmanager
def noted(context: dg.AssetExecutionContext, resource: StoreResource) -> Iterator[None]:
    """Whatever makes the run fail in the block is put down in the store, for the account of its batch."""
    try:
        yield
    except Exception as error:
        message = str(error.description) if isinstance(error, dg.Failure) else repr(error)
        if not resource.refused:
            # A disk that is full, or settings that are wrong, must not hide the failure itself.
            with suppress(StoreError, SettingsError, OSError):
                resource.open().note_failure(context.partition_key, context.run.run_id, message)
        raise


def take_from_inbox(context: dg.AssetExecutionContext, resource: StoreResource) -> None:
    """A run that the sensor asked for takes the delivery out of the inbox; others find it registered."""
    folder = context.run.tags.get(INBOX_TAG)
    if not folder:
        return
    with noted(context, resource), one_sentence():
        opened = resource.open()
        found = find_delivery(opened.settings.inbox_path / Path(folder).name)
        if isinstance(found, str):
            raise StoreError(f"the delivery {folder} of the inbox cannot be taken: {found}")
        opened.deliver(
            context.partition_key,
            found.annotations,
            images=found.images,
            predictions=found.predictions,
        )


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turns errors that are told in one clear sentence into a failure that shows it, and nothing of what is inside."""
    try:
        yield
    except (UnreadableFile, StoreError, SettingsError) as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def table_spec(table: str, deps: list[str]) -> dg.AssetSpec:
    """The spec of the asset that writes `table`: what the schema says of it."""
    entry = TABLES[table]
    return dg.AssetSpec(
        table,
        deps=deps,
        description=entry.description,
        group_name=entry.group,
        kinds={"duckdb" if entry.published else "parquet"},
        owners=OWNERS,
        code_version=CODE_VERSION,
        metadata={"dagster/column_schema": column_schema(entry)},
        partitions_def=BATCHES if entry.per_batch else None,
    )
