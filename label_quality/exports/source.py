"""What exporters are given: the published tables with the log's verdicts as they are now, and the delivered files.

No format is known here, and nothing is decided: see ``fixes``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow.compute as pc

from label_quality.coco.document import Document
from label_quality.reviews import attach
from label_quality.schema import TABLES
from label_quality.store import Reader, Store, StoreError, published_database
from label_quality.store.reader import published_files
from label_quality.store.scan import show

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Select = Literal["relabel", "queue"]
Row = dict[str, Any]


@dataclass
class Source:
    """What to export.

    Attributes:
        store: the root that it comes from.
        con: shows the published tables, ``_verdicts`` and ``_tags`` (see ``reviews.attach``) of the log as it is now,
            ``prediction_masks`` and ``annotation_masks``; it is this export's own, and may be given temporary tables.
        batches: the batches that were asked for.
        last: number of the log's last entry that was read.
        select: what goes to annotators: what reviewers sent to relabelling, or what nobody has decided.
        limit: the most findings of the queue.
        image_url: what stands in front of file names in tasks.
    """

    store: Store
    con: duckdb.DuckDBPyConnection
    batches: list[str]
    last: int
    select: Select = "relabel"
    limit: int = 500
    image_url: str = ""

    def rows(self, sql: str, *values: object) -> list[Row]:
        """The rows of a query as dictionaries."""
        cursor = self.con.execute(sql, list(values))
        names = [d[0] for d in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def delivered(self, batch: str) -> Iterator[Document]:
        """The annotation file that the published tables of `batch` were read from. StoreError when it is gone."""
        (row,) = self.rows("select file, sha256 from batches where batch = ?", batch)
        path = self.store.shared.local(f"deliveries/{row['sha256']}.json")
        if not path.is_file():
            raise StoreError(
                f"deliveries/{path.name}, the annotation file of batch {batch} as it was delivered, is not there"
            )
        with Document(path, row["file"]) as document:
            yield document

    def images(self, batch: str) -> Path | None:
        """The folder of the batch's images; None where it came without or is no longer registered."""
        try:
            return self.store.delivery(batch).images
        except StoreError:
            return None


@contextmanager
def open_source(
    store: Store,
    batches: Sequence[str] = (),
    *,
    author: str | None = None,
    select: Select = "relabel",
    limit: int = 500,
    image_url: str = "",
) -> Iterator[Source]:
    """Open what was published under the store's root; without `batches`, all of them. `author`: only this one's decisions.

    Raises FileNotFoundError when nothing was published, StoreError for a batch that was not, and for an author who has
    decided nothing.
    """
    memory = store.settings.duckdb.memory_limit
    with closing(Reader(published_database(store.root), memory)) as reader:
        con = reader.connection()
        with closing(store.review_log()) as log:
            entries = _of(log.entries(), author)
        known = [b for (b,) in con.execute("select batch from batches order by 1").fetchall()]
        for batch in batches:
            if batch not in known:
                raise StoreError(
                    f"no batch {batch} has been published; these are: {', '.join(known)}"
                )
        for table in ("prediction_masks", "annotation_masks"):
            show(con, TABLES[table], published_files(con, store.shared, table))
        attach(con, entries)
        last = int(entries["seq"][-1].as_py()) if len(entries) else 0
        yield Source(store, con, list(batches) or known, last, select, limit, image_url)
        con.close()


def _of(entries: pa.Table, author: str | None) -> pa.Table:
    if author is None:
        return entries
    own = entries.filter(pc.equal(entries["author"], author))
    if not len(own):
        raise StoreError(f"{author!r} has decided nothing")
    return own
