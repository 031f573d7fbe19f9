"""Write COCO-like annotation and results files for the benchmarks: `python generate.py --help`.

The same seed gives the same bytes. Files are written chunk by chunk, so memory stays flat. What
is drawn is in `scenes`, its JSON in `cocotext`; this file decides sizes, chunks and file names.
The data is simulated, its statistics follow COCO 2017. Each folder gets `annotations.json`,
`predictions.json`, with masks `predictions_masks.json`, and `manifest.json`, which is written
last: where it is there, the files are whole.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cocotext import (
    CATEGORIES,
    Strings,
    crowd_records,
    detection_records,
    image_records,
    label_records,
)
from pycocotools import mask as coco_mask
from scenes import (
    CROWD_SHARE,
    ERROR_NAMES,
    SIZE_SHARES,
    SIZES,
    Detections,
    Ints,
    Labels,
    draw_counts,
    draw_crowds,
    draw_detections,
    draw_labels,
)

VERSION = 1
CHUNK = 2000


@dataclass(frozen=True)
class Scale:
    """How much to write: images, labels (crowds included) and predictions."""

    images: int
    labels: int
    predictions: int


SCALES = {
    "val": Scale(5_000, 36_781, 180_000),
    "val-x10": Scale(50_000, 367_810, 1_800_000),
    "train": Scale(118_287, 860_001, 4_300_000),
}


@dataclass(frozen=True)
class Images:
    """Ids and pixel sizes of all images, one row each."""

    ids: Ints
    width: Ints
    height: Ints

    def rows(self, start: int, end: int) -> Images:
        """The images of one chunk."""
        return Images(self.ids[start:end], self.width[start:end], self.height[start:end])


def draw_images(rng: np.random.Generator, n: int) -> Images:
    """Ids scattered like COCO's (below 582,000, or five per image), in no order; usual sizes."""
    ids = 1 + rng.choice(max(581_929, 5 * n), size=n, replace=False)
    size = SIZES[rng.choice(len(SIZES), size=n, p=SIZE_SHARES)]
    return Images(ids.astype(np.int64), size[:, 0], size[:, 1])


def mask_values(found: Detections, labels: Labels, images: Images) -> Strings:
    """Compressed RLE of each detection, as JSON objects: the outline of its label (of some label,
    for a false alarm) stretched to the detected box. One pycocotools call per detection."""
    lines = labels.polygons
    first_part = np.searchsorted(lines.part_label, np.arange(len(labels.image) + 1)).tolist()
    # A false alarm in a chunk without labels has no shape (-1): its mask is its box.
    boxes = labels.box if len(labels.box) else np.zeros((1, 4), np.int64)
    scale = found.box[:, 2:] / np.maximum(boxes[found.shape, 2:], 1)
    old, new = boxes[found.shape, :2], found.box[:, :2]
    starts = lines.part_start.tolist()
    values = np.empty(len(found.image), dtype=object)
    sizes = np.stack([images.height, images.width], axis=1)[found.image].tolist()
    for k, (label, (height, width)) in enumerate(zip(found.shape.tolist(), sizes, strict=True)):
        if label < 0:
            x, y, w, h = (found.box[k] / 100).tolist()
            outline = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        else:
            a, b = first_part[label], first_part[label + 1]
            points = new[k] + (lines.points[starts[a] : starts[b]] - old[k]) * scale[k]
            cuts = [2 * (s - starts[a]) for s in starts[a : b + 1]]
            flat = (points / 100).ravel().tolist()
            outline = [flat[i:j] for i, j in itertools.pairwise(cuts)]
        rle = coco_mask.frPyObjects(outline, height, width)
        one = coco_mask.merge(rle) if len(rle) > 1 else rle[0]
        text = json.dumps(one["counts"].decode())
        values[k] = f'{{"size": [{height}, {width}], "counts": {text}}}'
    return values


class _Listing:
    """A JSON text of lists of records; it appears under its name when it is whole."""

    def __init__(self, path: Path, head: str, separator: str, tail: str) -> None:
        self.path, self.separator, self.tail = path, separator, tail
        self.empty = True
        self.file = path.with_suffix(".part").open("w", encoding="ascii", newline="")
        self.file.write(head)

    def next_list(self, between: str) -> None:
        """End the list and begin another one after `between`."""
        self.file.write(between)
        self.empty = True

    def add(self, pieces: Iterable[str]) -> None:
        """Write records given as pieces that end in the separator."""
        text = "".join(pieces).removesuffix(self.separator)
        if text:
            self.file.write(text if self.empty else self.separator + text)
            self.empty = False

    def close(self) -> None:
        """End the document and give it its name."""
        self.file.write(self.tail)
        self.file.close()
        self.path.with_suffix(".part").replace(self.path)


def generate(
    folder: Path, scale: Scale, *, seed: int = 1, masks: bool = False, name: str = "val"
) -> dict[str, Any]:
    """Write the files of one scale into `folder` and return the manifest.

    `masks` adds `predictions_masks.json`: the same detections with compressed RLE masks.
    """
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").unlink(missing_ok=True)
    rng = np.random.default_rng([seed, 0])
    images = draw_images(rng, scale.images)
    crowds = round(CROWD_SHARE * scale.labels)
    counts = draw_counts(rng, scale.images, scale.labels - crowds)
    crowd_image = np.sort(rng.integers(0, max(scale.images, 1), crowds))
    done: Counter[str] = Counter()
    tail = f'],"categories": {_categories()}}}'
    annotations = _Listing(folder / "annotations.json", _head(), ",", tail)
    for start in range(0, scale.images, CHUNK):
        some = images.rows(start, start + CHUNK)
        annotations.add(image_records(some.ids, some.width, some.height, f"{name}2017"))
    annotations.next_list('],"annotations": [')
    results = [_Listing(folder / "predictions.json", "[", ", ", "]")]
    if masks:
        results.append(_Listing(folder / "predictions_masks.json", "[", ", ", "]"))
    next_id = 1
    for start in range(0, scale.images, CHUNK):
        end = min(start + CHUNK, scale.images)
        rng = np.random.default_rng([seed, 1, start])
        some = images.rows(start, end)
        labels = draw_labels(rng, some.width, some.height, counts[start:end])
        ids = next_id + np.cumsum(rng.integers(1, 4, len(labels.image)))
        next_id = int(ids[-1]) if len(ids) else next_id
        annotations.add(label_records(labels, some.ids[labels.image], ids))
        a, b = np.searchsorted(crowd_image, [start, end]).tolist()
        regions = draw_crowds(rng, some.width, some.height, crowd_image[a:b] - start)
        # Crowds have ids beyond 32 bits, as COCO's own do.
        crowd_ids = 900_100_000_000 + np.arange(a, b)
        shape = np.stack([some.height, some.width], axis=1)[regions.image]
        annotations.add(crowd_records(regions, shape, some.ids[regions.image], crowd_ids))
        share = _share(scale.predictions, start, end, scale.images)
        found = draw_detections(rng, labels, some.width, some.height, share)
        results[0].add(detection_records(found, some.ids[found.image]))
        if masks:
            outlines = mask_values(found, labels, some)
            results[1].add(detection_records(found, some.ids[found.image], outlines))
        done.update(_counted(labels, len(regions.image), len(found.image)))
    for listing in (annotations, *results):
        listing.close()
    manifest = {"version": VERSION, "seed": seed, "scale": asdict(scale), "masks": masks}
    manifest |= {"images": scale.images} | dict(done)
    manifest["bytes"] = {p.name: p.stat().st_size for p in sorted(folder.glob("*s.json"))}
    manifest["seconds"] = round(time.perf_counter() - started, 1)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="ascii")
    return manifest


def cached(folder: Path, scale: Scale, *, seed: int = 1, masks: bool = False) -> dict[str, Any]:
    """The manifest of `folder`, writing its files only when they are not those asked for."""
    path = folder / "manifest.json"
    if path.exists():
        there: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
        asked = {"version": VERSION, "seed": seed, "scale": asdict(scale)}
        if {k: there.get(k) for k in asked} == asked and (there["masks"] or not masks):
            return there
    return generate(folder, scale, seed=seed, masks=masks, name=folder.name)


def _counted(labels: Labels, crowds: int, predictions: int) -> dict[str, int]:
    """What one chunk adds to the manifest; a planted duplicate counts once."""
    kinds = np.bincount(labels.error[~labels.copy], minlength=len(ERROR_NAMES)).tolist()
    planted = {f"planted_{n}": k for n, k in zip(ERROR_NAMES, kinds, strict=True) if n != "clean"}
    written = int(labels.written.sum()) + crowds
    return {"labels": written, "crowds": crowds, "predictions": predictions} | planted


def _share(total: int, start: int, end: int, of: int) -> int:
    """How many of `total` fall to the images start..end-1 of `of`."""
    return total * end // of - total * start // of


def _head() -> str:
    info = '{"description": "Simulated, COCO 2017 statistics","version": "1.0","year": 2017}'
    licences = ",".join(f'{{"url": "","id": {k},"name": "Licence {k}"}}' for k in range(1, 9))
    return f'{{"info": {info},"licenses": [{licences}],"images": ['


def _categories() -> str:
    return json.dumps([{"supercategory": s, "id": i, "name": n} for i, s, n in CATEGORIES])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write COCO-like benchmark files (simulated).")
    parser.add_argument("--scale", choices=sorted(SCALES), default="val")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / ".work")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--masks", action="store_true", help="also results with RLE masks")
    asked = parser.parse_args()
    folder = asked.out / asked.scale
    manifest = cached(folder, SCALES[asked.scale], seed=asked.seed, masks=asked.masks)
    print(json.dumps({"folder": str(folder)} | manifest, indent=1))


if __name__ == "__main__":
    main()
