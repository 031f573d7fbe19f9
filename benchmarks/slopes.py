"""What publishing, reading and refreshing cost as batches come in: seconds and bytes for 1, 2, 4, … batches of one size.

    python benchmarks/slopes.py --annotations FILE --predictions FILE --batches 1 2 4 8 16

One batch is audited. The others are its tables under other names, committed as a run would: what publishing does with them
does not depend on where their numbers come from. Writes benchmarks/results/slopes.json, from which docs/scale.md was
calculated; the last line for each quantity is the least-squares slope over labels.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from label_quality.assets.parts import ACCOUNTS, PARTS
from label_quality.schema import TABLES
from label_quality.settings import load_settings
from label_quality.store import Store
from label_quality.store.accounts import accounts_table
from label_quality.store.scan import quoted

HERE = Path(__file__).parent
# What an analyst asks: the head of the queue, a sum over all labels, one image.
QUESTIONS = {
    "head of findings": "select * from findings order by p_error desc limit 20",
    "labels by class": "select batch, category_id, count(*), avg(width * height) from annotations group by all",
    "one image": "select * from annotations where batch = 'b1' and image_id = (select min(image_id) from images where batch = 'b1')",
}


def audit(root: Path, annotations: Path, predictions: Path) -> None:
    """The one real audit."""
    command = [sys.executable, "-m", "label_quality.cli", "audit", "--root", root, "--batch", "b1"]
    command += ["--annotations", annotations, "--predictions", f"m={predictions}"]
    env = os.environ | {"DAGSTER_HOME": str(root / "dagster_home")}
    done = subprocess.run(
        list(map(str, command)), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]


def copy(store: Store, con: duckdb.DuckDBPyConnection, batch: str, run_id: str) -> None:
    """Commit the tables of b1 as those of another batch, or b1's own once more."""
    manifest, run = store.manifest("b1"), store.run(batch, run_id)
    assert manifest is not None
    for table, file in manifest.tables.items():
        source = f"read_parquet({quoted(store.shared.local(file))}, hive_partitioning = false)"
        run.write_sql(con, table, f"select * replace ({quoted(batch)} as batch) from {source}")
    store.commit(batch, run_id)


def seconds(work: Callable[[], Any]) -> float:
    """How long `work` takes."""
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 4)


def ask(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """The median of five answers to each question."""
    return {
        name: float(np.median([seconds(lambda s=sql: con.execute(s).fetchall()) for _ in range(5)]))
        for name, sql in QUESTIONS.items()
    }


def refresh(store: Store) -> float:
    """What the job `refresh` computes and publishes."""
    with store.connect() as con:
        con.register(ACCOUNTS, accounts_table(store.accounts()))
        return seconds(lambda: store.write_overall(con, [part.build for part in PARTS]))


def measure(store: Store, batches: int) -> dict[str, float]:
    """All figures, with that many batches in the store."""
    with store.connect() as con:
        copy(store, con, f"b{batches}", f"again{batches}")
    found = {"publish one changed batch": seconds(store.publish)}
    with closing(duckdb.connect(str(store.database), read_only=True)) as con:
        found |= {f"tables: {name}": value for name, value in ask(con).items()}
        (found["labels"],) = con.execute("select count(*) from annotations").fetchone()  # type: ignore[misc]
        (found["predictions"],) = con.execute("select count(*) from predictions").fetchone()  # type: ignore[misc]
    with store.connect() as con:
        found["make views of all batches"] = seconds(lambda: store.view(con))
        found |= {f"views: {name}": value for name, value in ask(con).items()}
    found["copy the database file"] = seconds(
        lambda: shutil.copyfile(store.database, store.root / "copy")
    )
    (store.root / "copy").unlink()
    found["refresh"] = refresh(store)
    found["rebuild"] = seconds(store.rebuild)
    found["database bytes"] = store.database.stat().st_size
    current = {f for b in store.batches() if (m := store.manifest(b)) for f in m.tables.values()}
    found["parquet bytes"] = sum((store.root / f).stat().st_size for f in current)
    return found


def by_table(store: Store) -> dict[str, float]:
    """Bytes of Parquet per label, table by table, of one batch."""
    manifest = store.manifest("b1")
    assert manifest is not None
    with store.connect() as con:
        store.view(con, "annotations", batches=["b1"])
        (labels,) = con.execute("select count(*) from annotations").fetchone()  # type: ignore[misc]
    sizes = {
        t: (store.root / f).stat().st_size / labels
        for t, f in manifest.tables.items()
        if t in TABLES
    }
    return {t: round(s, 2) for t, s in sorted(sizes.items(), key=lambda item: -item[1])}


def main() -> int:
    """Audit, grow, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument(
        "--root", type=Path, required=True, help="an empty folder, removed at the end"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "slopes.json")
    given = parser.parse_args()
    given.root.mkdir(parents=True)
    audit(given.root, given.annotations, given.predictions)
    store = Store(given.root, load_settings(given.root))
    sizes, there = [], 1
    for batches in given.batches:
        with store.connect() as con:
            while there < batches:
                there += 1
                copy(store, con, f"b{there}", "first")
        store.publish()
        sizes.append({"batches": batches, **measure(store, batches)})
        print(json.dumps(sizes[-1]), flush=True)
    labels = np.array([s["labels"] for s in sizes], float)
    slopes = {
        name: float(np.polyfit(labels, [s[name] for s in sizes], 1)[0])
        for name in sizes[0]
        if name not in ("batches", "labels") and len(sizes) > 1
    }
    out = {"sizes": sizes, "per label": slopes, "parquet bytes per label": by_table(store)}
    out["load average"] = os.getloadavg()[0]
    given.output.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(slopes, indent=1))
    shutil.rmtree(given.root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
