"""Every delivery is accounted for: what became of the latest one of each batch that was ever delivered.

It is put together from the register of deliveries, the manifests, the runs' locks and a note that a failed run leaves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from label_quality.schema import TABLES
from label_quality.store.errors import StoreError
from label_quality.store.files import is_held
from label_quality.store.names import check_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from label_quality.store.deliveries import Deliveries, Registered
    from label_quality.store.manifests import Manifest
    from label_quality.store.shared import Shared
    from label_quality.store.store import Store

_FOLDER = "deliveries/failures"
PUBLISHED, RUNNING, FAILED, WAITING = "published", "running", "failed", "waiting"
_COUNTS = """
select b.batch, b.images_kept as images, b.annotations_kept as labels, coalesce(p.kept, 0) as predictions,
       b.images_quarantined + b.categories_quarantined + b.annotations_quarantined
         + coalesce(p.quarantined, 0) as quarantined,
       coalesce(f.findings, 0) as findings
from batches b left join (
  select batch, sum(predictions_kept)::bigint as kept, sum(predictions_quarantined)::bigint as quarantined
  from models group by batch
) p using (batch) left join (select batch, count(*) as findings from findings group by batch) f using (batch)
"""


@dataclass(frozen=True)
class Account:
    """One batch. The columns are those of the table ``deliveries``; counts are None before its first publication."""

    batch: str
    fingerprint: str | None
    first_seen: datetime | None
    delivered_at: datetime | None
    deliveries: int
    state: str
    images: int | None = None
    labels: int | None = None
    predictions: int | None = None
    quarantined: int | None = None
    findings: int | None = None
    last_run: str | None = None
    last_run_at: datetime | None = None
    message: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """The last run of a batch that failed: the delivery it worked on ("" where it could not even be taken), and why."""

    run_id: str
    delivery: str
    at: str
    message: str


class Failures:
    """The notes of failed runs of one root, one for each batch."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def note(self, batch: str, failure: Failure) -> None:
        """Put the failure down, unless the same run's or a later one is there."""
        known = self.get(batch)
        if not known or (known.run_id != failure.run_id and known.at < failure.at):
            self._shared.write(self._file(batch), failure)

    def get(self, batch: str) -> Failure | None:
        """The last failure of `batch`."""
        return self._shared.read(self._file(batch), Failure)

    def all(self) -> dict[str, Failure]:
        """The last failure of every batch that ever had one."""
        return self._shared.read_all(_FOLDER, Failure)

    def _file(self, batch: str) -> str:
        return f"{_FOLDER}/{check_batch(batch)}.json"


def accounts(store: Store, deliveries: Deliveries, failures: Failures) -> list[Account]:
    """See `Store.accounts`."""
    failed, counts = failures.all(), _counts(store)
    return [
        _account(
            batch,
            deliveries.peek(batch),
            store.manifest(batch),
            failed.get(batch),
            counts.get(batch, {}),
            published=store.is_published,
            running=is_held(store.lock_file(batch)),
        )
        for batch in sorted({*deliveries.batches(), *store.batches(), *failed})
    ]


def accounts_table(found: list[Account]) -> pa.Table:
    """The accounts as rows of the table ``deliveries``."""
    return pa.Table.from_pylist(
        [asdict(account) for account in found], schema=TABLES["deliveries"].arrow_schema()
    )


def _account(
    batch: str,
    delivered: Registered | None,
    manifest: Manifest | None,
    failure: Failure | None,
    counts: Mapping[str, int],
    *,
    published: Callable[[Manifest], bool],
    running: bool,
) -> Account:
    committed, failed = (manifest.committed_at if manifest else ""), (failure.at if failure else "")
    at = max(committed, failed)
    last = failure if failed > committed else manifest
    return Account(
        batch=batch,
        fingerprint=delivered.fingerprint if delivered else None,
        first_seen=_time(delivered.first_seen) if delivered else None,
        delivered_at=_time(delivered.delivered_at) if delivered else None,
        deliveries=delivered.deliveries if delivered else 0,
        state=RUNNING if running else _state(delivered, manifest, failure, published),
        **counts,
        last_run=last.run_id if last else None,
        last_run_at=_time(at) if at else None,
        message=failure.message if failure and last is failure else None,
    )


def _state(
    delivered: Registered | None,
    manifest: Manifest | None,
    failure: Failure | None,
    published: Callable[[Manifest], bool],
) -> str:
    """What became of the latest delivery; one that could not even be taken counts as the latest when it is."""
    if failure and not failure.delivery and (not delivered or failure.at > delivered.delivered_at):
        return FAILED
    current = delivered.fingerprint if delivered else ""
    if manifest and manifest.delivery == current:
        # A run that failed after it had committed failed in publishing; another run may have done that since.
        in_doubt = failure is not None and failure.run_id == manifest.run_id
        return FAILED if in_doubt and not published(manifest) else PUBLISHED
    return FAILED if failure and failure.delivery == current else WAITING


def _counts(store: Store) -> dict[str, dict[str, int]]:
    """The counts of the committed state of each batch."""
    with store.connect() as con:
        store.view(con, "batches", "models", "findings")
        rows = con.sql(_COUNTS).to_arrow_table().to_pylist()
    return {row.pop("batch"): row for row in rows}


def _time(text: str) -> datetime:
    """The time in UTC without its zone, as DuckDB's TIMESTAMP has it."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise StoreError(f"{text!r} is not a time") from None
