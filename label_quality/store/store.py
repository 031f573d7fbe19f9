"""The store object: one root folder and all that lies in it. Every path of the project comes from here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from label_quality.schema import TABLES
from label_quality.settings import Settings
from label_quality.store import instances, publishing
from label_quality.store.accounts import Account, Failure, Failures, accounts
from label_quality.store.calibrations import Calibrations
from label_quality.store.conform import check_written, conform_sql
from label_quality.store.deliveries import Deliveries, Delivery
from label_quality.store.errors import StoreError
from label_quality.store.files import locked, locked_at_once, now
from label_quality.store.lineage import KEY, Lineage, check_belong_together, read_lineage
from label_quality.store.manifests import OVERALL, Manifest, Manifests
from label_quality.store.names import check_batch
from label_quality.store.publishing import Published
from label_quality.store.purging import purge_leftovers, purge_versions
from label_quality.store.reader import DATABASE, Reader
from label_quality.store.runs import BatchRun
from label_quality.store.scan import is_outdated, quoted, show
from label_quality.store.shared import open_shared

if TYPE_CHECKING:
    from upath import UPath

    from label_quality.store.reviews import ReviewLog


class Store:
    """Deliveries, versions of tables, manifests and the published database of one root folder."""

    def __init__(self, root: Path, settings: Settings | None = None) -> None:
        self.root = Path(root).absolute()
        self.settings = settings or Settings()
        self.database = self.root / DATABASE
        self.shared = open_shared(self.root, self.settings.object_store)
        self._deliveries = Deliveries(self.shared, self.settings.object_store or str(self.root))
        self._manifests = Manifests(self.shared)
        self._failures = Failures(self.shared)
        self.calibrations = Calibrations(self.shared)

    def batches(self) -> list[str]:
        """The batches that were committed, sorted by name."""
        return self._manifests.batches()

    def deliver(
        self,
        batch: str,
        annotations: Path | UPath,
        *,
        images: Path | UPath | None = None,
        predictions: Mapping[str, Path | UPath] | Iterable[tuple[str, Path | UPath]] = (),
    ) -> Delivery:
        """Keep the annotation and results files by their content and register them as the delivery of `batch`.

        Images are referenced, never copied. Raises StoreError when a file is missing, a folder stands where a file
        should, a name is not one, or two results files carry one model's name.
        """
        return self._deliveries.deliver(batch, annotations, images, predictions)

    def delivery(self, batch: str) -> Delivery:
        """The latest registered delivery of `batch`; StoreError when there is none."""
        return self._deliveries.current(batch)

    def lock(self, batch: str) -> AbstractContextManager[None]:
        """Hold the batch against every other run, whoever started it; raises BatchBusy at once when it is held."""
        return locked_at_once(self.lock_file(batch), batch)

    def lock_file(self, batch: str) -> Path:
        """The file by which the batch is held."""
        return self.root / "locks" / "batches" / f"{check_batch(batch)}.lock"

    def run(self, batch: str, run_id: str) -> BatchRun:
        """The run `run_id` of `batch`, for one step. Its first call pins the delivery that the run works on."""
        check_batch(batch)
        return BatchRun(
            self.shared, batch, run_id, self.manifest(batch), self._deliveries.pinned(batch, run_id)
        )

    def manifest(self, batch: str) -> Manifest | None:
        """The committed state of `batch`; None when nothing was committed."""
        return self._manifests.get(batch)

    def is_current(self, batch: str) -> bool:
        """Whether the latest delivery of `batch` is what is committed, in tables that this version can read."""
        manifest, delivery = self.manifest(batch), self._deliveries.peek(batch)
        return bool(
            manifest
            and delivery
            and manifest.delivery == delivery.fingerprint
            and not is_outdated(self.shared, manifest)
        )

    def is_published(self, manifest: Manifest) -> bool:
        """Whether the database holds this very state of its batch."""
        try:
            with closing(Reader(self.database)) as reader:
                wanted = [manifest.batch, manifest.run_id, manifest.committed_at]
                found = reader.execute(
                    "from _published where (batch, run_id, committed_at) = (?, ?, ?)", wanted
                )
                return bool(found.fetchall())
        except (FileNotFoundError, StoreError):
            return False

    def accounts(self) -> list[Account]:
        """Every batch that was ever delivered, with what became of its latest delivery, sorted by name."""
        return accounts(self, self._deliveries, self._failures)

    def note_failure(
        self, batch: str, run_id: str, message: str, ended: float | None = None
    ) -> None:
        """Remember that a run of `batch` failed, now or at `ended` (seconds since 1970), for `accounts`.

        A run is noted once; one that ended before the last that was noted is not noted any more.
        """
        delivery = self._deliveries.pin(batch, run_id) or ""
        self._failures.note(batch, Failure(run_id, delivery, now(ended), message))

    def state(self) -> str:
        """A text that changes with every commit and every failure that is noted; "" before the first."""
        # All of them, not the latest: a failure is noted with the time of its end, and commits may have come since.
        committed = [f"{m.batch}@{m.committed_at}" for m in self._committed()]
        failed = [f"{batch}@{f.at}" for batch, f in self._failures.all().items()]
        stamps = "\n".join([*committed, *failed])
        return stamps and hashlib.sha256(stamps.encode()).hexdigest()[:16]

    def commit(self, batch: str, run_id: str) -> Manifest:
        """Make what the run wrote, beside what was committed before, the state of `batch`: one atomic replacement.

        Raises StoreError, and changes nothing, when the tables do not belong together. Hold the batch's lock.
        """
        with locked(self._commit_lock):
            tables, delivery = self._together(batch, run_id, self.manifest(batch))
            keep = self.settings.keep_versions
            return self._manifests.replace(batch, run_id, delivery, tables, keep)

    def derive(
        self, batch: str, run_id: str, write: Callable[[BatchRun], object]
    ) -> Manifest | None:
        """Compute some tables of the committed state of `batch` anew, from others of it: `write` writes them.

        The new state takes the place of the one that it was derived from, which is not kept: labels and predictions are
        the same. Call it from `first` of `write_overall`: so nobody purges what is read. The batch's lock is not needed; where
        a run has committed meanwhile, nothing is changed and None returned.
        """
        before = self.manifest(batch)
        if before is None:
            return None
        write(BatchRun(self.shared, batch, run_id, before, None))
        with locked(self._commit_lock):
            if self.manifest(batch) != before:
                return None
            tables, delivery = self._together(batch, run_id, before)
            keep = self.settings.keep_versions
            return self._manifests.replace(batch, run_id, delivery, tables, keep, in_place=True)

    def inference_folder(self, batch: str) -> Path:
        """Where finished chunks of inference on `batch` are kept until they are no longer true."""
        return self.root / "inference" / check_batch(batch)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection to memory with the limits of the settings; it spills below the root. Close it to free what it holds."""
        return instances.connection(self.settings.duckdb, self._spill)

    def view(
        self,
        con: duckdb.DuckDBPyConnection,
        *tables: str,
        batches: Collection[str] | None = None,
    ) -> None:
        """Create views on `con` over the committed rows of all batches, or of those named; by default of all tables.

        They are the batches that publishing takes: outdated ones are left out, see `Published`.
        """
        found = [m for m in self._committed() if batches is None or m.batch in batches]
        self._view(con, found, tables or [n for n, t in TABLES.items() if t.per_batch])

    def predecessors(self, batch: str, most: int) -> list[str]:
        """The batches that were committed before `batch` came, or all others while it is new: the latest `most`, sorted.

        What counts is when a batch was first delivered, so that a correction is compared with what came before it.
        """
        mine = self._deliveries.peek(batch)
        others = [
            (found.first_seen, m.batch)
            for m in self._committed()
            if m.batch != batch and (found := self._deliveries.peek(m.batch))
            if mine is None or found.first_seen < mine.first_seen
            if not is_outdated(self.shared, m)
        ]
        return sorted(name for _, name in sorted(others)[-most:]) if most else []

    def review_log(self) -> ReviewLog:
        """What people decided: the log that the settings name, else the one in this root."""
        # Here, because SQLAlchemy takes as long to load as all the rest of the store.
        from label_quality.store.reviews import ReviewLog  # noqa: PLC0415

        return ReviewLog.below(self.root, self.settings.review_log_url)

    def publish(self) -> Published:
        """Bring the database in step with all manifests. One at a time; readers of the old file are not disturbed."""
        with locked(self._publish_lock):
            return self._publish(self._committed(), anew=False)

    def rebuild(self) -> Published:
        """Make the database anew from the manifests: the repair command."""
        with locked(self._publish_lock):
            return self._publish(self._committed(), anew=True)

    def write_overall(
        self,
        con: duckdb.DuckDBPyConnection,
        parts: Iterable[Callable[[duckdb.DuckDBPyConnection], Mapping[str, str]]],
        first: Callable[[], object] | None = None,
    ) -> Published:
        """Replace results over all batches, and publish them.

        Each part is called with `con`, which shows the per-batch tables of all batches and the results of the parts before
        it, as views by their names; it returns table -> SELECT for tables that are not per batch. It all works under the
        publish lock, and what is published with the results are the very states that they were computed from. Overall
        tables that no part returns stay as they are. `Published.seconds` includes computing the SELECTs. `first` is called
        under the lock before anything is read, and may `derive`.
        """
        with locked(self._publish_lock):
            if first:
                first()
            committed = self._committed()
            self._view(con, committed, [n for n, t in TABLES.items() if t.per_batch])
            stamp = now().translate({ord(c): None for c in "-:.+"})
            before = self._manifests.get(OVERALL)
            files = {n: f for n, f in (before.tables if before else {}).items() if n in TABLES}
            seconds: dict[str, float] = {}
            for part in parts:
                for name, sql in part(con).items():
                    start = time.perf_counter()
                    files[name] = self._write_overall(con, name, sql, stamp)
                    show(con, TABLES[name], [self.shared.local(files[name])])
                    seconds[name] = time.perf_counter() - start
            keep = self.settings.keep_versions
            self._manifests.replace(OVERALL, stamp, "", files, keep)
            done = self._publish(committed, anew=False)
            both = {n: done.seconds.get(n, 0.0) + s for n, s in seconds.items()}
            return replace(done, seconds={**done.seconds, **both})

    def purge(self, batch: str) -> list[str]:
        """Remove versions that the last `keep_versions` states of `batch` do not name; returns the removed files.

        Hold the batch's lock: what a run has not yet committed is removed as well.
        """
        check_batch(batch)
        with locked(self._publish_lock):  # nobody is reading through an older manifest
            purge_leftovers(self.root)
            purge_versions(self.shared, OVERALL, self._manifests.get(OVERALL))
            return purge_versions(self.shared, batch, self.manifest(batch))

    def _view(
        self, con: duckdb.DuckDBPyConnection, manifests: list[Manifest], tables: Iterable[str]
    ) -> None:
        taken = [m for m in manifests if not is_outdated(self.shared, m)]
        for name in tables:
            show(
                con,
                TABLES[name],
                [self.shared.local(m.tables[name]) for m in taken if name in m.tables],
            )

    def _write_overall(
        self, con: duckdb.DuckDBPyConnection, name: str, sql: str, stamp: str
    ) -> str:
        table = TABLES.get(name)
        if table is None or table.per_batch or table.from_log:
            raise StoreError(f"{name} is not a table over all batches")
        file = f"tables/{name}/{OVERALL}/{stamp}.parquet"
        lineage = quoted(Lineage(name, file).encoded())
        with self.shared.replacing(file) as temporary:
            con.execute(
                f"COPY ({conform_sql(con, table, sql)}) TO {quoted(temporary)} "
                f"(FORMAT parquet, KV_METADATA {{{KEY}: {lineage}}})"
            )
            check_written(temporary, table, None)
        return file

    def _together(
        self, batch: str, run_id: str, before: Manifest | None
    ) -> tuple[dict[str, str], str]:
        """What the run wrote beside what was committed `before`, and the delivery of all of it; StoreError where they are at odds."""
        written = BatchRun(self.shared, batch, run_id, before, None).written()
        if not written:
            raise StoreError(f"run {run_id} wrote no table of batch {batch}")
        tables = {
            t: f for t, f in {**(before.tables if before else {}), **written}.items() if t in TABLES
        }
        lineages = {t: read_lineage(self.shared, t, f) for t, f in tables.items()}
        return tables, check_belong_together(batch, lineages)

    def _committed(self) -> list[Manifest]:
        return self._manifests.all()

    def _publish(self, manifests: list[Manifest], *, anew: bool) -> Published:
        overall = self._manifests.get(OVERALL)
        every = [*manifests, *([overall] if overall else [])]
        with closing(self.review_log()) as log:
            return publishing.publish(
                self._instance, self.shared, self.database, every, log, anew=anew
            )

    def _instance(self) -> duckdb.DuckDBPyConnection:
        return instances.instance(self.settings.duckdb, self._spill)

    @property
    def _spill(self) -> Path:
        return self.root / "spill"

    @property
    def _commit_lock(self) -> Path:
        return self.root / "locks" / "commit.lock"

    @property
    def _publish_lock(self) -> Path:
        return self.root / "locks" / "publish.lock"
