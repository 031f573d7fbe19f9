"""Time and memory of a command are what the command really took, children included."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import measure
import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")

MB = 10**6
HOLD = "import time; block = bytearray(b'1') * ({size} * 10**6); time.sleep(1)"


def memory_of(code: str) -> SimpleNamespace:
    """Measured from a small process: Linux starts a child's greatest size at its parent's, and pytest's is large."""
    command = [sys.executable, measure.__file__, "--", sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return SimpleNamespace(**json.loads(done.stdout))


def test_memory_of_one_process() -> None:
    done = memory_of(HOLD.format(size=150))
    assert done.exit_code == 0
    assert 150 * MB < done.peak < 220 * MB
    assert done.peak_tree == pytest.approx(done.peak_one, rel=0.2)


def test_memory_of_children_is_added() -> None:
    child = HOLD.format(size=150)
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); "
    both = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); "
    done = memory_of(both + child + "; p.wait()")
    assert done.peak > 290 * MB
    assert done.peak_one < 220 * MB
    assert memory_of(code).peak < 250 * MB


def test_time() -> None:
    busy = "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    done = measure.run([sys.executable, "-c", parent])
    assert 0.4 < done.cpu < 2
    assert done.wall >= 0.4
    asleep = measure.run([sys.executable, "-c", "import time; time.sleep(0.5)"])
    assert asleep.wall > 0.5
    assert asleep.cpu < 0.45


def test_exit_code_and_output(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print('bad', file=sys.stderr); sys.exit(7)"
    done = measure.run([sys.executable, "-c", code], cwd=tmp_path)
    assert done.exit_code == 7
    assert Path(done.output.strip()) == tmp_path.resolve()
    assert done.errors.strip() == "bad"
    assert not done.timed_out


def test_time_limit_ends_the_whole_tree() -> None:
    child = "import time; time.sleep(60)"
    start = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); "
    done = measure.run(
        [sys.executable, "-c", start + "print(p.pid, flush=True); p.wait()"], timeout=1.0
    )
    assert done.timed_out
    assert done.exit_code == -9
    assert done.wall < 30
    assert _ended(int(done.output))


def _ended(pid: int) -> bool:
    """Whether a process that was killed is gone within a few seconds, or a zombie where nobody collects orphans."""
    status = Path(f"/proc/{pid}/stat")
    for _ in range(50):
        try:
            if status.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False
