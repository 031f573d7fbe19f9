"""What a version of a table was computed from, written into the Parquet file itself, and whether versions belong together.

A set of versions belongs together when every one of them was computed from exactly the versions of the others that
the set names, and when all that came out of one part of a delivery came out of the same one.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pyarrow.parquet as pq

from label_quality.schema import TABLES
from label_quality.store.deliveries import fingerprint
from label_quality.store.errors import StoreError
from label_quality.store.shared import Shared

KEY = "label_quality"
ABSENT = ""  # a table was read, and there was none

# The groups of tables that are read from a delivery, and the part of it that they are read from.
_PARTS = {"ingest": "labels", "predictions": "results"}
_PART_WORDS = {"labels": "annotation file or image folder", "results": "results files"}


class Lineage(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pedigree of one version: its own file below the root, the parts of the delivery, and what was read.

    `reads` maps a table to the versions of it that were read; `ABSENT` stands for "there was none". `rows` and `link`,
    whether the bytes are those of another table, are known once the version is read.
    """

    table: str
    file: str
    labels: str = ""
    results: str = ""
    reads: dict[str, list[str]] = {}
    rows: int = 0
    link: bool = False

    def encoded(self) -> str:
        """The text that is kept under `KEY` in the Parquet file's key-value metadata."""
        return msgspec.json.encode(self).decode()


def read_lineage(shared: Shared, table: str, file: str) -> Lineage:
    """The pedigree of the version `file` of `table`. Raises StoreError when the file is not there or has none."""
    path = shared.local(file)
    try:
        footer = pq.read_metadata(path)
        text = (footer.metadata or {})[KEY.encode()]
        found = msgspec.json.decode(text, type=Lineage)
    except FileNotFoundError:
        raise StoreError(
            f"{path} is not there, though it is named as a version of {table}; audit the batch again"
        ) from None
    except (KeyError, msgspec.DecodeError, OSError, ValueError) as error:
        raise StoreError(f"{path} was not written by the store: {error}") from error
    rows, reads, link = int(footer.num_rows), found.reads, found.file != file
    if link:  # the same bytes as another version, which it was computed from
        reads = {**reads, found.table: [*reads.get(found.table, []), found.file]}
    return msgspec.structs.replace(found, table=table, file=file, reads=reads, rows=rows, link=link)


def check_belong_together(batch: str, versions: Mapping[str, Lineage]) -> str:
    """Raise StoreError unless the versions belong together; returns the fingerprint of their delivery ("" for none)."""
    stale = {
        table: source
        for table, lineage in versions.items()
        for source, read in lineage.reads.items()
        if source != table
        and any(r != (versions[source].file if source in versions else ABSENT) for r in read)
    }
    # A link cannot say that the union's other sources had no rows when it was made: they must have none now.
    stale |= {
        table: source
        for table, lineage in versions.items()
        if lineage.link
        for source in TABLES[table].union_of
        if source not in lineage.reads and source in versions and versions[source].rows
    }
    if stale:
        pairs = ", ".join(f"{t} (from {s})" for t, s in sorted(stale.items()))
        raise StoreError(
            f"batch {batch} is not committed, because these tables were computed from another version of their "
            f"source than the one to be committed: {pairs}; run them again, or the whole batch"
        )
    parts = {part: _one_part(batch, part, versions) for part in _PART_WORDS}
    return fingerprint(parts["labels"], parts["results"]) if any(parts.values()) else ""


def _one_part(batch: str, part: str, versions: Mapping[str, Lineage]) -> str:
    of_part = {
        t: getattr(v, part) for t, v in versions.items() if _PARTS.get(TABLES[t].group) == part
    }
    found = sorted(set(of_part.values()))
    if len(found) > 1:
        groups = " beside ".join(
            ", ".join(sorted(t for t, p in of_part.items() if p == f)) for f in found
        )
        raise StoreError(
            f"batch {batch} is not committed, because its {_PART_WORDS[part]} changed between the making of these "
            f"tables: {groups}; run the whole batch"
        )
    return found[0] if found else ""
