"""Time exact COCO evaluation beside its peers: `python benchmarks/evaluation.py`.

Ours goes from the published database, made by one audit that is not timed here, to the twelve numbers of COCOeval and
those of each category; a peer from the COCO files to the twelve. Every row is a fresh process, rows of a section run in
turn. Also times the slider: the counts at each of its 86 stops. Prints the page, writes `benchmarks/results/evaluation.json`
and `docs/evaluation_speed.md`. With `--only` the other sections keep their last results.

Exit code 0 when every run worked and the numbers of all rows of a section are equal to 1e-6, else 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import measure
from speed import HERE, OWN_PACKAGES, PROJECT, _python, figures, machine, versions

PEERS = ("pycocotools", "faster-coco-eval", "hotcoco")
OWN = "label_quality"
MODEL = "simulated"


@dataclass(frozen=True)
class Section:
    """Rows on the files of one scale. `peers` that would need more memory or time than there is are left out."""

    title: str
    scale: str
    iou_type: str = "bbox"
    peers: tuple[str, ...] = PEERS

    @property
    def predictions(self) -> str:
        """The results file."""
        return "predictions_masks.json" if self.iou_type == "segm" else "predictions.json"

    @property
    def root(self) -> str:
        """The folder of its audit."""
        return f"evaluation-{self.scale}-{self.iou_type}"


SECTIONS = {
    "val": Section("Boxes, val2017 scale", "val"),
    "masks": Section("Masks, val2017 scale", "val", "segm"),
    "train": Section("Boxes, train2017 scale", "train", peers=("hotcoco",)),
}


def judge(database: str, iou_type: str) -> dict[str, Any]:
    """Our row, in a process of its own: load, evaluate, summarize; then the slider."""
    seconds, mark = {}, time.perf_counter()

    def lap(step: str) -> None:
        nonlocal mark
        now = time.perf_counter()
        seconds[step], mark = round(now - mark, 4), now

    import duckdb  # noqa: PLC0415

    from label_quality.performance.average import AREAS, MAX_DETS, averages, mean  # noqa: PLC0415
    from label_quality.performance.load import load  # noqa: PLC0415

    lap("import")
    con = duckdb.connect(database, read_only=True)
    con.execute("SET memory_limit = '1GB'")
    con.execute("SET preserve_insertion_order = false")
    data = load(con, MODEL, iou_type, floor=0.5)
    lap("load")
    found = averages(data)
    ap, ar, sizes = found.average_precision, found.average_recall, [a for a in AREAS if a != "all"]
    values = [ap(), ap(threshold=0), ap(threshold=5), *(ap(a) for a in sizes)]
    values += [*(ar(max_dets=m) for m in MAX_DETS), *(ar(a) for a in sizes)]
    stats = [mean(v) for v in values]
    lap("evaluate")
    return {"seconds": seconds, "AP": round(stats[0], 4), "stats": stats}


def slide(database: str, iou_type: str) -> dict[str, Any]:
    """The slider: one load, then every stop."""
    import duckdb  # noqa: PLC0415

    from label_quality.performance.counts import SLIDER, Evaluation  # noqa: PLC0415

    con = duckdb.connect(database, read_only=True)
    con.execute("SET memory_limit = '1GB'")
    con.execute("SET preserve_insertion_order = false")
    start = time.perf_counter()
    evaluation = Evaluation(con, MODEL, iou_type)
    load = time.perf_counter() - start
    each = []
    for iou in SLIDER.tolist():
        start = time.perf_counter()
        evaluation.counts_at(iou, min_score=0.05)
        each.append(time.perf_counter() - start)
    return {"load": load, "median": statistics.median(each), "worst": max(each), "stops": len(each)}


def prepare(asked: argparse.Namespace, section: Section) -> dict[str, Any]:
    """Generate the files and audit them, unless that was done; the manifest of the files."""
    command = [asked.python, str(HERE / "generate.py"), "--scale", section.scale]
    command += ["--out", str(asked.work)] + (["--masks"] if section.iou_type == "segm" else [])
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    root, files = asked.work / section.root, asked.work / section.scale
    if not (root / "label_quality.duckdb").exists():
        env = {
            k: v for k, v in os.environ.items() if not k.startswith(("LABEL_QUALITY", "DAGSTER"))
        }
        home = asked.work / "dagster_home"
        home.mkdir(parents=True, exist_ok=True)
        command = [asked.python, "-m", "label_quality.cli", "audit", "--root", str(root)]
        command += ["--annotations", str(files / "annotations.json")]
        command += ["--predictions", f"{MODEL}={files / section.predictions}"]
        env["DAGSTER_HOME"] = str(home.absolute())
        done = measure.run(command, cwd=PROJECT, env=env, timeout=asked.timeout)
        if done.exit_code not in (0, 1):
            sys.exit(f"evaluation.py: the audit failed\n{done.output[-1000:]}{done.errors[-1000:]}")
    for path in (
        files / "annotations.json",
        files / section.predictions,
        root / "label_quality.duckdb",
    ):
        subprocess.run(["cat", path], check=True, stdout=subprocess.DEVNULL)
    manifest: dict[str, Any] = json.loads(made.stdout)
    return manifest


def commands(asked: argparse.Namespace, section: Section) -> dict[str, list[str]]:
    """Row -> command."""
    database, files = asked.work / section.root / "label_quality.duckdb", asked.work / section.scale
    own = [asked.python, str(HERE / "evaluation.py"), "--iou-type", section.iou_type]
    out = {OWN: [*own, "--judge", str(database)]}
    for peer in section.peers:
        out[peer] = [
            asked.peers_python,
            str(HERE / "peers.py"),
            peer,
            "--iou-type",
            section.iou_type,
        ]
        out[peer] += ["--annotations", str(files / "annotations.json")]
        out[peer] += ["--predictions", str(files / section.predictions)]
    out["slider"] = [*own, "--slide", str(database)]
    return out


def timed(asked: argparse.Namespace, key: str) -> dict[str, Any]:
    """Run the rows of one section in turn."""
    section = SECTIONS[key]
    manifest = prepare(asked, section)
    rows: dict[str, list[dict[str, Any]]] = {}
    load = os.getloadavg()[0]
    env = os.environ | {"PYTHONPATH": str(PROJECT)}
    for repeat in range(asked.repeats):
        for name, command in commands(asked, section).items():
            done = measure.run(command, cwd=PROJECT, env=env, timeout=asked.timeout)
            lines = done.output.strip().splitlines()
            told = json.loads(lines[-1]) if done.exit_code == 0 and lines else {}
            rows.setdefault(name, []).append(figures(done, done.exit_code == 0) | told)
            print(f"{key} {repeat + 1}/{asked.repeats} {name}: {done.wall:.2f} s", flush=True)
    counts = ", ".join(f"{manifest[k]:,} {k}" for k in ("images", "labels", "predictions"))
    return {
        "title": section.title,
        "files": counts,
        "rows": rows,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": [load, os.getloadavg()[0]],
        "machine": machine(),
        "versions": versions(asked.python, OWN_PACKAGES) | versions(asked.peers_python, PEERS),
    }


def equal(section: dict[str, Any]) -> bool:
    """Whether every run worked and all rows have the same twelve numbers."""
    runs = [run for row in section["rows"].values() for run in row]
    stats = [run["stats"] for run in runs if "stats" in run]
    close = all(abs(a - b) <= 1e-6 for s in stats for a, b in zip(s, stats[0], strict=True))
    return all(run["worked"] for run in runs) and bool(stats) and close


def page(results: dict[str, Any]) -> str:
    """docs/evaluation_speed.md."""
    parts = [_HEAD]
    for section in (results[key] for key in SECTIONS if key in results):
        rows = {n: r for n, r in section["rows"].items() if all(run["worked"] for run in r)}
        own = _median(rows[OWN], "wall")
        parts.append(
            f"## {section['title']}\n\n| | wall | load | evaluate | peak memory | ours is |"
        )
        parts.append("|---|---|---|---|---|---|")
        for name, runs in rows.items():
            if name == "slider":
                continue
            wall, inner = _median(runs, "wall"), [r["seconds"] for r in runs]
            ratio = "" if name == OWN else _ratio(wall / own)
            parts.append(
                f"| {name} | {wall:.2f} s | {_median(inner, 'load'):.2f} s | {_median(inner, 'evaluate'):.2f} s "
                f"| {_median(runs, 'peak') / 1e9:.2f} GB | {ratio} |"
            )
        same = "equal to 1e-6" if equal(section) else "**NOT equal**"
        parts.append(f"\nThe twelve numbers of all rows are {same}; AP {rows[OWN][0]['AP']:.4f}.")
        slider = rows["slider"]
        parts.append(
            f"Slider: a query takes {_median(slider, 'median') * 1000:.0f} ms (median of {slider[0]['stops']} stops), "
            f"{_median(slider, 'worst') * 1000:.0f} ms at worst; loaded once in {_median(slider, 'load'):.2f} s, "
            f"peak memory {_median(slider, 'peak') / 1e9:.2f} GB.\n"
        )
        words = ", ".join(f"{n} {v}" for n, v in section["versions"].items())
        m = section["machine"]
        parts.append(
            f"{section['files']}. {section['date']}, {len(rows[OWN])} repeats, {m['cpu']}, {m['cores']} cores, "
            f"load {section['load'][0]:.2f} to {section['load'][1]:.2f}. {words}.\n"
        )
    return "\n".join(parts)


_HEAD = """# Speed of exact evaluation

Written by `benchmarks/evaluation.py`; do not edit. Each row is a fresh process, medians over the repeats, the start of
Python included; 1 GB is 10^9 bytes. The rows do not start from the same place: ours reads the published database, in which an
audit has already put the overlaps of labels and predictions (docs/speed.md says what an audit costs); a peer reads the COCO
files and computes them. Ours gives the numbers of each category too. pycocotools and faster-coco-eval are not run at
train2017 scale: by their rows at val2017 scale they would need more memory than this machine has, or more than a quarter of an hour.
"""


def _median(rows: list[dict[str, Any]], name: str) -> float:
    return statistics.median(r[name] for r in rows)


def _ratio(times: float) -> str:
    return f"{times:.1f} times faster" if times >= 1 else f"**{1 / times:.1f} times slower**"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time exact COCO evaluation and its peers.")
    parser.add_argument("--only", choices=sorted(SECTIONS), action="append")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="generated files")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one command")
    parser.add_argument("--python", default=_python(".venv"), help="with label_quality")
    parser.add_argument("--peers-python", default=_python(".venv-bench"), help="with the peers")
    parser.add_argument("--iou-type", default="bbox", help="of --judge and --slide")
    parser.add_argument("--judge", metavar="DATABASE", help="only our row, as JSON")
    parser.add_argument("--slide", metavar="DATABASE", help="only the slider, as JSON")
    return parser.parse_args()


def main() -> int:
    """Command line; returns the exit code."""
    asked = arguments()
    if asked.judge or asked.slide:
        told = (
            judge(asked.judge, asked.iou_type)
            if asked.judge
            else slide(asked.slide, asked.iou_type)
        )
        print(json.dumps(told))
        return 0
    asked.work.mkdir(parents=True, exist_ok=True)
    asked.work = asked.work.resolve()
    target, text = HERE / "results" / "evaluation.json", PROJECT / "docs" / "evaluation_speed.md"
    results = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    ran = asked.only or list(SECTIONS)
    for key in ran:
        results[key] = timed(asked, key)
        target.write_text(json.dumps(results, indent=1), encoding="utf-8")
        text.write_text(page(results), encoding="utf-8")
    print(page(results))
    return int(not all(equal(results[key]) for key in ran))


if __name__ == "__main__":
    sys.exit(main())
