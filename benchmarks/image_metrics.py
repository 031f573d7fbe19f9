"""What the metrics of pixels cost beside only decoding the same JPEGs, in the same run, with the same processes.

    python benchmarks/image_metrics.py [--images DIR] [--repeats 5]

Real images are those of the COCO val2017 subset beside the project (or `--images`, a folder of JPEGs), each with the boxes
of its labels in the ``instances.json`` beside the folder; generated ones are drawn here from a seed. Both sides read the files and decode them with Pillow; "decode" then
leaves it at that. Both take turns, and medians are compared. Writes ``results/image_metrics.json`` and
``docs/image_metrics_speed.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image

from label_quality.metrics.pixels import IMAGES_A_TASK, Task, measure
from label_quality.workers import in_processes

HERE = Path(__file__).resolve().parent
SUBSET = HERE.parents[1] / "shared" / "data" / "coco_val2017_subset"
RESULT = HERE / "results" / "image_metrics.json"
PAGE = HERE.parent / "docs" / "image_metrics_speed.md"
BAR = 1.5
PASSES = 6  # over the files, so that the start of the processes weighs little


def only_decode(root: Path, task: Task) -> int:
    """The bar: open and decode, nothing else."""
    for name in task.file_name:
        with Image.open(root / name) as image:
            image.load()
    return len(task.file_name)


def generate(folder: Path, count: int, seed: int = 7) -> None:
    """JPEGs of 640 × 480, 4:2:0, quality 92, about as large as COCO's: smooth shapes with fine noise."""
    random = np.random.default_rng(seed)
    for k in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((640, 480), Image.Resampling.BICUBIC), dtype=np.float64)
        noisy = smooth + random.normal(0, random.uniform(4, 16), (480, 640, 1))
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        picture.save(folder / f"{k:05d}.jpg", quality=92, subsampling=2)


def tasks(folder: Path, boxes: dict[str, list[list[float]]]) -> list[Task]:
    """All JPEGs of a folder with the boxes of their labels, as the audit hands them out."""
    names = sorted(p.name for p in folder.glob("*.jpg"))
    out = []
    for start in range(0, len(names), IMAGES_A_TASK):
        some = names[start : start + IMAGES_A_TASK]
        of = [boxes.get(n, []) for n in some]
        flat = np.array([b for one in of for b in one], dtype=np.float64).reshape(-1, 4)
        out.append(
            Task(
                np.arange(start, start + len(some)),
                some,
                [None] * len(some),
                np.ones(len(some), bool),
                np.arange(len(flat)),
                flat,
                np.cumsum([0, *map(len, of)]),
            )
        )
    return out


def random_boxes(names: list[str], seed: int = 7) -> dict[str, list[list[float]]]:
    """Seven boxes for each generated image, COCO's mean."""
    random = np.random.default_rng(seed)
    out = {}
    for name in names:
        size = random.uniform(10, 300, (7, 2))
        place = random.uniform(0, 1, (7, 2)) * (np.array([640, 480]) - size)
        out[name] = np.concatenate([place, size], axis=1).tolist()
    return out


def boxes_beside(images: Path) -> dict[str, list[list[float]]]:
    """The boxes of the real labels by file name, of ``instances.json`` beside the folder."""
    file = images.parent / "instances.json"
    if not file.is_file():
        return {}
    labels = json.loads(file.read_text("utf-8"))
    names = {i["id"]: i["file_name"] for i in labels["images"]}
    out: dict[str, list[list[float]]] = {}
    for a in labels["annotations"]:
        out.setdefault(names[a["image_id"]], []).append(a["bbox"])
    return out


def timed(work: Callable[[Task], Any], some: list[Task], parallel: bool) -> float:
    """Wall seconds for all tasks, `PASSES` times, in all cores or in this process."""
    many: Iterator[Task] = (t for _ in range(PASSES if parallel else 1) for t in some)
    start = time.perf_counter()
    for _ in in_processes(work, many, 1e9 if parallel else 0):
        pass
    return time.perf_counter() - start


def compare(folder: Path, boxes: dict[str, list[list[float]]], repeats: int) -> dict[str, Any]:
    """Both sides in turn, after one pass that warms the page cache."""
    some = tasks(folder, boxes)
    count = sum(len(t.file_name) for t in some)
    sides = {"decode": partial(only_decode, folder), "measure": partial(measure, folder)}
    out: dict[str, Any] = {"images": count, "boxes": sum(len(t.box) for t in some)}
    timed(sides["measure"], some, parallel=False)
    for where, parallel in (("one core", False), ("all cores", True)):
        runs: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(repeats):
            for name, work in sides.items():
                runs[name].append(timed(work, some, parallel))
        each = count * (PASSES if parallel else 1)
        ms = {n: round(1000 * statistics.median(v) / each, 3) for n, v in runs.items()}
        ratios = [m / d for m, d in zip(runs["measure"], runs["decode"], strict=True)]
        out[where] = {
            "milliseconds an image": ms,
            "ratio": round(statistics.median(ratios), 3),
            "ratios": [round(r, 3) for r in ratios],
        }
    return out


def page(result: dict[str, Any]) -> str:
    """``docs/image_metrics_speed.md``."""
    rows = ""
    for name, found in result["files"].items():
        for where in ("one core", "all cores"):
            ms, ratio = found[where]["milliseconds an image"], found[where]["ratio"]
            spread = f"{min(found[where]['ratios']):.2f} to {max(found[where]['ratios']):.2f}"
            verdict = "met" if ratio <= BAR else "**not met**"
            rows += f"| {name} | {where} | {ms['decode']} | {ms['measure']} | {ratio:.2f} ({spread}) | {verdict} |\n"
    return f"""# What metrics of pixels cost

Written by `python benchmarks/image_metrics.py`; do not edit. Both sides read and decode the same JPEGs with Pillow {result["pillow"]}
(libjpeg-turbo), with the same processes, in turn; "measured" makes all metrics of pixels of the images and of the boxes of
their labels, and the digests and hashes of duplicates. Milliseconds of wall time an image, medians of {result["repeats"]}; the bar is
{BAR} times the time of decoding alone.

| files | on | decoded, ms | measured, ms | ratio (range) | bar |
|---|---|---|---|---|---|
{rows}
{result["cores"]} cores ({result["machine"]}), load when it began {result["load"]}. "All cores" includes the start of the processes on both sides.
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=SUBSET / "images")
    parser.add_argument("--generated", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    result: dict[str, Any] = {
        "pillow": PIL.__version__,
        "repeats": given.repeats,
        "cores": len(os.sched_getaffinity(0)),
        "machine": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2),
        "files": {},
    }
    if given.images.is_dir():
        result["files"]["real (COCO val2017 subset)"] = compare(
            given.images, boxes_beside(given.images), given.repeats
        )
    else:
        print(f"no real images: {given.images} is not there", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), given.generated)
        names = sorted(p.name for p in Path(folder).glob("*.jpg"))
        result["files"]["generated"] = compare(Path(folder), random_boxes(names), given.repeats)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    import image_metrics  # by its name, so that other processes find its functions

    image_metrics.main()
