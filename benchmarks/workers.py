"""How long a day's batches take with the default profile, and with Celery and 1, 2 and 4 worker processes, on this machine.

    python benchmarks/workers.py --annotations FILE --predictions FILE --batches 4 --workers 0 1 2 4

The file is cut into batches, all of which lie in the inbox when the daemon starts; the time is from the first run's start to the
last batch's publication, as Dagster's history and the store have them. 0 workers are the default profile: one process for
each run, two at once. Redis and PostgreSQL are Debian's packages, as in the tests. Writes benchmarks/results/workers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "pipeline")]

import dagster as dg  # noqa: E402
from cluster import Cluster, cluster  # noqa: E402

from label_quality.store import Store  # noqa: E402

SETTINGS = "sensor_interval_seconds = 2\nsettle_seconds = 0.0\n[duckdb]\nthreads = 1\n"


def cut(given: argparse.Namespace, inbox: Path) -> list[str]:
    """Lay the batches into the inbox."""
    images = len(json.loads(given.annotations.read_bytes())["images"])
    command = [sys.executable, "-m", "label_quality.cli", "split", given.annotations]
    command += ["--output", inbox, "--images-per-batch", -(-images // given.batches)]
    command += ["--predictions", f"m={given.predictions}"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return sorted(p.name for p in inbox.iterdir())


def audit_all(given: argparse.Namespace, workers: int, folder: Path) -> dict[str, Any]:
    """One profile: until every batch is published."""
    executor = "celery" if workers else "in_process"
    with cluster(folder, SETTINGS, LABEL_QUALITY_EXECUTOR=executor) as made:
        batches = cut(given, made.root / "inbox")
        if not workers:
            home = Path(made.env["DAGSTER_HOME"]) / "dagster.yaml"
            home.write_text(
                home.read_text().replace("max_concurrent_runs: 8", "max_concurrent_runs: 2")
            )
        else:
            made.start("publisher")
        names = [f"worker{n}" for n in range(workers)]
        for name in names:
            made.start("worker", name, processes=1)
        if workers:
            made.ready("publisher", *names)
        made.start("daemon")
        end = time.monotonic() + given.most
        store = Store(made.root)
        while [a.state for a in store.accounts()] != ["published"] * len(batches):
            if time.monotonic() > end:
                raise SystemExit(f"{workers} workers: not within {given.most} s")
            time.sleep(0.5)
        return {"workers": workers, "batches": len(batches)} | figures(made, store, batches)


def figures(made: Cluster, store: Store, batches: list[str]) -> dict[str, Any]:
    """Seconds from the first start to the last publication, of a batch, and of one step's way through Celery."""
    with made.history() as instance:
        records = instance.get_run_records(dg.RunsFilter(job_name="audit_batch"))
        first = min(r.start_time for r in records if r.start_time)
        went = [
            step.end_time - step.start_time
            for r in records
            for step in instance.get_run_step_stats(r.dagster_run.run_id)
            if step.end_time and step.start_time
        ]
    times = [m.committed_at for b in batches if (m := store.manifest(b))]
    last = max(datetime.fromisoformat(t).timestamp() for t in times)
    return {
        "seconds": round(last - first, 1),
        "steps": len(went),
        "seconds in steps": round(sum(went), 1),
        "load average": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Measure each profile once; write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--most", type=float, default=600, help="seconds for one profile")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "workers.json")
    given = parser.parse_args()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("ended")
    )  # so that all that was started ends too
    found = json.loads(given.output.read_text()) if given.output.exists() else []
    for workers in given.workers:
        folder = Path(tempfile.mkdtemp(prefix="label_quality_workers_"))
        try:
            found.append(audit_all(given, workers, folder / "cluster"))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(json.dumps(found[-1]), flush=True)
        given.output.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
