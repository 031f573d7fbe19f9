"""A reader for processes that keep the published database open for long. Writes nothing.

DuckDB caches a database by its path inside a process: after a publish put a new file in place, ``connect(path)`` still
returns the old one while any connection to it is open. So each file is opened under a name of its own, a hard link that
is removed once DuckDB holds the file; connections to an old file stay good until they are closed.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from label_quality.store.errors import StoreError
from label_quality.store.files import scratch_name
from label_quality.store.manifests import Manifests
from label_quality.store.shared import Shared

DATABASE = "label_quality.duckdb"
_Identity = tuple[int, int, int]


class Reader:
    """Read-only access to a published database that follows it when it is replaced. May be shared by threads."""

    def __init__(self, database: Path, memory_limit: str | None = None) -> None:
        self.database = Path(database).absolute()
        self._memory_limit = memory_limit
        self._lock = threading.Lock()
        self._identity: _Identity | None = None
        self._con: duckdb.DuckDBPyConnection | None = None

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own on the file as it is now; it keeps seeing that file, whatever is published later.

        Raises FileNotFoundError when nothing is published, StoreError when the file cannot be read: another
        program holds it for writing, or the root is read-only.
        """
        with self._lock:
            if self._con is None or _identity(self.database) != self._identity:
                self._con, self._identity = self._open()
            return self._con.cursor()

    def execute(
        self, sql: str, params: Sequence[object] | Mapping[str, object] | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Run one statement on the file as it is now; the result is fetched from what is returned."""
        return self.connection().execute(sql, params)

    def close(self) -> None:
        """Let go of the file; cursors that were handed out stay good until they are closed."""
        with self._lock:
            if self._con is not None:
                self._con.close()
            self._con = self._identity = None

    def _open(self) -> tuple[duckdb.DuckDBPyConnection, _Identity]:
        folder = self.database.parent / "readers"
        own = folder / f"{scratch_name()}.duckdb"
        try:
            folder.mkdir(exist_ok=True)
            _link_or_copy(self.database, own)
            con = duckdb.connect(str(own), read_only=True)
            con.execute("SET temp_directory = ?", [str(folder / f"{own.stem}.spill")])
            if self._memory_limit:
                con.execute("SET memory_limit = ?", [self._memory_limit])
            return con, _identity(own)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.database} is not there yet: audit a batch first, it is made by publishing"
            ) from None
        except (duckdb.IOException, OSError) as error:
            raise StoreError(f"{self.database} cannot be read: {error}") from error
        finally:
            own.unlink(missing_ok=True)


def published_database(root: Path) -> Path:
    """The database below `root`. Raises FileNotFoundError, with a sentence for the user, when nothing was published."""
    database = root / DATABASE
    if not database.is_file():
        raise FileNotFoundError(
            f"nothing has been published under {root}: run `label-quality audit` with --root {root} first"
        )
    return database


def published_files(
    con: duckdb.DuckDBPyConnection, shared: Shared, table: str, batch: str | None = None
) -> list[Path]:
    """The files of a table that is kept beside the database, of the very states of batches that `con`, the database, shows.

    Between a commit and its publish the manifests are ahead: ids of the one are not those of the other. Files of states
    that are no longer kept are left out. `batch`: only its files.
    """
    rows = con.execute(
        """select batch, run_id, committed_at from _published
           where not starts_with(batch, '.') and batch = coalesce(?, batch) order by batch""",
        [batch],
    ).fetchall()
    files = []
    for name, *state in rows:
        manifest = Manifests(shared).get(name)
        for version in manifest.versions if manifest else ():
            if [version.run_id, version.committed_at] == state and table in version.tables:
                files.append(shared.local(version.tables[table]))
    return [file for file in files if file.is_file()]


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _identity(path: Path) -> _Identity:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (found.st_dev, found.st_ino, found.st_mtime_ns)
