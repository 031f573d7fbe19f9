"""cleanlab's ObjectLab, by its own functions, in the environment of the peers: `scores` asks, `main` answers there.

It takes boxes, one model and no crowds. It looks at predictions of a confidence above 0.5 only, so it is given no others: this changes the
smallest similarity, which is below all others anyway, and no order. Its scores are qualities; suspicion is 1 − score.
Images without labels or without such predictions, which it cannot take, are left out: nothing is suspicious there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from planted.datasets import Dataset
    from planted.methods import Scores
    from planted.runs import Run

_LOW = 0.5
TYPES = ("missing", "wrong_class", "inaccurate")


def scores(python: str, data: Dataset, runs: list[Run]) -> list[Scores]:
    """The scores of each run, all of them in one process of `python`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen = np.flatnonzero((data.predictions["model"] == 0) & (data.predictions["score"] > _LOW))
        for k, run in enumerate(runs):
            np.savez(folder / f"in-{k}.npz", **_flat(data, run, seen))
        subprocess.run([python, __file__, str(folder), str(len(runs))], check=True)
        return [
            _read(data, run, seen, np.load(folder / f"out-{k}.npz")) for k, run in enumerate(runs)
        ]


def _flat(data: Dataset, run: Run, seen: np.ndarray) -> dict[str, np.ndarray]:
    classes = data.con.execute("select category_id from categories order by 1").fetchnumpy()
    tables = {"label": run.labels, "seen": {k: v[seen] for k, v in data.predictions.items()}}
    out = {"classes": np.array(len(classes["category_id"])), "score": tables["seen"]["score"]}
    for side, table in tables.items():
        x, y, width, height = (table[c] for c in ("x", "y", "width", "height"))
        out[f"{side}_box"] = np.stack([x, y, x + width, y + height], 1)
        out[f"{side}_class"] = np.searchsorted(classes["category_id"], table["category_id"])
        out[f"{side}_image"] = table["image"]
    return out


def _read(data: Dataset, run: Run, seen: np.ndarray, found: Any) -> Scores:
    missing = np.zeros(len(data.predictions["image"]))
    missing[seen] = 1 - found["overlooked"]
    image = np.zeros(len(data.image_ids))
    image[found["images"]] = 1 - found["image"]
    return {
        "missing": missing,
        "wrong_class": 1 - found["swap"],
        "inaccurate": 1 - found["badloc"],
        "image": image,
    }


def answer(given: Any) -> dict[str, np.ndarray]:
    """Scores of one set of labels: overlooked (per prediction), badloc and swap (per label), image."""
    from cleanlab.object_detection import rank  # noqa: PLC0415

    images = np.intersect1d(given["label_image"], given["seen_image"])
    labels, predictions, at_label, at_seen = [], [], [], []
    for image in images:
        mine = np.flatnonzero(given["label_image"] == image)
        theirs = np.flatnonzero(given["seen_image"] == image)
        # As ObjectLab lays predictions out: class by class.
        theirs = theirs[np.argsort(given["seen_class"][theirs], kind="stable")]
        labels.append({"bboxes": given["label_box"][mine], "labels": given["label_class"][mine]})
        each = np.empty(int(given["classes"]), dtype=object)
        rows = np.concatenate([given["seen_box"][theirs], given["score"][theirs, None]], 1)
        each[:] = [rows[given["seen_class"][theirs] == c] for c in range(len(each))]
        predictions.append(each)
        at_label.append(mine)
        at_seen.append(theirs)
    # What its own find_label_issues does: the similarities are computed once for all three scores.
    shared = rank._get_valid_inputs_for_compute_scores(rank.ALPHA, labels, predictions)
    boxes = {
        "overlooked": rank.compute_overlooked_box_scores(auxiliary_inputs=shared),
        "badloc": rank.compute_badloc_box_scores(auxiliary_inputs=shared),
        "swap": rank.compute_swap_box_scores(auxiliary_inputs=shared),
    }
    pooled = [rank.pool_box_scores_per_image(s) for s in boxes.values()]
    out = {"images": images, "image": np.exp(np.log(np.maximum(pooled, 1e-100)).mean(0))}
    for name, per_image in boxes.items():
        at = at_seen if name == "overlooked" else at_label
        flat = np.ones(len(given["seen_image" if name == "overlooked" else "label_image"]))
        flat[np.concatenate(at)] = np.nan_to_num(np.concatenate(per_image), nan=1.0)
        out[name] = flat
    return out


def main() -> None:
    """Answer every in-K.npz of a folder with an out-K.npz."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    for k in range(count):
        np.savez(folder / f"out-{k}.npz", **answer(np.load(folder / f"in-{k}.npz")))


if __name__ == "__main__":
    main()
