"""Models run in the audit itself, by the real command: a real Mask R-CNN on images that it has not seen, and what is said without."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pipeline_tools import NO_LIMITS, command, mistake, query
from pycocotools import mask as coco_mask

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from helpers.networks import needs_torch
from helpers.nuclei import FOLDER, IMAGES, needs_nuclei, sample, write_model_file

from label_quality.demo import Demo

COUNT = 5
SETTINGS = NO_LIMITS + '[inference]\nmodels = ["nuclei"]\n'


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """The root of an audit of a few nuclei images, with the model of the settings."""
    folder = tmp_path_factory.mktemp("nuclei")
    root = folder / "root"
    write_model_file(root)
    (root / "label_quality.toml").write_text(SETTINGS + '[trained_on]\nnuclei = ["lot-*"]\n')
    (folder / "instances.json").write_text(json.dumps(sample(COUNT)))
    given = ("--annotations", folder / "instances.json", "--images", IMAGES, "--root", root)
    done = command("audit", *given, "--batch", "nuclei", home=home, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"{COUNT} images" in done.stdout
    return root


@needs_nuclei
@needs_torch
def test_the_model_repeats_its_stored_results(audited: Path) -> None:
    """Box IoU of at least 0.99, scores within 0.01, masks alike, nothing more and nothing less."""
    database = audited / "label_quality.duckdb"
    stored = json.loads((FOLDER / "predictions" / "mask_rcnn.json").read_text("utf-8"))
    rows = query(
        database,
        "select image_id, score, x, y, width, height from predictions order by prediction_id",
    )
    images = {row[0] for row in rows}
    assert len(images) == COUNT
    for image in images:
        wanted = [s for s in stored if s["image_id"] == image]
        found = np.array([row[1:] for row in rows if row[0] == image])
        assert len(found) == len(wanted) > 0
        # In the order of scores, which are alike to more digits than are stored.
        boxes = np.array([s["bbox"] for s in wanted])
        overlap = coco_mask.iou(found[:, 1:].copy(), boxes, [0] * len(boxes))
        best = overlap.argmax(0)
        assert overlap.max(0).min() >= 0.99
        assert np.abs(found[best, 0] - [s["score"] for s in wanted]).max() <= 0.01


@needs_nuclei
@needs_torch
def test_every_label_was_asked_about(audited: Path) -> None:
    database = audited / "label_quality.duckdb"
    asked, given, box, mask = query(
        database,
        """select count(*), avg(given_probability), median(box_iou), median(mask_iou) from label_probes
           join annotations using (batch, annotation_id)""",
    )[0]
    assert asked == len(sample(COUNT)["annotations"])
    # The model has box AP50 of .80 on images like these: most labels are what it would say itself.
    assert given > 0.7
    assert box > 0.8
    assert mask > 0.7
    neighbours = query(
        database, "select count(*), min(len(neighbours)), count(agreement) from label_neighbours"
    )
    assert neighbours == [(asked, 10, 0)]  # of one category there is nothing to agree on
    models = query(database, "select model, reader, saw_labels, predictions_kept > 0 from models")
    assert models == [("nuclei", "inference", False, True)]
    assert query(database, "select count(*) from findings where saw_labels") == [(0,)]


@needs_nuclei
@needs_torch
def test_a_model_that_saw_the_labels_is_marked(audited: Path, home: Path, tmp_path: Path) -> None:
    """The same images under a name that the settings list; given by `infer` from the inbox, with nothing to configure."""
    folder = audited / "inbox" / "lot-7"
    folder.mkdir(parents=True)
    (folder / "annotations.json").write_text(json.dumps(sample(2)))
    (folder / "images").symlink_to(IMAGES)
    (audited / "models" / "again.toml").write_text((audited / "models" / "nuclei.toml").read_text())
    text = (audited / "label_quality.toml").read_text()
    (audited / "label_quality.toml").write_text(text + 'again = ["lot-*"]\n')
    given = ("--batch", "lot-7", "--model", "again", "--root", audited)
    done = command("infer", *given, home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "again was trained on these labels and may repeat their errors" in " ".join(
        done.stdout.split()
    )
    assert 'models = ["again"]' in done.stdout
    database = audited / "label_quality.duckdb"
    kinds = "select distinct error_type, saw_labels from findings where batch = 'lot-7' and error_type <> 'duplicate'"
    assert {saw for _, saw in query(database, kinds)} == {True}
    assert query(database, "select distinct model from predictions where batch = 'lot-7'") == [
        ("again",)
    ]


def test_a_configured_model_that_is_not_here_stops_nothing(
    demo: Demo, home: Path, tmp_path: Path
) -> None:
    """Without torch, or without weights: the audit goes on with imported results, and the tables are empty."""
    root = tmp_path / "root"
    (root / "models").mkdir(parents=True)
    (root / "label_quality.toml").write_text(SETTINGS)
    (root / "models" / "nuclei.toml").write_text(
        'builder = "maskrcnn_resnet50_fpn"\nweights = "gone.pt"\ncategories = ["nucleus"]\n'
    )
    given = ("--annotations", demo.annotations, "--images", demo.images, "--root", root)
    results = ("--predictions", next(iter(demo.predictions.values())))
    done = command("audit", *given, *results, home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (told,) = [line for line in done.stderr.splitlines() if "nuclei was not run" in line]
    assert "not installed" in told or "gone.pt of model nuclei are not there" in told
    database = root / "label_quality.duckdb"
    assert query(database, "select count(*) > 0 from findings where error_type = 'missing'") == [
        (True,)
    ]
    assert query(database, "select count(*) from label_probes") == [(0,)]


@pytest.mark.parametrize(
    ("text", "told"),
    [("builder = 3", "nuclei.toml"), (None, "there is no model nuclei")],
)
def test_a_wrong_model_file_is_one_sentence(
    demo: Demo, home: Path, tmp_path: Path, text: str | None, told: str
) -> None:
    root = tmp_path / "root"
    (root / "models").mkdir(parents=True)
    (root / "label_quality.toml").write_text(SETTINGS)
    if text:
        (root / "models" / "nuclei.toml").write_text(text)
    done = command(
        *("audit", "--annotations", demo.annotations, "--images", demo.images, "--root", root),
        home=home,
        cwd=tmp_path,
    )
    assert told in mistake(done)


def test_infer_names_what_it_lacks(home: Path, tmp_path: Path) -> None:
    done = command(
        "infer", "--batch", "nowhere", "--root", tmp_path / "root", home=home, cwd=tmp_path
    )
    line = mistake(done)
    assert "there is no batch nowhere" in line or "is not installed" in line
