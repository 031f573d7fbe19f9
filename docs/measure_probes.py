"""Print what probes add to findings: average precision on errors planted into nuclei labels, mean of three seeds.

``python docs/measure_probes.py [images]``. It needs ``../shared`` (or ``LABEL_QUALITY_SHARED``), the extra ``inference`` and the dev
dependencies. Boxes only: masks cannot be moved as simply as boxes.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))
from helpers import batch, nuclei
from helpers.planted import precision_of_findings

from label_quality.inference.loading import load
from label_quality.inference.mapping import map_categories
from label_quality.inference.model_file import find_model
from label_quality.inference.network import Network
from label_quality.inference.pictures import Decoder, Images
from label_quality.inference.probing import Masks, probe, read_labels, to_rows
from label_quality.planting import plant
from label_quality.settings import Settings

SEEDS = (0, 1, 2)
SHAPES = {
    "inaccurate": [f"inaccurate_{k}_coarse" for k in ("shift", "loose", "tight", "edge")],
    "spurious": ["spurious_random"],
    "missing": ["missing_uniform"],
}
MAPPED = map_categories(("nucleus",), {}, {1: "nucleus"})


def main() -> None:
    document, results = _sample(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    with tempfile.TemporaryDirectory() as folder:
        nuclei.write_model_file(Path(folder))
        network = Network(load(find_model("nuclei", Settings(root=folder))), "cpu", "float32")
    network.module.roi_heads.mask_roi_pool = None  # no masks
    images = Images(
        nuclei.IMAGES,
        np.array([i["id"] for i in document["images"]]),
        [i["file_name"] for i in document["images"]],
        [None] * len(document["images"]),
        np.array([[i["height"], i["width"]] for i in document["images"]]),
    )
    decoder = Decoder(images)
    scenes = [network.look([decoder[row][1]]) for row in range(len(images))]
    print("| type | predictions alone | and probes |\n|---|---|---|")
    clean = batch.audit(
        batch.database(
            document["images"], document["annotations"], {"nuclei": results}, document["categories"]
        )
    )
    for kind, shapes in SHAPES.items():
        pairs = []
        for seed in SEEDS:
            planted = plant(clean, dict.fromkeys(shapes, 0.1 / len(shapes)), seed)
            pairs.append(
                [
                    _measure(document, results, kind, planted, asked and (network, scenes, images))
                    for asked in (False, True)
                ]
            )
        mean = np.mean(pairs, axis=0)
        print(f"| `{kind}` | {mean[0]:.2f} | {mean[1]:.2f} |", flush=True)


def _measure(document: Any, results: Any, kind: str, planted: Any, asked: Any) -> float:
    with batch.database(document["images"], [], {"nuclei": results}, document["categories"]) as con:
        con.register("_labels_in", planted.annotations)
        con.execute("insert into annotations by name from _labels_in")
        con.register("planted_errors", planted.ledger)
        if asked:
            network, scenes, images = asked
            labels = read_labels(con, images, MAPPED)
            none = Masks(con, "_label_masks", 0, -1)
            rows = pa.concat_tables(
                to_rows(probe(network, scene, [row], labels, MAPPED), labels, none, MAPPED)
                for row, scene in enumerate(scenes)
            ).drop_columns(["features"])
            con.register("_rows", rows)
            con.execute(
                f"insert into label_probes by name select '{batch.BATCH}' as batch, 'nuclei' as model, * from _rows"
            )
        batch.audit(con)
        return precision_of_findings(con, kind)


def _sample(count: int) -> tuple[Any, Any]:
    """The smaller images, so many of them, their labels and the stored predictions, without masks."""
    document = json.loads((nuclei.FOLDER / "instances.json").read_text("utf-8"))
    results = json.loads((nuclei.FOLDER / "predictions" / "mask_rcnn.json").read_text("utf-8"))
    small = [i for i in document["images"] if i["width"] <= 360]
    chosen = sorted(random.Random(3).sample(small, count), key=lambda i: i["id"])
    ids = {i["id"] for i in chosen}
    document["images"] = chosen
    document["annotations"] = [
        a | {"segmentation": []} for a in document["annotations"] if a["image_id"] in ids
    ]
    kept = ("image_id", "category_id", "bbox", "score")
    return document, [{k: r[k] for k in kept} for r in results if r["image_id"] in ids]


if __name__ == "__main__":
    main()
