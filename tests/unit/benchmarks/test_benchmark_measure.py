"""Time and memory of a command are what the command really took, children included."""

from __future__ import annotations

import sys
from pathlib import Path

import measure
import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")

MB = 10**6
HOLD = "import time; block = bytearray(b'1') * ({size} * 10**6); time.sleep(1)"


def test_memory_of_one_process() -> None:
    done = measure.run([sys.executable, "-c", HOLD.format(size=150)])
    assert done.exit_code == 0
    assert 150 * MB < done.peak < 220 * MB
    assert done.peak_tree == pytest.approx(done.peak_one, rel=0.2)


def test_memory_of_children_is_added() -> None:
    child = HOLD.format(size=150)
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); "
    both = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); "
    done = measure.run([sys.executable, "-c", both + child + "; p.wait()"])
    assert done.peak > 290 * MB
    assert done.peak_one < 220 * MB
    assert measure.run([sys.executable, "-c", code]).peak < 250 * MB


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
    status = Path(f"/proc/{int(done.output)}/stat")
    # Where nobody collects orphans, the child is left as a zombie: dead all the same.
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] in "ZX"
