"""Measures how far calibrated probabilities are right, and writes the tables of docs/calibration.md.

``python docs/measure_calibration.py`` needs the real data beside the project (CONTRIBUTING.md). Noise of one half of the shapes is put
into labels, which then are calibrated by planting the other half into them, and the other way round: what was put in is known.
The demo's labels are faultless before that, so there everything is known; the real ones have errors of their own, which
nobody has counted: what is said of them counts as a false alarm.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
from numpy.random import default_rng

from label_quality.calibration.curve import evaluate, fit_curve
from label_quality.calibration.fit import fit
from label_quality.calibration.folds import HALVES
from label_quality.calibration.load import load_files
from label_quality.calibration.reliability import reliability
from label_quality.calibration.rounds import even_shares, plant_round
from label_quality.calibration.sample import choose, opened
from label_quality.demo.bench import make_benches
from label_quality.demo.detector import STRONG, WEAK, simulate
from label_quality.demo.planting import Planting, true_labels
from label_quality.demo.scenes import HEIGHT, WIDTH, make_scene
from label_quality.demo.write import coco_document
from label_quality.planting import matched, plant, rescore
from label_quality.schema import ERROR_TYPES

SHARED = Path(os.environ.get("LABEL_QUALITY_SHARED", Path(__file__).parents[2] / "shared")) / "data"
PAGE = Path(__file__).with_name("calibration.md")
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
RATES, SEEDS, ROUNDS, SCENES = (0.02, 0.05, 0.1), (0, 1), 2, 200
_JUDGED = """
select f.error_type, f.score, count(h.error_id) > 0 as hit
from finding_scores f left join planted_findings h using (finding_id) group by f.finding_id, f.error_type, f.score
"""


@contextmanager
def data_set(name: str, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The sample of a data set that would be planted into, as a database."""
    if name == "demo":
        annotations, results = faultless_demo(folder)
    else:
        annotations = SHARED / name / "instances.json"
        results = [(f.stem, f) for f in sorted((SHARED / name / "predictions").glob("*.json"))]
    with duckdb.connect() as con:
        load_files(con, annotations, results)
        (part,) = choose(con)
        with opened(con, part) as data:
            yield data


def faultless_demo(folder: Path) -> tuple[Path, list[tuple[str, Path]]]:
    """Labels of the demo's scenes as they are true, and the results of its simulated detectors."""
    benches = make_benches(default_rng([1, 3]), HEIGHT * 3 // 2, WIDTH * 3 // 2)
    scenes = [make_scene(k, benches, default_rng([1, 0, k]))[0] for k in range(1, SCENES + 1)]
    labels = sorted(true_labels(scenes), key=lambda label: label.image_id)
    annotations = folder / "demo.json"
    annotations.write_text(json.dumps(coco_document(scenes, Planting(labels, []))), "utf-8")
    results = []
    for number, detector in enumerate((STRONG, WEAK)):
        results.append((detector.name, folder / f"{detector.name}.json"))
        found = simulate(detector, scenes, default_rng([1, 2, number]))
        results[-1][1].write_text(json.dumps(found), "utf-8")
    return annotations, results


class Judged:
    """One calibration of labels whose noise is known: by the method, and with the number of errors given."""

    def __init__(self, data: duckdb.DuckDBPyConnection, rate: float, seed: int, half: int) -> None:
        noise = plant(data, even_shares(HALVES[1 - half], rate), [seed, half, 1])
        with rescore(data, noise) as user:
            matched(user)
            rows = user.execute(_JUDGED).fetchnumpy()
            ((self.labels,),) = user.execute(
                "select count(*) from annotations where not iscrowd"
            ).fetchall()
            rounds = [plant_round(user, HALVES[half], [seed, half, 2, k]) for k in range(ROUNDS)]
        kinds, hit = rows["error_type"].astype(str), rows["hit"].astype(bool)
        own = {k: rows["score"][kinds == k] for k in ERROR_TYPES}
        fitted = fit(own, rounds, self.labels)
        assert fitted is not None
        self.cut, self.errors = fitted.default_cut, noise.ledger.num_rows
        self.expected = sum(t.expected_errors for t in fitted.types)
        p, given, y = [], [], []
        for t in fitted.types:
            number = ERROR_TYPES.index(t.error_type)
            planted = np.concatenate([r.scores[r.hit & (r.kinds == number)] for r in rounds])
            mine, truth = own[t.error_type], hit[kinds == t.error_type]
            p.append(evaluate(t.curve, mine))
            given.append(evaluate(fit_curve(mine, planted, float(truth.sum())), mine))
            y.append(truth)
        self.p, self.given, self.hit = (np.concatenate(x) for x in (p, given, y))


def measure(name: str) -> list[str]:
    """Rows of the table for one data set."""
    out = []
    with TemporaryDirectory() as folder, data_set(name, Path(folder)) as data:
        rates = (0.0, *RATES) if name == "demo" else RATES
        every = {r: [Judged(data, r, s, h) for s in SEEDS for h in (0, 1)] for r in rates}
        every["all"] = [j for r in RATES for j in every[r]]
        for rate, some in every.items():
            p, given, y = (
                np.concatenate([getattr(j, f) for j in some]) for f in ("p", "given", "hit")
            )
            labels, shown = sum(j.labels for j in some), sum((j.p >= j.cut).sum() for j in some)
            right = sum(j.hit[j.p >= j.cut].sum() for j in some)
            cells = [
                name if rate != "all" else f"**{name}, all**",
                rate if rate == "all" else f"{rate:.0%}",
                f"{sum(j.errors for j in some) / labels:.1%}",
                f"{sum(j.expected for j in some) / labels:.1%}",
                *_figures(p, y),
                *_figures(given, y),
                f"{shown / labels:.1%}",
                f"{right / shown:.0%}" if shown else "",
            ]
            out.append(f"| {' | '.join(map(str, cells))} |")
            print(out[-1], file=sys.stderr, flush=True)
    return out


def _figures(p: np.ndarray, y: np.ndarray) -> tuple[str, str]:
    found = reliability(p, y)
    return tuple("" if v is None else f"{v:.{d}f}" for v, d in ((found.error, 3), (found.slope, 2)))  # type: ignore[return-value]


def main() -> None:
    """Measure, print and write."""
    head = (
        "| data | noise | planted | expected | ECE | slope | ECE, number given | slope, number given | shown first | of these planted |",
        "|---|---|---|---|---|---|---|---|---|---|",
    )
    names = sys.argv[1:] or ["demo", "coco_val2017_subset", "nuclei"]
    table = "\n".join([*head, *(row for name in names for row in measure(name))]) + "\n"
    print(table)
    if not sys.argv[1:]:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
