"""The soak: batches arrive, some twice, some broken, while others read, and workers and the daemon are killed at random.

In the end every good batch is published exactly once with the right counts, every bad one is reported, and every verdict that
a person gave meanwhile is there.
``LABEL_QUALITY_SOAK=40`` runs it with so many batches; by default it is short.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest
from pipeline_tools import query
from soak import Person, Project, Watcher, deliver, hold_open, kill_some_worker, make_plan

from label_quality.demo import make_demo

BATCHES = int(os.environ.get("LABEL_QUALITY_SOAK", "6"))
SEED = int(os.environ.get("LABEL_QUALITY_SOAK_SEED", "1"))
WORKERS_KILLED, DAEMONS_KILLED = max(2, BATCHES // 4), max(1, BATCHES // 20)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 60 * BATCHES)]


def settled(project: Project, good: dict[str, int], bad: set[str]) -> bool:
    """Whether every batch has come to its end."""
    states = {a.batch: (a.state, a.labels) for a in project.store.accounts()}
    return all(states.get(b) == ("published", n) for b, n in good.items()) and all(
        states.get(b, ("", 0))[0] == "failed" for b in bad
    )


def test_everything_that_arrives_is_published_once_or_reported(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    demo = make_demo(tmp_path / "demo", images=3)
    plan = make_plan(demo, BATCHES, SEED)
    results = next(iter(demo.predictions.values()))
    project = Project(tmp_path)
    watcher, tool = Watcher(project.store.database), hold_open(project.store.database)
    watcher.start()
    person = Person(project.store)
    killed: list[str] = []
    seen: set[int] = set()
    daemons = 0
    start, end = time.monotonic(), time.monotonic() + 60 + 40 * BATCHES
    try:
        waiting = list(plan.arrivals)
        while time.monotonic() < end:
            if waiting:
                name, content, _ = waiting.pop(0)
                deliver(project.root / "inbox", name, content, results)
            if len(killed) < WORKERS_KILLED and (batch := kill_some_worker(project, chance, seen)):
                killed.append(batch)
            if daemons < DAEMONS_KILLED and len(killed) > daemons * 2 and project.workers():
                project.kill_daemon()
                daemons += 1
            person.decide()
            enough = len(killed) >= WORKERS_KILLED and daemons >= DAEMONS_KILLED
            if not waiting and settled(project, plan.good, plan.bad):
                assert enough, "all was done before the killing was"
                break
            time.sleep(chance.uniform(0, 0.6))
        seconds = time.monotonic() - start
        states = {a.batch: (a.state, a.labels, a.message) for a in project.store.accounts()}
        assert settled(project, plan.good, plan.bad), states
    finally:
        watcher.stop()
        tool.kill()
        project.stop()
    rows = query(project.store.database, "select batch, annotations_kept from batches")
    assert dict(rows) == plan.good
    assert len(rows) == len(plan.good)
    counted = "select batch, count(*) from annotations group by batch"
    assert dict(query(project.store.database, counted)) == plan.good
    for account in project.store.accounts():
        if account.batch in plan.bad:
            assert "the file ends" in str(account.message)
    person.decide()
    assert person.decided.keys() == plan.good.keys()
    project.store.publish()  # what was decided since the last one
    sql = "select batch, seq from reviews where verdict = 'reject' and author = 'ann'"
    assert dict(query(project.store.database, sql)) == person.decided
    assert watcher.torn == []
    assert watcher.looks > 10
    assert "held" in (tool.stdout.read() if tool.stdout else "")
    with dg.DagsterInstance.from_config(str(project.folder / "dagster_home")) as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="audit_batch"))
    tried = Counter(run.tags["dagster/partition"] for run in runs)
    assert all(tried[batch] == 1 for batch in plan.bad - set(killed)), tried
    print(
        f"{BATCHES} batches in {seconds:.0f} s: {len(killed)} workers and {daemons} daemons killed, "
        f"{len(runs)} runs, {watcher.looks} looks"
    )
