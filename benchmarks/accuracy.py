"""Plant label errors, let all methods look for them, and write `docs/accuracy.md`: `python benchmarks/accuracy.py`.

One seed of one dataset is one unit of work, kept in `benchmarks/.work/accuracy` until the code's version (`--version`) changes, so that a run
can be stopped and taken up. Prints the bars, writes `benchmarks/results/accuracy.json` and the page.
Exit code 0 whatever the bars say: losses are results.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from planted import page, unit
from planted.datasets import PROJECT, WORK, known
from planted.judging import judge

RESULTS = PROJECT / "benchmarks" / "results" / "accuracy.json"
PAGE = PROJECT / "docs" / "accuracy.md"
DATASETS = ("coco", "coco-two", "nuclei", "demo")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=20, help="seeds 0 to N - 1")
    parser.add_argument("--objectlab-seeds", type=int, default=2, help="seeds that ObjectLab sees")
    parser.add_argument("--objectlab-datasets", nargs="*", choices=DATASETS, default=DATASETS)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--quick", action="store_true", help="10 % and one mix only")
    parser.add_argument("--half", choices=("choose", "report", "all"), default="report")
    parser.add_argument("--peers-python", help="interpreter with benchmarks/requirements.txt")
    parser.add_argument("--no-page", action="store_true", help="print only")
    asked = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    kept: dict[str, list[Path]] = {}
    for name in asked.datasets:
        kept[name] = unit.run_all(
            name,
            range(asked.seeds),
            unit.Options(asked.half, asked.quick, asked.peers_python),
            asked.objectlab_seeds if name in asked.objectlab_datasets else 0,
        )
    results = judge({n: [unit.load(p) for p in paths] for n, paths in kept.items()})
    results |= {"half": asked.half, "quick": asked.quick}
    results["titles"] = {n: f.title for n, f in known().items()}
    print(page.bars(results))
    if not asked.no_page:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        PAGE.write_text(page.page(results), "utf-8")


if __name__ == "__main__":
    main()
