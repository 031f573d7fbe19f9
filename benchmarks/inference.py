"""Images a second of running a Mask R-CNN here, beside a bare forward loop (the limit) and torchvision's reference evaluation loop.

    python benchmarks/inference.py [--images 24] [--repeats 3] [--whole]

Needs the extra `inference` and ``../shared`` (the nuclei and their model). All sides run the same images through the same
weights in the same number type and take turns; medians are compared. `--whole` then audits the whole set with the model
and compares what it predicts with the results that are stored beside the set. Writes ``results/inference.json`` and
``docs/inference_speed.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import torch
import torchvision
from pycocotools import mask as coco_mask

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "unit"))
from helpers import batch, nuclei  # noqa: E402

from label_quality.inference import loading, running  # noqa: E402
from label_quality.inference.chunks import Chunks  # noqa: E402
from label_quality.inference.mapping import map_categories  # noqa: E402
from label_quality.inference.model_file import Model, find_model  # noqa: E402
from label_quality.inference.network import (  # noqa: E402
    Network,
    choose_device,
    choose_precision,
    describe_device,
)
from label_quality.inference.pictures import Decoder, Images, batches  # noqa: E402
from label_quality.inference.probing import read_labels  # noqa: E402
from label_quality.settings import Settings  # noqa: E402

RESULT = HERE / "results" / "inference.json"
PAGE = HERE.parent / "docs" / "inference_speed.md"
GOAL = 0.9
running._WORTH = (
    1 << 60
)  # the time to expect is not asked for: its images are few of many, and many of these few


class Sides:
    """The same images through the same model, in three ways. Each returns seconds."""

    def __init__(self, model: Model, document: dict[str, Any], device: str, size: int) -> None:
        self.model, self.device, self.size = model, device, size
        self.precision = choose_precision("auto", device)
        records = sorted(document["images"], key=lambda i: i["id"])
        self.images = Images(
            nuclei.IMAGES,
            np.array([i["id"] for i in records]),
            [i["file_name"] for i in records],
            [None] * len(records),
            np.array([[i["height"], i["width"]] for i in records]),
        )
        self.network = Network(loading.load(model), device, self.precision)
        self.plain = loading.load(model).to(device)
        self.plan = batches(np.arange(len(records)), self.images, self.network.padded_size, size)
        self.mapped = map_categories(("nucleus",), {}, {1: "nucleus"})
        self.con = duckdb.connect()
        _label_tables(self.con, document)

    def _forward(self, pictures: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        half = self.precision != "float32"
        dtype = getattr(torch, self.precision)
        with torch.inference_mode(), torch.autocast(self.device, dtype, enabled=half):
            return self.plain(pictures)

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def bare(self) -> float:
        """The limit: tensors that lie on the device already, nothing is done with what comes out."""
        decoder = Decoder(self.images)
        ready = [[_float(decoder[r][1]).to(self.device) for r in rows] for rows in self.plan]
        self._wait()
        start = time.perf_counter()
        for pictures in ready:
            self._forward(pictures)
        self._wait()
        return time.perf_counter() - start

    def reference(self) -> float:
        """As torchvision's references/detection evaluates: one image at a time, workers decode, masks encoded one by one."""
        start = time.perf_counter()
        loader = torch.utils.data.DataLoader(
            Decoder(self.images),
            batch_size=1,
            num_workers=min(4, len(os.sched_getaffinity(0))),
            collate_fn=list,
        )
        for ((_, picture),) in loader:
            (found,) = self._forward([_float(picture).to(self.device)])
            found = {k: v.to("cpu") for k, v in found.items()}
            boxes = found["boxes"].clone()
            boxes[:, 2:] -= boxes[:, :2]
            boxes.tolist(), found["scores"].tolist(), found["labels"].tolist()
            for mask in found["masks"] > 0.5:
                coco_mask.encode(np.asfortranarray(mask[0, :, :, None].numpy().astype(np.uint8)))
        return time.perf_counter() - start

    def ours(self, *, probe: bool = False, detect: bool = True) -> float:
        """What the asset does: from files to finished chunks on disk."""
        with tempfile.TemporaryDirectory() as folder:
            job = running.Job(
                *("nuclei", self.network, self.images),
                *(Chunks(Path(folder) / "predictions"), Chunks(Path(folder) / "probes")),
                read_labels(self.con, self.images, self.mapped) if probe else None,
                *(self.mapped, self.con, lambda _: None, self.size),
            )
            rows = np.arange(len(self.images))
            start = time.perf_counter()
            chunk = running.Chunk(rows, "p" if detect else None, "q" if probe else None)
            running.run(job, [chunk])
            return time.perf_counter() - start


def _float(picture: Any) -> torch.Tensor:
    return picture.permute(2, 0, 1).float() / 255


def _label_tables(con: duckdb.DuckDBPyConnection, document: dict[str, Any]) -> None:
    opened = batch.database(
        document["images"], document["annotations"], categories=document["categories"]
    )
    for table in ("images", "annotations", "annotation_masks"):
        con.register(f"_{table}", opened.sql(f"from {table}").to_arrow_table())
        con.execute(f"create table {table} as from _{table}")


@contextmanager
def utilisation(device: str) -> Any:
    """Samples of the GPU's utilisation while the block runs, in percent; empty without a GPU."""
    samples: list[int] = []
    end = threading.Event()

    def sample() -> None:
        while not end.wait(0.5):
            done = subprocess.run(
                ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                check=False,
            )
            samples.extend(int(x) for x in done.stdout.split()[:1] if x.isdigit())

    thread = threading.Thread(target=sample, daemon=True)
    if device == "cuda":
        thread.start()
    yield samples
    end.set()


def compare(sides: Sides, repeats: int) -> dict[str, Any]:
    """All sides in turn; images a second, medians."""
    ways: dict[str, Callable[[], float]] = {
        "bare forward loop": sides.bare,
        "torchvision's reference loop": sides.reference,
        "label_quality": sides.ours,
        "label_quality, asking about labels too": lambda: sides.ours(probe=True),
    }
    sides.bare()  # warms up
    runs: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[int]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            with utilisation(sides.device) as samples:
                runs[name].append(len(sides.images) / way())
            print(f"{name}: {runs[name][-1]:.3g} images a second", file=sys.stderr, flush=True)
            busy[name] += samples
    out: dict[str, Any] = {}
    for name, rates in runs.items():
        out[name] = {
            "images a second": round(statistics.median(rates), 3),
            "runs": [round(r, 3) for r in rates],
            "GPU utilisation, %": round(statistics.mean(busy[name])) if busy[name] else None,
        }
    return out


def whole() -> dict[str, Any]:
    """The audit of the whole set by the command, and its predictions beside those stored."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        nuclei.write_model_file(root)
        (root / "label_quality.toml").write_text('[inference]\nmodels = ["nuclei"]\n')
        command = [sys.executable, "-m", "label_quality.cli", "audit", "--root", str(root)]
        given = [
            "--annotations",
            str(nuclei.FOLDER / "instances.json"),
            "--images",
            str(nuclei.IMAGES),
        ]
        env = os.environ | {"DAGSTER_HOME": folder}
        start = time.perf_counter()
        done = subprocess.run([*command, *given], env=env, check=False)
        seconds = time.perf_counter() - start
        if done.returncode == 2:
            raise SystemExit("the audit failed")
        return {"seconds": round(seconds, 1), **beside_stored(root / "label_quality.duckdb")}


def beside_stored(database: Path) -> dict[str, Any]:
    """How near the predictions of a published audit are to the stored ones, image by image."""
    stored = json.loads((nuclei.FOLDER / "predictions" / "mask_rcnn.json").read_text("utf-8"))
    with duckdb.connect(str(database), read_only=True) as con:
        rows = np.array(
            con.execute("select image_id, score, x, y, width, height from predictions").fetchall()
        )
        (labels,) = con.execute("select count(*) from label_probes").fetchone()  # type: ignore[misc]
    wanted = np.array([[s["image_id"], s["score"], *s["bbox"]] for s in stored])
    overlaps, differences = [], []
    for image in np.unique(rows[:, 0]):
        found, other = (t[t[:, 0] == image] for t in (rows, wanted))
        overlap = coco_mask.iou(found[:, 2:].copy(), other[:, 2:].copy(), [0] * len(other))
        # The same box may be predicted twice: that of the nearest score is meant.
        near = np.abs(found[:, 1][:, None] - other[:, 1][None])
        best = (overlap - near).argmax(0)
        overlaps += overlap[best, np.arange(len(other))].tolist()
        differences += near[best, np.arange(len(other))].tolist()
    return {
        "labels asked about": labels,
        "predictions": len(rows),
        "stored": len(stored),
        "IoU, least": round(min(overlaps), 4),
        "IoU at least 0.99, share": round(float(np.mean(np.array(overlaps) >= 0.99)), 5),
        "score difference, most": float(f"{max(differences):.2g}"),
    }


def page(result: dict[str, Any]) -> str:
    """``docs/inference_speed.md``."""
    limit = result["sides"]["bare forward loop"]["images a second"]
    rows = ""
    for name, side in result["sides"].items():
        rate, spread = side["images a second"], f"{min(side['runs'])} to {max(side['runs'])}"
        rows += f"| {name} | {rate} ({spread}) | {rate / limit:.0%} | {side['GPU utilisation, %'] or '-'} |\n"
    ours = result["sides"]["label_quality"]["images a second"]
    reference = result["sides"]["torchvision's reference loop"]["images a second"]
    no_gpu = (
        ""
        if result["on_gpu"]
        else (
            "**No GPU could be had for these figures**: they are a CPU's. The goal of "
            f"{GOAL:.0%} of the limit is meant for a GPU, and has not been tried on one.\n\n"
        )
    )
    text = f"""# How fast models are run

Written by `python benchmarks/inference.py`; do not edit. The Mask R-CNN of `../shared/models/nuclei_mask_rcnn` on
{result["images"]} of the images that it has not seen, batches of {result["batch"]}, {result["precision"]}, on
{result["device"]}; torch {result["torch"]}, torchvision {result["torchvision"]}. All sides take turns; medians of {result["repeats"]}.

{no_gpu}| | images a second (range) | of the limit | GPU utilisation, % |
|---|---|---|---|
{rows}
- *Bare forward loop*: decoded pictures lie on the device, and nothing is done with what comes out. torchvision's forward pass
  pastes masks into pictures all the same, which is why it can be beaten.
- *Reference loop*: as torchvision's `references/detection` evaluates, one image at a time while workers decode, each mask encoded by itself.
- *label_quality*: from files to finished chunks on disk: decoded, run, masks as run lengths, Parquet.
- *asking about labels too*: the same, and every label through the box and the mask head.

Of the limit: {ours / limit:.0%} (goal on a GPU: at least {GOAL:.0%}). Beside the reference loop: {ours / reference:.2f} times
(goal: never below 1){"" if ours >= reference else " **not met**"}. Load when it began {result["load"]}, {result["cores"]} cores ({result["machine"]}).
"""
    if "whole" in result:
        listed = "".join(f"| {name} | {value} |\n" for name, value in result["whole"].items())
        text += f"\n## The whole set\n\nAudited by the command with the model in the settings; its predictions beside those stored with the set.\n\n| | |\n|---|---|\n{listed}"
    return text


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--batch", type=int, default=0, help="0: 1 on a CPU, 8 on a GPU")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--whole", action="store_true", help="audit the whole set too")
    given = parser.parse_args()
    device = choose_device("")
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as folder:
        nuclei.write_model_file(Path(folder))
        model = find_model("nuclei", Settings(root=folder))
        sides = Sides(
            model,
            nuclei.sample(given.images),
            device,
            given.batch or (8 if device == "cuda" else 1),
        )
        result: dict[str, Any] = {
            "images": len(sides.images),
            "batch": sides.size,
            "precision": sides.precision,
            "device": describe_device(device),
            "on_gpu": device == "cuda",
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "repeats": given.repeats,
            "cores": len(os.sched_getaffinity(0)),
            "machine": f"{platform.system()} {platform.machine()}",
            "load": load,
            "sides": compare(sides, given.repeats),
        }
    if given.whole:
        result["whole"] = whole()
    elif RESULT.exists() and "whole" in (before := json.loads(RESULT.read_text())):
        result["whole"] = before["whole"]
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
