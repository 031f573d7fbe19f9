"""Run one command in a fresh process and measure it: wall time, CPU time, peak memory of its tree.

Standard library only, so that the measuring process stays small: Linux starts a child's `ru_maxrss`
at its parent's size. What is run, and what the figures mean, is in `speed`.

Also a command: `python measure.py -- COMMAND ...` prints the figures as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
INTERVAL = 0.05


@dataclass(frozen=True)
class Measured:
    """One run. Times in seconds, memory in bytes.

    `cpu` is user + system time of the process and of all descendants it waited for. `peak` is the
    larger of `peak_tree`, the sampled memory of the whole process tree, and `peak_one`, the
    kernel's exact high-water mark of its largest process (`ru_maxrss`).
    """

    exit_code: int
    wall: float
    cpu: float
    peak: int
    peak_tree: int
    peak_one: int
    output: str
    errors: str
    timed_out: bool


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 3600,
) -> Measured:
    """Run `command` and measure it; past `timeout` seconds its process group is killed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=err, cwd=cwd, env=env, start_new_session=True
        )
        tree = _Sampler(process.pid)
        tree.start()
        late = threading.Event()
        alarm = threading.Timer(timeout, _kill, (process.pid, late))
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        alarm.cancel()
        tree.stop()
        out.seek(0)
        err.seek(0)
        texts = [f.read().decode("utf-8", "replace") for f in (out, err)]
    one = usage.ru_maxrss * 1024
    return Measured(
        exit_code=process.returncode,
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=max(tree.peak, one),
        peak_tree=tree.peak,
        peak_one=one,
        output=texts[0],
        errors=texts[1],
        timed_out=late.is_set(),
    )


def _kill(group: int, late: threading.Event) -> None:
    late.set()
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        late.clear()


class _Sampler(threading.Thread):
    """Samples the memory of a process tree every 50 ms and keeps the largest sum.

    One process: its RSS, which costs next to nothing to read. Several: the sum of PSS, so that
    pages they share count once; as PSS makes the kernel walk the page tables, it is read only
    where the sum of RSS, which is never smaller, could be a new peak.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.peak, self._end = root, 0, threading.Event()

    def run(self) -> None:
        while not self._end.wait(INTERVAL):
            pids = process_tree(self.root)
            resident = {pid: _resident(pid) for pid in pids}
            if sum(resident.values()) > self.peak:
                alone = len(pids) == 1
                now = sum(
                    size if alone else _shared_out(pid, size) for pid, size in resident.items()
                )
                self.peak = max(self.peak, now)

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        self.join()


def process_tree(root: int) -> list[int]:
    """`root` and its living descendants, from /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name, in brackets, may hold spaces: the parent is the second field after it.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def _resident(pid: int) -> int:
    """RSS in bytes, 0 where the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _shared_out(pid: int, resident: int) -> int:
    """PSS in bytes; RSS where the kernel does not tell it."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident


def main() -> None:
    """Command line."""
    command = sys.argv[1:]
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        sys.exit("usage: python measure.py -- COMMAND ...")
    print(json.dumps(asdict(run(command)), indent=1))


if __name__ == "__main__":
    main()
