"""Celery, Redis and PostgreSQL as in deploy/: batches from the inbox over two workers, one of which is killed half-way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from cluster import Cluster, cluster, twice
from pipeline_tools import query, wait_for

from label_quality.demo import make_demo
from label_quality.store import Reader, Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BATCHES = ["b1", "b2", "b3"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.start("publisher")
        made.start("worker", "first")
        made.start("worker", "second")
        made.start("daemon")
        made.ready("publisher", "first", "second")
        yield made


def kill_in_the_midst(made: Cluster, name: str) -> None:
    """Kill a worker, and the processes that do its steps, when it has done some and all of its processes are busy.

    A worker with an idle process has a request for more under way. What Redis answers to a dead one is lost: docs/deploy.md.
    """
    worker = made.workers[name]

    def at_work() -> bool:
        text = worker.text()
        done, begun = text.count(" succeeded in "), text.count(" - STEP_START - ")
        return done >= 2 and begun - done >= 2

    wait_for(at_work, 150, f"{name} is at work", every=0.005)
    worker.kill()
    worker.process.wait()


def test_batches_are_published_once_though_a_worker_is_killed(
    running: Cluster, tmp_path: Path
) -> None:
    demo = make_demo(tmp_path / "demo", images=3)
    store = Store(running.root)
    start = time.monotonic()
    for batch in BATCHES:
        running.drop(demo, batch)
    kill_in_the_midst(running, "first")
    running.start("worker", "third")  # as `restart: always` does
    wanted = dict.fromkeys(BATCHES, "published")
    wait_for(
        lambda: {a.batch: a.state for a in store.accounts()} == wanted, 300, "all are published"
    )
    print(f"{len(BATCHES)} batches in {time.monotonic() - start:.0f} s")
    with closing(Reader(store.database)) as reader:
        rows = reader.execute("select batch, annotations_kept from batches order by 1").fetchall()
        assert rows == [(batch, demo.labels) for batch in BATCHES]
        counted = "select batch, count(*) from annotations group by batch order by 1"
        assert reader.execute(counted).fetchall() == rows
    with running.history() as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="audit_batch"))
        wait_for(
            lambda: not instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])),
            60,
            "all runs end",
        )
        runs = instance.get_runs(dg.RunsFilter(job_name="audit_batch"))
    # None had to be repeated as a whole: only what the killed worker had in hand was done again.
    assert sorted((r.tags["dagster/partition"], r.status.value) for r in runs) == [
        (batch, "SUCCESS") for batch in BATCHES
    ]
    given = running.step_workers()
    again = [(batch, step) for batch, steps in given.items() for step in twice(steps)]
    # Where all is slow, a step that was not lost may have been begun again too.
    assert [step for batch, step in again if (step, "first") in given[batch]]
    for steps in given.values():
        assert {name for step, name in steps if step == "publish"} == {"publisher"}
        assert {name for step, name in steps if step != "publish"} <= {"first", "second", "third"}
    workers = {name for steps in given.values() for _, name in steps}
    assert {"first", "second"} <= workers
    wait_for(
        lambda: query(store.database, "select count(*) from overall_error_rates") > [(0,)],
        60,
        "refresh follows",
    )
