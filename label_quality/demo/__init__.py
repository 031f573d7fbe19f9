"""The embedded demo: rendered scenes, planted label errors, a simulated detector.

Made offline by the project itself. Belongs here: the entry point, and nothing heavy at the top of
this file, so that the command line starts quickly. Everything else is in the modules beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Demo", "make_demo"]


@dataclass(frozen=True)
class Demo:
    """Where the files of a demo are, and how much is in them.

    `predictions` maps the name of a model, which always says that it is simulated, to its COCO
    results file. `labels` counts the labels as delivered, crowd regions included;
    `planted_errors` the records of the ledger in `planted`.
    """

    annotations: Path
    images: Path
    predictions: dict[str, Path]
    planted: Path
    labels: int
    planted_errors: int


def make_demo(folder: Path, *, images: int = 120, seed: int = 0) -> Demo:
    """Render the demo into `folder`, which is created where it is missing.

    Writes `images/scene_NNNN.jpg` (560 x 420), `annotations.json` (COCO, with planted errors),
    `planted_errors.json` (the ledger) and `predictions/simulated-*.json` (COCO results of
    simulated detectors). The same seed gives the same files. A demo that is there already is
    replaced; `annotations.json` is removed first and written last, so a folder that holds one is
    complete.

    Raises ValueError for less than one image, FileExistsError where the folder holds an
    `annotations.json` that is not a demo.
    """
    if images < 1:
        raise ValueError(f"a demo needs at least one image, not {images}")
    from label_quality.demo.write import write_demo  # noqa: PLC0415 - keep the import light

    return write_demo(Path(folder), images, seed)
