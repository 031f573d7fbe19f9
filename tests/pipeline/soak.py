"""What the soak test is made of: deliveries at random, a daemon that is killed, workers that are killed, and who reads meanwhile."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_tools import PROJECT, PYTHON_TOOLS, environment

from label_quality.demo import Demo
from label_quality.reviews import content_hash
from label_quality.store import Reader, Store
from label_quality.store.entries import Entry

# A tool that opens the file, reads, and holds it open for seconds, again and again.
TOOL = """
import sys, time, duckdb
while True:
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as con:
            con.execute("select count(*) from findings").fetchall()
            time.sleep(2)
            con.execute("select count(*) from annotations").fetchall()
            print("held", flush=True)
    except duckdb.Error:  # not said: nobody reads this before the end, and a full pipe would stop it
        time.sleep(0.2)
"""


class Project:
    """The project as it is checked out, with a Dagster home and a root of its own, and its daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder / "project", folder / "data"
        (self.folder / "dagster_home").mkdir(parents=True)
        for name in ("workspace.yaml", "pyproject.toml"):
            shutil.copyfile(PROJECT / name, self.folder / name)
        config = (PROJECT / "dagster_home" / "dagster.yaml").read_text()
        # What waits for a machine to come back need not wait as long here.
        config = config.replace("start_timeout_seconds: 120", "start_timeout_seconds: 45")
        config = config.replace("poll_interval_seconds: 30", "poll_interval_seconds: 5")
        (self.folder / "dagster_home" / "dagster.yaml").write_text(config)
        (self.folder / "label_quality").symlink_to(PROJECT / "label_quality")
        (self.root / "inbox").mkdir(parents=True)
        (self.root / "label_quality.toml").write_text(
            "sensor_interval_seconds = 2\nsettle_seconds = 0.5\n[duckdb]\nthreads = 1\n"
        )
        self.env = environment(
            self.folder / "dagster_home",
            LABEL_QUALITY_ROOT=str(self.root),
            PWD=str(self.folder),
        )
        self.store = Store(self.root)
        self._log = (folder / "daemon.log").open("ab")
        self.daemon = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(PYTHON_TOOLS / "dagster-daemon"), "run", "-w", "workspace.yaml"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill_daemon(self) -> None:
        """As when the machine goes down: the daemon, its code server and all run workers at once. Then it is started again."""
        os.killpg(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait()
        self.daemon = self._start()

    def stop(self) -> None:
        """End everything."""
        os.killpg(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait()
        self._log.close()

    def workers(self) -> dict[str, int]:
        """batch -> process of the run that is at work on it."""
        found = {}
        for file in (self.root / "locks" / "batches").glob("*.lock"):
            try:
                found[file.stem] = int(json.loads(file.read_bytes())["pid"])
            except (ValueError, OSError):
                continue  # between two runs
        return found


@dataclass
class Plan:
    """What arrives: name -> labels that are to be published in the end, and names that never can be."""

    good: dict[str, int] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    arrivals: list[tuple[str, bytes, str]] = field(default_factory=list)


def make_plan(demo: Demo, batches: int, seed: int) -> Plan:
    """`batches` of different numbers of labels in random order; a quarter come twice, a quarter are broken."""
    chance, plan = random.Random(seed), Plan()
    whole = json.loads(demo.annotations.read_text("utf-8"))

    def text(left_out: int) -> bytes:
        kept = whole["annotations"][: len(whole["annotations"]) - left_out]
        return json.dumps({**whole, "annotations": kept}).encode()

    total = len(whole["annotations"])
    for number in range(batches):
        name = f"b{number:02}"
        if number % 4 == 3:
            plan.bad.add(name)
            plan.arrivals.append((name, text(number)[:-200], "broken"))
        elif number % 4 == 1:
            plan.good[name] = total - number - 1
            plan.arrivals += [(name, text(number), "first"), (name, text(number + 1), "again")]
        else:
            plan.good[name] = total - number
            plan.arrivals.append((name, text(number), "only"))
    chance.shuffle(plan.arrivals)
    # What comes again comes after its first.
    last = {name: i for i, (name, _, kind) in enumerate(plan.arrivals) if kind == "first"}
    for i, (name, content, kind) in enumerate(plan.arrivals):
        if kind == "again" and (j := last[name]) > i:
            plan.arrivals[i], plan.arrivals[j] = plan.arrivals[j], (name, content, kind)
    return plan


def deliver(inbox: Path, name: str, content: bytes, results: Path) -> None:
    """A new folder by a rename; a correction by replacing the file in it."""
    folder = inbox / name
    if folder.exists():
        (folder / ".annotations.tmp").write_bytes(content)
        (folder / ".annotations.tmp").replace(folder / "annotations.json")
        return
    hidden = inbox / f".{name}"
    (hidden / "predictions").mkdir(parents=True)
    (hidden / "annotations.json").write_bytes(content)
    shutil.copyfile(results, hidden / "predictions" / "m.json")
    hidden.rename(folder)


class Watcher(threading.Thread):
    """Queries the database all the time: what is published is of one piece, whenever one looks."""

    QUERY = """
    select b.batch, b.annotations_kept, b.run_id,
           (select count(*) from annotations a where a.batch = b.batch) as labels,
           (select max(labels) from error_rates e where e.batch = b.batch and category_id is null) as judged,
           (select count(distinct batch) from findings f where f.batch = b.batch) as has_findings
    from batches b
    """

    def __init__(self, database: Path) -> None:
        super().__init__(daemon=True)
        self.reader = Reader(database)
        self.looks, self.torn, self.ended = 0, list[Any](), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            try:
                rows = self.reader.execute(self.QUERY).fetchall()
            except FileNotFoundError:
                continue
            self.looks += 1
            names = [row[0] for row in rows]
            if len(names) != len(set(names)):
                self.torn.append(names)
            self.torn += [row for row in rows if row[1] != row[3] or row[3] < row[4]]

    def stop(self) -> None:
        self.ended.set()
        self.join()
        self.reader.close()


@dataclass
class Person:
    """Decides on a finding of each batch as soon as it is published, whatever else goes on."""

    store: Store
    decided: dict[str, int] = field(default_factory=dict)

    FINDINGS = f"""
    select f.batch, f.image_id, f.finding_id, f.error_type, f.category_id, f.annotation_id, {content_hash("a")} as content_hash,
           f.x, f.y, f.width, f.height
    from findings f left join annotations a using (batch, annotation_id)
    qualify row_number() over (partition by f.batch order by f.p_error desc, f.finding_id) = 1
    """

    def decide(self) -> None:
        """A verdict for each batch that has none yet, in the review log of the root."""
        if not self.store.database.exists():
            return
        with closing(Reader(self.store.database)) as reader:
            found = reader.execute(self.FINDINGS)
            names = [d[0] for d in found.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        new = [row for row in rows if row["batch"] not in self.decided]
        for row in new:
            if row["annotation_id"] is None:
                row["content_hash"] = None
            entry = Entry(author="ann", action="verdict", verdict="reject", **row)
            with closing(self.store.review_log()) as log:
                (made,) = log.add([entry])
            self.decided[row["batch"]] = made.seq


def hold_open(database: Path) -> subprocess.Popen[str]:
    """The tool, as a process."""
    return subprocess.Popen(
        [sys.executable, "-c", TOOL, str(database)], stdout=subprocess.PIPE, text=True
    )


def kill_some_worker(project: Project, chance: random.Random, seen: set[int]) -> str:
    """Kill a run somewhere in its work; the batch, "" when none is at work that was not killed before."""
    for batch, process in project.workers().items():
        if process in seen:
            continue
        time.sleep(chance.uniform(0, 1.0))
        seen.add(process)
        if project.workers().get(batch) != process:
            continue  # it was quicker
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
        return batch
    return ""
