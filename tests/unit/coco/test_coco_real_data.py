"""The real subsets: read fast, nothing quarantined, masks as pycocotools has them."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from helpers.shared_folder import SHARED

from label_quality.coco import read_labels, read_predictions, to_rles
from label_quality.coco.masks import areas

SETS = {
    "coco_val2017_subset": ((186, 80, 1692), {"yolov7-seg": 9100, "yolov5s-seg": 10855}, {"area_differs_from_mask": 2}),
    "nuclei": ((334, 1, 15269), {"mask_rcnn": 29587}, {}),
}  # fmt: skip

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real data sets are not here")


@pytest.mark.parametrize("name", SETS)
def test_labels(name):
    records, _, warnings = SETS[name]
    path = SHARED / "data" / name / "instances.json"
    found = {}
    for reader in ("fast", "tolerant"):
        masks: list[pa.Table] = []
        labels = read_labels(
            path,
            "b",
            images=SHARED / "data" / name / "images",
            write_masks=masks.append,
            reader=reader,
        )
        found[reader] = (labels, pa.concat_tables(masks))
    labels, masks = found["fast"]
    assert [labels.counts[k] for k in ("images", "categories", "annotations")] == [
        (n, n, 0) for n in records
    ]
    assert Counter(labels.ingest_warnings["issue"].to_pylist()) == warnings
    assert set(labels.images["file_state"].to_pylist()) == {"ok"}
    for table in ("images", "categories", "annotations", "ingest_warnings", "quarantined_labels"):
        assert getattr(labels, table).equals(getattr(found["tolerant"][0], table))
    assert masks.equals(found["tolerant"][1])

    document = json.loads(path.read_bytes())
    sizes = {i["id"]: (i["height"], i["width"]) for i in document["images"]}
    heights, widths = zip(*(sizes[a["image_id"]] for a in document["annotations"]), strict=True)
    rles = to_rles(masks["segmentation"].to_pylist(), heights, widths)
    area = labels.annotations["mask_area"].to_numpy()
    exact = areas(rles)
    is_rle = np.array(labels.annotations["segmentation_type"].to_pylist()) == "rle"
    assert np.array_equal(area[is_rle], exact[is_rle])
    # Outlines and pixels differ by about half a pixel along the outline, more where parts overlap.
    assert np.median(np.abs(area - exact) / exact) < 0.05
    assert [json.loads(m) for m in masks["segmentation"].to_pylist()] == [
        a["segmentation"] for a in document["annotations"]
    ]


@pytest.mark.parametrize(
    ("name", "model"), [(name, model) for name in SETS for model in SETS[name][1]]
)
def test_results(name, model):
    labels = read_labels(
        SHARED / "data" / name / "instances.json", "b", write_masks=lambda table: None
    )
    path = SHARED / "data" / name / "predictions" / f"{model}.json"
    rows: list[pa.Table] = []
    masks: list[pa.Table] = []
    found = read_predictions(
        path,
        "b",
        model,
        images=labels.images,
        categories=labels.categories,
        write=rows.append,
        write_masks=masks.append,
    )
    n = SETS[name][1][model]
    assert (found.read, found.kept, found.quarantined_count, found.reader) == (n, n, 0, "fast")
    table = pa.concat_tables(rows)
    records = json.loads(path.read_bytes())
    assert table["score"].to_pylist() == [r["score"] for r in records]
    assert table["x"].to_pylist() == [r["bbox"][0] for r in records]
    texts = pa.concat_tables(masks)["segmentation"].to_pylist()
    assert [json.loads(t) for t in texts] == [r["segmentation"] for r in records]
