"""Run by test_kills: audits that are killed by SIGKILL at a point, and audits that are left alone.

Usage: kill_audits.py ANNOTATIONS PREDICTIONS (ROOT POINT)...   A point is "start STEP" or "end STEP" (Dagster's own
event of it), "before WHAT" or "after WHAT" where WHAT is something that publishing does (`_WHAT`), or "none". Every audit is
a process of its own, forked after one import; its Dagster history is in memory, but for roots that hold a folder
`home`. Prints for each how the process ended.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

import label_quality.definitions
from label_quality.cli.audit import run_audit
from label_quality.store import publishing

PRELOADED = {
    *("alembic", "dagster", "label_quality", "pycocotools", "pydantic", "rich", "scipy"),
    "sqlalchemy",
}


def main(annotations: str, predictions: str, *pairs: str) -> None:
    """Audit each root in a child, as many at once as there are cores."""
    if len(pairs) > 8:
        preload(annotations, predictions)
    waiting = list(enumerate(zip(pairs[::2], pairs[1::2], strict=True)))
    going: dict[int, int] = {}
    ended: dict[int, int] = {}
    while waiting or going:
        while waiting and len(going) < (os.cpu_count() or 1):
            number, (root, point) = waiting.pop(0)
            going[child(lambda r=root, p=point: audit(Path(r), annotations, predictions, p))] = (
                number  # type: ignore[misc]
            )
        process, status = os.wait()
        ended[going.pop(process)] = os.waitstatus_to_exitcode(status)
    print(*(ended[number] for number in sorted(ended)))


def child(work: Callable[[], int]) -> int:
    """Fork; the process id. No thread runs yet in the parent: DuckDB starts its own with the first connection."""
    process = os.fork()
    if process == 0:
        try:
            code = work()
        except BaseException:  # a child must never go on as its parent
            traceback.print_exc()
            code = 70
        os._exit(code)
    return process


def preload(annotations: str, predictions: str) -> None:
    """Import here what an audit imports on its way, so that the children need not, each for itself."""
    reader, writer = os.pipe()

    def work() -> int:
        code = audit(Path.cwd() / "warm", annotations, predictions, "none")
        os.write(writer, "\n".join(sys.modules).encode())
        return code

    process = child(work)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        names = pipe.read().split()
    os.waitpid(process, 0)
    for name in names:
        if name.partition(".")[0] in PRELOADED:
            importlib.import_module(name)


def audit(root: Path, annotations: str, predictions: str, point: str) -> int:
    """The command itself, in this process."""
    home = root / "home"
    if home.is_dir():
        os.environ["DAGSTER_HOME"] = str(home)
    else:
        dg.DagsterInstance.get = staticmethod(in_memory)  # type: ignore[method-assign,assignment]
    arm(point)
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = nowhere
        return run_audit(Path(annotations), predictions=[f"m={predictions}"], batch="b1", root=root)


@contextmanager
def in_memory() -> Any:
    """Saves the time of making a history on disk."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def arm(point: str) -> None:
    """Patch this process so that it is killed at `point`."""
    when, _, name = point.partition(" ")

    def here(found_when: str, found: str) -> None:
        if (found_when, found) == (when, name):
            os.kill(os.getpid(), signal.SIGKILL)

    if when in ("start", "end"):
        arm_events(here)
    elif when in ("before", "after"):
        arm_publishing(here)


def arm_events(here: Callable[[str, str], None]) -> None:
    """Steps start and end with an event, after it is stored."""
    store = dg.DagsterInstance.handle_new_event
    words = {"STEP_START": "start", "STEP_SUCCESS": "end"}

    def handle(self: dg.DagsterInstance, event: Any, *args: Any, **options: Any) -> None:
        store(self, event, *args, **options)
        found = event.dagster_event
        if found and found.event_type_value in words:
            here(words[found.event_type_value], str(found.step_key))

    dg.DagsterInstance.handle_new_event = handle  # type: ignore[method-assign]


def arm_publishing(here: Callable[[str, str], None]) -> None:
    """The manifest, the copy, the transaction and the rename."""
    copyfile, replace, update = shutil.copyfile, Path.replace, publishing._replace

    def around(found: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        here("before", found)
        result = call(*args, **options)
        here("after", found)
        return result

    def renamed(self: Path, target: Path) -> Path:
        words = {"label_quality.duckdb": "rename", "batches": "manifest"}
        final = Path(target)
        return around(
            words.get(final.name) or words.get(final.parent.name, ""), replace, self, target
        )

    class Connection:
        def __init__(self, con: Any) -> None:
            self.con = con

        def __getattr__(self, name: str) -> Any:
            return getattr(self.con, name)

        def execute(self, sql: str, *args: Any) -> Any:
            word = "insert" if sql.startswith('INSERT INTO "findings"') else sql.lower()
            return around(word, self.con.execute, sql, *args)

    shutil.copyfile = lambda a, b: around("copy", copyfile, a, b)  # type: ignore[assignment]
    Path.replace = renamed  # type: ignore[assignment,method-assign]
    publishing._replace = lambda con, *args, **options: update(Connection(con), *args, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    assert label_quality.definitions.defs
    main(*sys.argv[1:])
