"""The datasets that errors are planted into: read by the project's own readers, matched and scored once as they are."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from label_quality.calibration.load import load_files

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("LABEL_QUALITY_SHARED") or PROJECT.parent / "shared")
WORK = PROJECT / "benchmarks" / ".work" / "accuracy"


@dataclass(frozen=True)
class Files:
    """Where a dataset lies; the first model is the one that peers, which take one, are given."""

    title: str
    annotations: Path
    predictions: dict[str, Path]
    images: Path | None


@dataclass(frozen=True)
class Dataset:
    """A dataset as an audit has it before planting. Images are numbered in the order of their ids."""

    name: str
    files: Files
    con: duckdb.DuckDBPyConnection
    image_ids: np.ndarray
    predictions: dict[str, np.ndarray]
    """prediction_id, model (number), image (number), category_id, score, x, y, width, height, in_crowd."""

    @property
    def models(self) -> list[str]:
        return list(self.files.predictions)

    def half(self, which: str) -> np.ndarray:
        """Which images count: every second one ("choose": constants were chosen on it), the others ("report"), or all."""
        odd = np.arange(len(self.image_ids)) % 2 == 1
        return {"choose": ~odd, "report": odd, "all": np.ones(len(odd), bool)}[which]


def known() -> dict[str, Files]:
    """All datasets by name; the demo is written where it is not there yet."""
    coco, nuclei = SHARED / "data" / "coco_val2017_subset", SHARED / "data" / "nuclei"
    models = {m: coco / "predictions" / f"{m}.json" for m in ("yolov7-seg", "yolov5s-seg")}
    one = {"yolov7-seg": models["yolov7-seg"]}
    labels, images = coco / "instances.json", coco / "images"
    return {
        "coco": Files("COCO val2017, 186 images, yolov7-seg", labels, one, images),
        "coco-two": Files(
            "COCO val2017, 186 images, yolov7-seg and yolov5s-seg", labels, models, images
        ),
        "nuclei": Files(
            "Nuclei, 334 microscopy images, Mask R-CNN",
            nuclei / "instances.json",
            {"mask_rcnn": nuclei / "predictions" / "mask_rcnn.json"},
            nuclei / "images",
        ),
        "demo": _demo(WORK / "demo"),
    }


def load(name: str) -> Dataset:
    """Read a dataset and match it, single-threaded, so that several may run at once."""
    files = known()[name]
    con = duckdb.connect(config={"threads": 1})
    load_files(con, files.annotations, list(files.predictions.items()), batch=name)
    ids = con.execute("select image_id from images order by image_id").fetchnumpy()["image_id"]
    return Dataset(name, files, con, ids, _predictions(con, ids, list(files.predictions)))


def _predictions(
    con: duckdb.DuckDBPyConnection, ids: np.ndarray, models: list[str]
) -> dict[str, np.ndarray]:
    columns: dict[str, Any] = con.execute(
        """
        select p.* exclude (batch), coalesce(c.in_crowd, false) as in_crowd from predictions p left join (
          select model, prediction_id, true as in_crowd from prediction_overlaps
          where iscrowd and same_category and box_iou >= 0.5 group by all
        ) c using (model, prediction_id)
        order by image_id, model, prediction_id
        """
    ).fetchnumpy()
    columns["image"] = np.searchsorted(ids, columns["image_id"])
    columns["model"] = np.array([models.index(m) for m in columns["model"]])
    return columns


def _demo(folder: Path, images: int = 120, seed: int = 0) -> Files:
    """The project's demo before anything is planted: its true labels, and what its simulated detectors see."""
    from label_quality.demo.bench import make_benches  # noqa: PLC0415
    from label_quality.demo.detector import STRONG, simulate  # noqa: PLC0415
    from label_quality.demo.planting import Planting, true_labels  # noqa: PLC0415
    from label_quality.demo.scenes import HEIGHT, WIDTH, make_scene  # noqa: PLC0415
    from label_quality.demo.write import coco_document  # noqa: PLC0415

    annotations, predictions = folder / "annotations.json", folder / f"{STRONG.name}.json"
    if not annotations.exists():
        folder.mkdir(parents=True, exist_ok=True)
        benches = make_benches(np.random.default_rng([seed, 3]), HEIGHT * 3 // 2, WIDTH * 3 // 2)
        scenes = [
            make_scene(i, benches, np.random.default_rng([seed, 0, i]))[0]
            for i in range(1, images + 1)
        ]
        results = simulate(STRONG, scenes, np.random.default_rng([seed, 2, 0]))
        predictions.write_text(json.dumps(results), "utf-8")
        document = coco_document(scenes, Planting(true_labels(scenes), []))
        annotations.write_text(json.dumps(document), "utf-8")
    title = f"The project's demo, {images} rendered images, a simulated detector"
    return Files(title, annotations, {STRONG.name: predictions}, None)
