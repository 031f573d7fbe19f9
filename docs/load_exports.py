"""Loads exported folders with the libraries of the tools that they are for, in an environment that has these.

    pip install label-studio-sdk datumaro fiftyone
    python docs/load_exports.py label-studio data/exports/label-studio
    python docs/load_exports.py cvat data/exports/cvat IMAGES
    python docs/load_exports.py fiftyone data/exports/fiftyone/BATCH

It prints what was read; a library that refuses the file ends it with that library's error. No service is started: FiftyOne's
importer reads the samples without its database.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path


def label_studio(folder: Path) -> None:
    """Every task, annotation and prediction against the labelling interface, then all of it through the converter."""
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    config = (folder / "label_config.xml").read_text("utf-8")
    interface = LabelInterface(config)
    tasks = json.loads((folder / "tasks.json").read_bytes())
    for task in tasks:
        assert interface.validate_task({"data": task["data"]})
        assert all(interface.validate_annotation(a) for a in task["annotations"])
        assert all(interface.validate_prediction(p) for p in task["predictions"])
    with tempfile.TemporaryDirectory() as place:
        labelled = Path(place) / "labelled.json"
        for number, task in enumerate(tasks):
            task["id"] = number
            task["annotations"][0] |= {"id": number, "completed_by": 1}
        labelled.write_text(json.dumps(tasks))
        converter = Converter(config, project_dir=None, download_resources=False)
        converter.convert_to_coco(str(labelled), place, f"{place}/images", is_dir=False)
        coco = json.loads((Path(place) / "result.json").read_bytes())
    results = sum(len(p["result"]) for t in tasks for p in t["predictions"])
    print(f"{len(tasks)} tasks, {len(coco['annotations'])} labels, {results} pre-annotations")


def cvat(folder: Path, images: Path) -> None:
    """All shapes, as datumaro reads them."""
    import datumaro

    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "images").symlink_to(images.absolute())
        (Path(place) / "annotations.xml").write_bytes((folder / "annotations.xml").read_bytes())
        items = list(datumaro.Dataset.import_from(place, "cvat"))
        shapes = Counter(type(a).__name__ for item in items for a in item.annotations)
        for item in items:
            for shape in item.annotations:
                assert shape.get_area() > 0
    print(f"{len(items)} images, {dict(shapes)}")


def fiftyone(folder: Path) -> None:
    """All samples, as FiftyOne's own importer of this format makes them."""
    from fiftyone.utils.data import LegacyFiftyOneDatasetImporter

    importer = LegacyFiftyOneDatasetImporter(str(folder))
    with importer:
        samples = list(importer)
    counts: Counter[str] = Counter()
    for sample in samples:
        for name in sample.field_names:
            value = sample[name]
            if type(value).__name__ == "Detections":
                counts[name] += len(value.detections)
    print(f"{len(samples)} samples, {dict(counts)}")


if __name__ == "__main__":
    form, *folders = sys.argv[1:]
    {"label-studio": label_studio, "cvat": cvat, "fiftyone": fiftyone}[form](*map(Path, folders))
