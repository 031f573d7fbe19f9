"""Audits side by side: different batches both succeed, one batch is refused the second time, readers are left alone."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import dagster as dg
from conftest import Audited
from pipeline_tools import command, mistake, query, start, wait_for

from label_quality.cli import execute
from label_quality.definitions import build_definitions
from label_quality.demo import Demo
from label_quality.settings import load_settings

# A SQL tool: opens the database, counts, waits for a line, counts again on the same connection.
READER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
for line in sys.stdin:
    print(con.execute("select count(*) from batches").fetchone()[0], flush=True)
"""


def ask(reader: subprocess.Popen[str]) -> int:
    """What the SQL tool counts now."""
    stdin, stdout = reader.stdin, reader.stdout
    assert stdin
    assert stdout
    stdin.write("\n")
    stdin.flush()
    return int(stdout.readline())


def test_two_batches_at_once_beside_an_open_sql_tool(
    within: Audited, demo: Demo, tmp_path: Path
) -> None:
    root, home = tmp_path / "root", tmp_path / "a new home"
    shutil.copytree(within.root, root)
    database = root / "label_quality.duckdb"
    predictions = next(iter(demo.predictions.values()))
    args = [
        "audit",
        "--annotations",
        demo.annotations,
        "--predictions",
        predictions,
        "--root",
        root,
    ]
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert ask(reader) == 1
        audits = [start(*args, "--batch", name, home=home, cwd=tmp_path) for name in ("b1", "b2")]
        for process in audits:
            _, err = process.communicate(timeout=200)
            assert process.returncode == 0, err
        assert ask(reader) == 1  # it keeps the file that it opened
    found = query(database, "select batch, count(*) from findings group by all order by 1")
    assert [batch for batch, _ in found] == ["Line_3_Marz", "b1", "b2"]
    assert found[1][1] == found[2][1]
    overall = query(
        database,
        "select labels from overall_error_rates where error_type = 'any' and category_name is null",
    )
    assert overall == [(3 * (overall[0][0] // 3),)]  # all three batches, the same labels in each
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="audit_batch"))
        assert [r.status for r in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
        assert {r.tags["dagster/partition"] for r in runs} == {"b1", "b2"}


def until(stream: IO[str] | None, text: str) -> None:
    """Read the progress lines of a command until one holds `text`."""
    assert stream
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"the command ended before {text!r}")


def test_a_second_audit_of_a_batch_is_refused(demo: Demo, home: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    args = ["audit", "--annotations", demo.annotations, "--batch", "b1", "--root", root]
    first = start(*args, home=home, cwd=tmp_path)
    try:
        until(first.stderr, "reading annotations.json")
        first.send_signal(signal.SIGSTOP)  # in the middle of its run, for as long as this takes
        line = mistake(command(*args, home=home, cwd=tmp_path))
        wanted = (
            rf"label-quality: batch b1 is being audited by another run \(process {first.pid}, "
            r"since \S+ UTC\); wait until it has ended"
        )
        assert re.fullmatch(wanted, line), line
        with dg.DagsterInstance.ephemeral() as instance:  # as from the Dagster UI
            instance.add_dynamic_partitions("batch", ["b1"])
            job = build_definitions(load_settings(root)).resolve_job_def("audit_batch")
            run = job.execute_in_process(
                instance=instance,
                partition_key="b1",
                run_config=execute._QUIET,
                raise_on_error=False,
            )
        assert not run.success
        assert re.fullmatch(wanted, f"label-quality: {execute._why(run)}")
    finally:
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=200)
    assert first.returncode == 0, err
    assert query(root / "label_quality.duckdb", "select batch from batches") == [("b1",)]


def test_an_interrupted_audit_publishes_nothing_and_says_so(
    demo: Demo, home: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    args = ["audit", "--annotations", demo.annotations, "--batch", "b1", "--root", root]
    process = start(*args, home=home, cwd=tmp_path)
    until(process.stderr, "reading annotations.json")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "label-quality: interrupted; what was published is as it was"
    assert not (root / "label_quality.duckdb").exists()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = instance.get_runs(
            dg.RunsFilter(job_name="audit_batch", tags={"dagster/partition": "b1"})
        )
        assert wait_for(lambda: all(r.is_finished for r in runs), 1, "the run is recorded as ended")
