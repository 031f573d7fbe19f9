"""pycocotools' COCOeval on dictionaries, and generated scenes that hold what is rare in real data."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

Record = dict[str, Any]


def evaluated(
    document: Record,
    results: Sequence[Record],
    iou_type: str = "bbox",
    ious: Sequence[float] | None = None,
    max_dets: Sequence[int] = (1, 10, 100),
) -> COCOeval:
    """COCOeval after evaluate, accumulate and, with its own IoUs, summarize. The arguments are left as they are."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(document)
        truth.createIndex()
        found = truth.loadRes(copy.deepcopy(list(results))) if results else COCO()
        judge = COCOeval(truth, found, iou_type)
        if ious is not None:
            judge.params.iouThrs = np.array(ious)
        judge.params.maxDets = list(max_dets)
        judge.evaluate()
        judge.accumulate()
        if ious is None:
            judge.summarize()
    return judge


def scene(
    seed: int, images: int = 12, categories: int = 4, crowded: bool = False
) -> tuple[Record, list[Record]]:
    """Labels and results on a coarse grid: equal scores, equal IoUs, equal boxes, crowds, empty images, images with
    predictions only and with labels only, categories without labels, areas at the limits of the ranges."""
    rng = np.random.default_rng(seed)
    document: Record = {
        "images": [{"id": 7 * k + 3, "width": 400, "height": 400} for k in range(images)],
        "categories": [{"id": 2 * k + 1, "name": f"class {k}"} for k in range(categories)],
        "annotations": [],
    }
    results: list[Record] = []
    sides = [8, 16, 32, 32, 64, 96, 96, 128]
    for k, image in enumerate(document["images"]):
        for _ in range(0 if k % 4 == 0 else int(rng.integers(1, 9))):
            box = [*(rng.integers(0, 12, 2) * 16).tolist(), *rng.choice(sides, 2).tolist()]
            own = {"id": len(document["annotations"]) + 1, "image_id": image["id"], "bbox": box}
            # The last category has no labels. The area of a mask differs from that of the box.
            own["category_id"] = 2 * int(rng.integers(categories - 1)) + 1
            own["area"] = float(rng.choice([box[2] * box[3], 1024, 1023.5, 9216, 9216.5]))
            own["iscrowd"] = int(rng.random() < 0.15)
            document["annotations"].append(own)
        own = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        for _ in range(0 if k % 4 == 1 else int(rng.integers(1, 30)) * (12 if crowded else 1)):
            near = own[int(rng.integers(len(own)))] if own and rng.random() < 0.8 else None
            box = near["bbox"] if near else [*(rng.integers(0, 12, 2) * 16).tolist(), 64, 64]
            box = (np.array(box) + rng.choice([0, 0, 2, 4, 8], 4)).tolist()
            kind = (
                near["category_id"]
                if near and rng.random() < 0.8
                else 2 * int(rng.integers(categories)) + 1
            )
            results.append(
                {
                    "image_id": image["id"],
                    "bbox": box,
                    "category_id": kind,
                    "score": round(float(rng.random()), 1),
                }
            )
    return document, results


def with_masks(document: Record, results: Sequence[Record]) -> tuple[Record, list[Record]]:
    """The same with octagons in the boxes as masks."""
    document = copy.deepcopy(document)
    for a in document["annotations"]:
        a["segmentation"] = [_octagon(a["bbox"])]
    return document, [{**r, "segmentation": _rle(document, r)} for r in results]


def _octagon(box: Sequence[float]) -> list[float]:
    x, y, w, h = box
    at = [(0.3, 0), (0.7, 0), (1, 0.3), (1, 0.7), (0.7, 1), (0.3, 1), (0, 0.7), (0, 0.3)]
    return [float(v) for a, b in at for v in (x + a * w, y + b * h)]


def _rle(document: Record, result: Record) -> Record:
    from pycocotools import mask as mask_api

    size = next(i for i in document["images"] if i["id"] == result["image_id"])
    rle = mask_api.merge(
        mask_api.frPyObjects([_octagon(result["bbox"])], size["height"], size["width"])
    )
    return {"size": rle["size"], "counts": rle["counts"].decode()}
