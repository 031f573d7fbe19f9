"""The files of the demo: what COCO readers make of them, and that making them is repeatable."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from label_quality.demo import Demo, make_demo
from label_quality.demo.__main__ import main


def quiet_coco(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_pycocotools_loads_labels_and_results(demo: Demo, document: dict[str, Any]) -> None:
    truth = quiet_coco(demo.annotations)
    assert len(truth.getAnnIds()) == len(document["annotations"]) == demo.labels
    assert len(demo.predictions) == 2
    for path in demo.predictions.values():
        with contextlib.redirect_stdout(io.StringIO()):
            results = truth.loadRes(str(path))
        assert len(results.getAnnIds()) > 50


def test_masks_agree_with_boxes_and_areas(demo: Demo, document: dict[str, Any]) -> None:
    truth = quiet_coco(demo.annotations)
    for annotation in truth.loadAnns(truth.getAnnIds()):
        mask = truth.annToMask(annotation)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        extent = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
        assert annotation["bbox"] == [float(value) for value in extent]
        assert annotation["area"] == mask.sum()


def test_segmentations_come_in_coco_s_forms(document: dict[str, Any]) -> None:
    forms = {(type(item["segmentation"]), item["iscrowd"]) for item in document["annotations"]}
    assert {(list, 0), (dict, 0)} <= forms
    for item in document["annotations"]:
        if item["iscrowd"]:
            assert isinstance(item["segmentation"]["counts"], list)


def test_some_crowds_are_labelled(scenes: list[Any], document: dict[str, Any]) -> None:
    crowds = [thing for scene in scenes for thing in scene.objects if thing.iscrowd]
    crowds += [item for item in document["annotations"] if item["iscrowd"]]
    assert crowds


def test_files_say_that_they_are_rendered_and_simulated(
    demo: Demo, document: dict[str, Any]
) -> None:
    description = document["info"]["description"]
    assert all(word in description for word in ("Rendered", "planted errors", "simulated"))
    for name, path in demo.predictions.items():
        assert "simulated" in name
        assert path.name == f"{name}.json"


def test_pictures_have_the_size_that_is_told(demo: Demo, document: dict[str, Any]) -> None:
    for image in document["images"]:
        with Image.open(demo.images / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])
            assert picture.mode == "RGB"
    assert len(list(demo.images.iterdir())) == len(document["images"])


def test_same_seed_same_bytes_other_seed_other_demo(tmp_path: Path) -> None:
    for name, seed in (("first", 3), ("second", 3), ("third", 4)):
        make_demo(tmp_path / name, images=2, seed=seed)
    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    other = digests(tmp_path / "third")
    assert all(other[name] != digest for name, digest in digests(tmp_path / "first").items())


def test_making_it_again_leaves_no_stale_pictures(tmp_path: Path) -> None:
    make_demo(tmp_path / "demo", images=3, seed=3)
    (tmp_path / "demo" / "images" / "mine.jpg").write_bytes(b"not of the demo")
    again = make_demo(tmp_path / "demo", images=2, seed=3)
    make_demo(tmp_path / "fresh", images=2, seed=3)
    kept = digests(tmp_path / "demo")
    assert kept.pop(str(Path("images", "mine.jpg")))
    assert kept == digests(tmp_path / "fresh")
    assert len(quiet_coco(again.annotations).imgs) == 2


@pytest.mark.parametrize("content", ['{"info": {"description": "mine"}}', "[]", "no json", "{}"])
def test_labels_of_somebody_else_are_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "annotations.json").write_text(content)
    with pytest.raises(FileExistsError, match=r"annotations\.json is not a demo"):
        make_demo(tmp_path, images=1)
    assert (tmp_path / "annotations.json").read_text() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations.json"]


@pytest.mark.parametrize("images", [0, -1])
def test_no_images_is_an_error(tmp_path: Path, images: int) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        make_demo(tmp_path, images=images)


def test_command_makes_a_demo_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "demo"), "--images", "1"]) == 0
    assert "simulated" in capsys.readouterr().out
    assert (tmp_path / "demo" / "annotations.json").is_file()
    assert main([str(tmp_path), "--images", "0"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_import_is_light() -> None:
    code = (
        "import sys, label_quality.demo;"
        "print({'numpy', 'PIL', 'pandas', 'pycocotools'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
