"""What users run today on the same files, one subcommand per tool, each for a fresh process.

`python peers.py TOOL --annotations FILE --predictions FILE`, run with the Python that has
`requirements.txt`. Every tool is used as its own documentation shows it. The last line printed is
JSON: `tool`, `version`, `seconds` by step, and a result that shows the work was done.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any


class Clock:
    """Seconds between marks."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, step: str) -> None:
        """Book the time since the last mark under `step`."""
        now = time.perf_counter()
        self.seconds[step] = round(now - self._last, 4)
        self._last = now


def _average_precision(module: str, coco: str, evaluator: str, asked: Any) -> dict[str, Any]:
    """AP by the interface that pycocotools and its replacements share."""
    clock = Clock()
    package = importlib.import_module(module)
    kind = getattr(importlib.import_module(coco), "COCO")  # noqa: B009
    judge = getattr(package, evaluator)
    clock.mark("import")
    truth = kind(asked.annotations)
    found = truth.loadRes(asked.predictions)
    clock.mark("load")
    run = judge(truth, found, asked.iou_type)
    run.evaluate()
    run.accumulate()
    run.summarize()
    clock.mark("evaluate")
    stats = [float(v) for v in run.stats[:12]]
    return {"seconds": clock.seconds, "AP": round(stats[0], 4), "stats": stats}


def pycocotools(asked: Any) -> dict[str, Any]:
    """COCOeval, the reference."""
    return _average_precision("pycocotools.cocoeval", "pycocotools.coco", "COCOeval", asked)


def faster_coco_eval(asked: Any) -> dict[str, Any]:
    """COCOeval_faster: C++."""
    return _average_precision("faster_coco_eval", "faster_coco_eval", "COCOeval_faster", asked)


def hotcoco(asked: Any) -> dict[str, Any]:
    """hotcoco: Rust, all cores."""
    return _average_precision("hotcoco", "hotcoco", "COCOeval", asked)


def objectlab(asked: Any) -> dict[str, Any]:
    """cleanlab's ObjectLab on the first `--images` images; only `find_label_issues` is timed."""
    clock = Clock()
    from cleanlab.object_detection.filter import find_label_issues  # noqa: PLC0415

    clock.mark("import")
    labels, predictions = objectlab_input(asked.annotations, asked.predictions, asked.images)
    clock.mark("convert")
    issues = find_label_issues(labels, predictions)
    clock.mark("find_label_issues")
    each = clock.seconds["find_label_issues"] / len(labels)
    return {
        "seconds": clock.seconds,
        "images": len(labels),
        "seconds_per_image": round(each, 6),
        "flagged": int(issues.sum()),
    }


def objectlab_input(
    annotations: str, predictions: str, images: int
) -> tuple[list[dict[str, Any]], list[Any]]:
    """The first `images` images that have labels and predictions, as ObjectLab takes them: boxes as
    x1, y1, x2, y2, and per image one (n, 5) array of boxes and score for each class."""
    import numpy as np  # noqa: PLC0415

    document = json.loads(Path(annotations).read_bytes())
    results = json.loads(Path(predictions).read_bytes())
    by_label: dict[int, list[dict[str, Any]]] = {}
    for record in document["annotations"]:
        if not record["iscrowd"]:
            by_label.setdefault(record["image_id"], []).append(record)
    by_result: dict[int, list[dict[str, Any]]] = {}
    for record in results:
        by_result.setdefault(record["image_id"], []).append(record)
    kinds = {c["id"]: k for k, c in enumerate(document["categories"])}
    ids = [i["id"] for i in document["images"] if i["id"] in by_label and i["id"] in by_result]

    def corners(box: list[float]) -> list[float]:
        return [box[0], box[1], box[0] + box[2], box[1] + box[3]]

    labels, found = [], []
    for image_id in ids[:images]:
        boxes = np.array([corners(r["bbox"]) for r in by_label[image_id]])
        classes = np.array([kinds[r["category_id"]] for r in by_label[image_id]])
        labels.append({"bboxes": boxes, "labels": classes, "image_name": str(image_id)})
        rows: list[list[list[float]]] = [[] for _ in kinds]
        for r in by_result[image_id]:
            rows[kinds[r["category_id"]]].append([*corners(r["bbox"]), r["score"]])
        each = np.empty(len(kinds), dtype=object)
        each[:] = [np.array(row).reshape(-1, 5) for row in rows]
        found.append(each)
    return labels, found


TOOLS = {
    "pycocotools": pycocotools,
    "faster-coco-eval": faster_coco_eval,
    "hotcoco": hotcoco,
    "objectlab": objectlab,
}
PACKAGES = {"objectlab": "cleanlab"}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Run one peer on COCO files.")
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("--annotations", required=True)
    parser.add_argument("--predictions", required=True)
    parser.add_argument("--images", type=int, default=500, help="objectlab: images in the sample")
    parser.add_argument("--iou-type", choices=("bbox", "segm"), default="bbox")
    asked = parser.parse_args()
    result = TOOLS[asked.tool](asked)
    package = PACKAGES.get(asked.tool, asked.tool)
    print(json.dumps({"tool": asked.tool, "version": version(package)} | result))


if __name__ == "__main__":
    main()
