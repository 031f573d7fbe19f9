"""Manifests: which version of every table makes up a batch. Replacing ``batches/<batch>.json`` is the commit.

Whether the versions belong together is decided in ``lineage``; nothing here opens a Parquet file.
"""

from __future__ import annotations

import msgspec

from label_quality.store.files import now
from label_quality.store.names import check_batch
from label_quality.store.shared import Shared

_FOLDER = "batches"
OVERALL = ".overall"  # the results over all batches; no batch name starts with a dot


class Version(msgspec.Struct, frozen=True):
    """One committed state of a batch: table name -> file below the root, and the delivery it came from ("" for none)."""

    run_id: str
    delivery: str
    committed_at: str
    tables: dict[str, str]


class Manifest(msgspec.Struct, frozen=True):
    """The committed state of a batch and the few before it, the latest of them first."""

    batch: str
    run_id: str
    delivery: str
    committed_at: str
    tables: dict[str, str]
    previous: tuple[Version, ...] = ()

    @property
    def version(self) -> Version:
        """The current state without its history."""
        return Version(self.run_id, self.delivery, self.committed_at, self.tables)

    @property
    def versions(self) -> tuple[Version, ...]:
        """The current state and the previous ones, the latest first."""
        return (self.version, *self.previous)


class Manifests:
    """The manifests of one root."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def batches(self) -> list[str]:
        """The names of all batches with a manifest, sorted."""
        names = self._shared.names(f"{_FOLDER}/*.json")
        return sorted(n.removeprefix(f"{_FOLDER}/").removesuffix(".json") for n in names)

    def all(self) -> list[Manifest]:
        """The manifests of all batches, by name."""
        return list(self._shared.read_all(_FOLDER, Manifest).values())

    def get(self, batch: str) -> Manifest | None:
        """The manifest of `batch`, or of `OVERALL`; None when nothing was committed."""
        return self._shared.read(self._file(batch), Manifest)

    def replace(
        self,
        batch: str,
        run_id: str,
        delivery: str,
        tables: dict[str, str],
        keep: int,
        *,
        in_place: bool = False,
    ) -> Manifest:
        """Commit `tables` as the state of `batch`, keeping `keep` states in all. The same state again changes nothing.

        `in_place`: the new state takes the place of the current one, and its time; the earlier ones are kept.
        """
        before = self.get(batch)
        if before is not None and (before.run_id, before.delivery, before.tables) == (
            run_id,
            delivery,
            tables,
        ):
            return before
        at, earlier = now(), before.versions if before else ()
        if before and in_place:
            at, earlier = before.committed_at, before.previous
        manifest = Manifest(batch, run_id, delivery, at, tables, earlier[: max(keep - 1, 0)])
        self._shared.write(self._file(batch), manifest)
        return manifest

    def _file(self, batch: str) -> str:
        return f"{_FOLDER}/{batch if batch == OVERALL else check_batch(batch)}.json"
