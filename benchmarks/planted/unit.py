"""One seed of one dataset: all its runs, all methods, their figures. Kept as a file, so that a stopped benchmark goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from label_quality.schema import ERROR_TYPES
from planted import datasets, figures, objectlab
from planted.controls import confusion, unplanted
from planted.methods import NAIVE, THIS, Scores, this_project
from planted.peers import PEERS
from planted.runs import Plan, Run, make, plans

OBJECTLAB = "ObjectLab"
_CODE = (
    "label_quality/findings",
    "label_quality/matching",
    "label_quality/planting",
    "label_quality/calibration",
    "benchmarks/planted",
)
_AFTERWARDS = ("judging.py", "page.py", "__init__.py")
_OBJECTLAB_RATE = 0.05  # it takes seconds a run: it is shown one rate of each shape
_CONFUSED_AT = 0.10


@dataclass(frozen=True)
class Options:
    """What all units of a benchmark have in common."""

    half: str
    quick: bool
    peers_python: str | None


@dataclass(frozen=True)
class Unit:
    """Rows of figures, one per run, type and method; `vectors` (rows, 1 + replicates): average precision by draw of images."""

    rows: list[dict[str, Any]]
    vectors: np.ndarray
    controls: dict[str, Any]
    seconds: float


def run_all(name: str, seeds: Iterable[int], options: Options, objectlab_seeds: int) -> list[Path]:
    """Make the units that are not there yet; the files of all."""
    data, weights, files = None, None, []
    for seed in seeds:
        with_objectlab = bool(options.peers_python) and seed < objectlab_seeds
        marks = [
            options.half,
            *(["quick"] if options.quick else []),
            *(["lab"] if with_objectlab else []),
        ]
        file = datasets.WORK / f"{name}-{seed}-{'-'.join(marks)}-{_version()}.npz"
        if not file.exists():
            data = data or datasets.load(name)
            images = data.half(options.half)
            weights = figures.image_weights(images, 0) if weights is None else weights
            made = _unit(data, seed, options, weights, images, with_objectlab)
            _save(file, made)
            print(f"{name}, seed {seed}: {len(made.rows)} rows in {made.seconds:.0f} s", flush=True)
        files.append(file)
    return files


def load(file: Path) -> Unit:
    """What was kept."""
    kept = np.load(file)
    told = json.loads(str(kept["told"]))
    return Unit(told["rows"], kept["vectors"], told["controls"], told["seconds"])


def _save(file: Path, made: Unit) -> None:
    told = {"rows": made.rows, "controls": made.controls, "seconds": made.seconds}
    temporary = file.with_suffix(".tmp.npz")
    np.savez_compressed(temporary, told=np.array(json.dumps(told)), vectors=made.vectors)
    temporary.replace(file)


def _version() -> str:
    """Of all code that the figures of one unit depend on."""
    digest = hashlib.sha256()
    for folder in _CODE:
        for file in sorted((datasets.PROJECT / folder).glob("*.py")):
            if file.name not in _AFTERWARDS:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _unit(
    data: datasets.Dataset,
    seed: int,
    options: Options,
    weights: np.ndarray,
    images: np.ndarray,
    with_objectlab: bool,
) -> Unit:
    start = time.perf_counter()
    runs = [r for p in plans(options.quick) for r in [make(data, p, seed)] if _worth(r)]
    answers: list[dict[str, Scores]] = [
        {name: score(data, r) for name, score in {THIS: this_project, **PEERS, **NAIVE}.items()}
        for r in runs
    ]
    if with_objectlab and options.peers_python:
        shown = [k for k, r in enumerate(runs) if _for_objectlab(r.plan)]
        found = objectlab.scores(options.peers_python, data, [runs[k] for k in shown])
        for k, scores in zip(shown, found, strict=True):
            answers[k][OBJECTLAB] = scores
    rows: list[dict[str, Any]] = []
    vectors: list[np.ndarray] = []
    for run, scores in zip(runs, answers, strict=True):
        for kind in _judged(run):
            base = {"shape": run.plan.shape, "rate": run.plan.rate, "type": kind}
            for method, by_kind in scores.items():
                if kind in by_kind:
                    row, vector = _figures(data, run, kind, by_kind[kind], weights, images)
                    rows.append(base | {"method": method} | row)
                    vectors.append(vector)
    told = unplanted(data, images) | {
        "confusion": [confusion(r) for r in runs if r.plan == Plan("mixed", _CONFUSED_AT)]
    }
    return Unit(rows, np.array(vectors, np.float32), told, time.perf_counter() - start)


def _worth(run: Run) -> bool:
    return len(run.errors["image"]) > 0


def _for_objectlab(plan: Plan) -> bool:
    return plan.rate == _OBJECTLAB_RATE and plan.error_type in (*objectlab.TYPES, None)


def _judged(run: Run) -> tuple[str, ...]:
    kind = run.plan.error_type
    return (kind,) if kind else (*ERROR_TYPES, "image")


def _figures(
    data: datasets.Dataset,
    run: Run,
    kind: str,
    score: np.ndarray,
    weights: np.ndarray,
    images: np.ndarray,
) -> tuple[dict[str, Any], np.ndarray]:
    if kind == "image":
        wrong = np.unique(run.errors["image"])
        where = np.arange(len(data.image_ids))
        c = figures.Candidates(score, where, np.where(np.isin(where, wrong), where, -1), wrong)
    else:
        where = data.predictions["image"] if kind == "missing" else run.labels["image"]
        mine = run.errors["image"][run.errors["error_type"] == kind]
        c = figures.Candidates(score, where, run.hit[kind], mine)
    c = figures.within(c, images)
    r = figures.ranked(c, run.seed)
    vector = figures.average_precisions(r, weights)
    labels = int(images[run.labels["image"]].sum())
    hits = r.error >= 0
    row = {
        "AP": float(vector[0]),
        "errors": len(r.error_image),
        "reachable": int(hits.sum()),
        "found": int((hits & (r.score > 0)).sum()),
        **figures.points(r, labels if kind != "image" else int(images.sum())),
    }
    return row, vector
