"""Run by test_store_kills: one child process for each point, killed by SIGKILL when it gets there.

Usage: kill_points.py FOLDER ACTION POINT...   The root for point i is FOLDER/i; ACTION is publish, rebuild, write or
commit. A point is "before NAME" or "after NAME", where NAME is the start of a statement given to DuckDB, or
"replace FILE", "unlink FILE", "copyfile" or "fsync". Prints, for each point, how the child ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from store_rows import content

from label_quality.store import Store


def main(folder: Path, action: str, points: list[str]) -> None:
    for number, point in enumerate(points):
        child = os.fork()  # no thread runs yet: DuckDB starts its own with the first connection
        if child == 0:
            arm(point)
            ACTIONS[action](Store(folder / str(number)))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


ACTIONS: dict[str, Callable[[Store], object]] = {
    "publish": lambda store: store.publish(),
    "rebuild": lambda store: store.rebuild(),
    "write": lambda store: store.run("b1", "r3").write("images", content("images", "b1", "r3")),
    "commit": lambda store: store.commit("b1", "r3"),
}


def arm(point: str) -> None:
    """Patch what touches the disk so that the process is killed at `point`."""
    when, _, name = point.partition(" ")

    def around(found: str, call: Callable[..., Any], *args: Any) -> Any:
        if when == "before" and found.startswith(name):
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args)
        if when == "after" and found.startswith(name):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    replace, unlink, copyfile, fsync = Path.replace, Path.unlink, shutil.copyfile, os.fsync
    instance = Store._instance
    Path.replace = lambda self, target: around(
        f"replace {Path(target).name}", replace, self, target
    )
    Path.unlink = lambda self, missing_ok=False: around(
        f"unlink {self.name}", unlink, self, missing_ok
    )
    shutil.copyfile = lambda a, b: around("copyfile", copyfile, a, b)
    os.fsync = lambda fd: around("fsync", fsync, fd)

    class Connection:
        def __init__(self, con: Any) -> None:
            self.con = con

        def __getattr__(self, name: str) -> Any:
            return getattr(self.con, name)

        def execute(self, sql: str, *args: Any) -> Any:
            return around(sql.replace('"', ""), self.con.execute, sql, *args)

        def __enter__(self) -> Connection:
            return self

        def __exit__(self, *_: object) -> None:
            self.con.close()

    Store._instance = lambda self: Connection(instance(self))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
