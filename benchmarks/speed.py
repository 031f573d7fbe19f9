"""Time `label-quality audit` beside what users run today: `python benchmarks/speed.py`.

Generates the files once, then runs the rows of each section in turn, repeat by repeat, every
command in a fresh process and every audit in a fresh root. Prints the table and the bars, writes
`benchmarks/results/speed.json` and `docs/speed.md`. With `--only` the other sections keep their
last results, each with its own date and machine. Standard library only (see `measure`).

Exit code 0 when every run worked, whatever the bars say; 1 when one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import measure
import report

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
OWN_PACKAGES = ("dagster", "duckdb", "numpy", "pyarrow", "msgspec")
PEER_PACKAGES = ("pycocotools", "faster-coco-eval", "hotcoco", "cleanlab")


@dataclass(frozen=True)
class Setting:
    """Where things are: interpreters, generated files, sample size, time limit in seconds."""

    own_python: str
    peers_python: str
    work: Path
    objectlab_images: int
    timeout: float


@dataclass(frozen=True)
class Job:
    """One row of a section: a command on the files of one scale."""

    name: str
    scale: str
    run: Callable[[Setting, Path], dict[str, Any]]
    predictions: str = "predictions.json"


@dataclass(frozen=True)
class Section:
    """Rows that are timed together, interleaved."""

    jobs: list[Job]
    masks: bool = False


def audit(setting: Setting, annotations: Path, predictions: Path) -> dict[str, Any]:
    """The audit as shipped, in a fresh root. The DAGSTER_HOME is one for all runs, as a user's is: only the first of
    five repeats makes its databases. Exit code 0 (within limits) and 1 (a check is an error: the files hold planted
    ones) both mean that it worked."""
    home = setting.work / "dagster_home"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=setting.work, prefix="audit-") as name:
        root = Path(name)
        # As shipped: settings from outside must not change what is timed.
        env = {
            k: v for k, v in os.environ.items() if not k.startswith(("LABEL_QUALITY", "DAGSTER"))
        }
        command = [setting.own_python, "-m", "label_quality.cli", "audit"]
        command += ["--annotations", str(annotations), "--predictions", f"simulated={predictions}"]
        command += ["--root", str(root / "root"), "--json", str(root / "summary.json")]
        done = measure.run(
            command,
            cwd=PROJECT,
            env=env | {"DAGSTER_HOME": str(home.absolute())},
            timeout=setting.timeout,
        )
        summary = root / "summary.json"
        told = json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else {}
    worked = done.exit_code in (0, 1) and bool(told)
    return figures(done, worked) | {"seconds": told.get("seconds", {})}


def peer(tool: str) -> Callable[[Setting, Path, Path], dict[str, Any]]:
    """One of the tools of `peers`, by name."""

    def run(setting: Setting, annotations: Path, predictions: Path) -> dict[str, Any]:
        command = [setting.peers_python, str(HERE / "peers.py"), tool]
        command += ["--annotations", str(annotations), "--predictions", str(predictions)]
        command += ["--images", str(setting.objectlab_images)]
        done = measure.run(command, cwd=PROJECT, timeout=setting.timeout)
        lines = done.output.strip().splitlines()
        told = json.loads(lines[-1]) if done.exit_code == 0 and lines else {}
        return figures(done, done.exit_code == 0) | {"seconds": {}} | told

    return run


def figures(done: measure.Measured, worked: bool) -> dict[str, Any]:
    """What is kept of a measured run; of a failed one also the end of what it printed."""
    kept = {"worked": worked, "exit_code": done.exit_code, "wall": done.wall, "cpu": done.cpu}
    kept |= {"peak": done.peak, "peak_tree": done.peak_tree, "peak_one": done.peak_one}
    ends = (done.output[-1000:] + "\n" + done.errors[-1000:]).replace(str(PROJECT), ".")
    note = "stopped at the time limit\n" if done.timed_out else ""
    return kept if worked else kept | {"errors": note + ends}


def _job(name: str, scale: str, run: Any, predictions: str = "predictions.json") -> Job:
    return Job(
        name,
        scale,
        lambda setting, folder: run(setting, folder / "annotations.json", folder / predictions),
        predictions,
    )


SECTIONS: dict[str, Section] = {
    "val": Section(
        [
            _job("audit", "val", audit),
            _job("faster-coco-eval", "val", peer("faster-coco-eval")),
            _job("hotcoco", "val", peer("hotcoco")),
            _job("pycocotools", "val", peer("pycocotools")),
            _job("objectlab", "val", peer("objectlab")),
        ]
    ),
    "train": Section([_job("audit", "train", audit), _job("hotcoco", "train", peer("hotcoco"))]),
    "masks": Section(
        [
            _job("audit", "val", audit),
            _job("audit with masks", "val", audit, "predictions_masks.json"),
        ],
        masks=True,
    ),
    "scaling": Section([_job("audit", "val", audit), _job("audit x10", "val-x10", audit)]),
}


def files(setting: Setting, section: Section) -> dict[str, dict[str, Any]]:
    """Generate what the section needs unless it is there; the manifests by scale."""
    manifests = {}
    for scale in dict.fromkeys(job.scale for job in section.jobs):
        command = [setting.own_python, str(HERE / "generate.py"), "--scale", scale]
        command += ["--out", str(setting.work)] + (["--masks"] if section.masks else [])
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        manifests[scale] = json.loads(made.stdout)
        # So that the first command finds the files in the page cache as the later ones do.
        for job in section.jobs:
            for path in (
                setting.work / job.scale / n for n in ("annotations.json", job.predictions)
            ):
                if path.exists():
                    subprocess.run(["cat", path], check=True, stdout=subprocess.DEVNULL)
    return manifests


def timed(key: str, section: Section, setting: Setting, repeats: int) -> dict[str, Any]:
    """Run the rows of one section `repeats` times, in turn."""
    manifests = files(setting, section)
    rows: dict[str, Any] = {
        job.name: {"images": manifests[job.scale]["images"], "runs": []} for job in section.jobs
    }
    load = os.getloadavg()[0]
    for repeat in range(repeats):
        for job in section.jobs:
            done = job.run(setting, setting.work / job.scale)
            rows[job.name]["runs"].append(done)
            how = "" if done["worked"] else "  FAILED"
            print(
                f"{key} {repeat + 1}/{repeats} {job.name}: {done['wall']:.2f} s, "
                f"CPU {done['cpu']:.2f} s, {done['peak'] / report.GB:.2f} GB{how}",
                flush=True,
            )
            if not done["worked"]:
                print(done["errors"].rstrip(), file=sys.stderr)
    return {
        "rows": rows,
        "repeats": repeats,
        "load": [load, os.getloadavg()[0]],
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(
            ["python benchmarks/speed.py", "--only", key, "--repeats", str(repeats)]
        ),
        "files": [
            f"{s}: {m['images']:,} images, {m['labels']:,} labels, {m['predictions']:,} "
            "predictions, " + ", ".join(f"{n} {b / 1e6:,.0f} MB" for n, b in m["bytes"].items())
            for s, m in manifests.items()
        ],
        "machine": machine(),
        "versions": versions(setting.own_python, OWN_PACKAGES)
        | versions(setting.peers_python, PEER_PACKAGES),
    }


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory, system."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(python: str, packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions as an interpreter sees them; its own as `Python` of the first asked."""
    program = (
        "import json,sys,platform,importlib.metadata as m\n"
        "d={'Python':platform.python_version()}\n"
        "for n in sys.argv[1:]:\n"
        "    try: d[n]=m.version(n)\n"
        "    except m.PackageNotFoundError: d[n]='absent'\n"
        "print(json.dumps(d))"
    )
    command = [python, "-c", program, *packages]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, str] = json.loads(told)
    return found


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time `label-quality audit` and its peers.")
    parser.add_argument("--only", choices=sorted(SECTIONS), action="append")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="generated files")
    parser.add_argument("--objectlab-images", type=int, default=500)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one command")
    parser.add_argument("--python", default=_python(".venv"), help="with label_quality")
    parser.add_argument("--peers-python", default=_python(".venv-bench"), help="with the peers")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "speed.json")
    parser.add_argument("--page", type=Path, default=PROJECT / "docs" / "speed.md")
    return parser.parse_args()


def _python(venv: str) -> str:
    own = PROJECT / venv / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def main() -> int:
    """Command line; returns the exit code."""
    asked = arguments()
    for python in (asked.python, asked.peers_python):
        if shutil.which(python) is None:
            sys.exit(f"speed.py: there is no Python at {python}")
    asked.work.mkdir(parents=True, exist_ok=True)
    setting = Setting(
        asked.python,
        asked.peers_python,
        asked.work.resolve(),
        asked.objectlab_images,
        asked.timeout,
    )
    kept = json.loads(asked.results.read_text(encoding="utf-8")) if asked.results.exists() else {}
    ran = []
    for key in asked.only or list(SECTIONS):
        kept[key] = timed(key, SECTIONS[key], setting, asked.repeats)
        ran.append(kept[key])
        for path, text in (
            (asked.results, json.dumps(kept, indent=1)),
            (asked.page, report.page(kept)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    print()
    print(report.page(kept))
    return int(any(not r["worked"] for s in ran for row in s["rows"].values() for r in row["runs"]))


if __name__ == "__main__":
    sys.exit(main())
