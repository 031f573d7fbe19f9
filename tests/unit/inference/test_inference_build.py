"""Models on a batch: the same rows whatever the batch size, the workers or what was interrupted; what is kept, what is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers import networks
from helpers.networks import database, model_file, needs_torch
from PIL import Image

from label_quality.inference.build import Place, Report, build_inference
from label_quality.inference.errors import ModelError
from label_quality.schema import TABLES
from label_quality.store.conform import conform_arrow

pytestmark = needs_torch
STREAMED = ("inferred_predictions", "inferred_prediction_masks", "label_probes", "label_features")


class Written(dict[str, pa.Table]):
    """What a run wrote, as the store would take it, and what was said."""

    reports: list[Report]
    said: list[str]


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Written]:
    """A function that runs models on the same small pictures. Chunks are of three images."""
    monkeypatch.setattr("label_quality.inference.build._IMAGES_A_CHUNK", {"cpu": 3})
    model_file(tmp_path / "root")
    images = networks.pictures(tmp_path / "images")
    annotations = networks.labels(images)

    def run(
        *models: str,
        cache: str = "cache",
        images_folder: Path | None = tmp_path / "images",
        imported: tuple[str, ...] = (),
        annotations: list[dict[str, Any]] = annotations,
        **more: Any,
    ) -> Written:
        rows: dict[str, list[pa.Table]] = {name: [] for name in STREAMED}
        said: list[str] = []
        place = Place("batch-1", images_folder, tmp_path / cache, imported)
        with database(images, annotations) as con:
            write = {name: rows[name].append for name in STREAMED}
            reports = build_inference(
                con,
                place,
                networks.settings(tmp_path / "root", *models, **more),
                write,
                said.append,
            )
        out = Written()
        for name in STREAMED:
            empty = TABLES[name].arrow_schema().empty_table()
            out[name] = pa.concat_tables(
                [empty, *(conform_arrow(t, TABLES[name], "batch-1") for t in rows[name])]
            )
        out.reports, out.said = reports, said
        return out

    run.annotations = annotations  # type: ignore[attr-defined]
    return run


def same(a: Written, b: Written) -> None:
    for name in STREAMED:
        assert a[name].num_rows == b[name].num_rows > 0
        for column in a[name].column_names:
            left, right = a[name][column].to_pylist(), b[name][column].to_pylist()
            if isinstance(next((v for v in left if v is not None), None), float | list):
                flat = [np.array([np.nan if v is None else v for v in s]) for s in (left, right)]
                assert np.allclose(*flat, atol=1e-3, equal_nan=True), (name, column)
            elif column != "segmentation":
                assert left == right, (name, column)


def test_batch_size_and_workers_change_nothing(batch: Callable[..., Written]) -> None:
    one = batch(batch_size=1, workers=0)
    assert one["inferred_predictions"].num_rows > 20
    same(one, batch(batch_size=4, workers=0, cache="four"))
    same(one, batch(batch_size=4, workers=2, cache="workers"))


def test_a_model_that_is_named_twice_runs_once(batch: Callable[..., Written]) -> None:
    once, twice = batch("tiny"), batch("tiny", "tiny")
    assert len(twice.reports) == 1
    same(once, twice)


def test_ids_are_places_and_masks_belong_to_them(batch: Callable[..., Written]) -> None:
    out = batch()
    predictions, masks = out["inferred_predictions"], out["inferred_prediction_masks"]
    ids = predictions["prediction_id"].to_pylist()
    assert ids == list(range(len(ids)))
    images = predictions["image_id"].to_pylist()
    assert images == sorted(images)
    masked = [i for i, m in zip(ids, predictions["has_mask"].to_pylist(), strict=True) if m]
    assert masks["prediction_id"].to_pylist() == masked
    for name, low, high in (("score", 0, 1), ("width", 0, 200), ("x", 0, 200)):
        values = predictions[name].to_numpy()
        assert ((values >= low) & (values <= high)).all()


def test_a_killed_run_is_resumed_at_the_last_finished_chunk(
    batch: Callable[..., Written], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from label_quality.inference import running

    whole = batch(cache="whole")
    finish, done = running._Run._finish, []

    def interrupted(self: Any, opened: Any) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(opened)
        finish(self, opened)

    with monkeypatch.context() as patch:
        patch.setattr(running._Run, "_finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            batch()
    resumed = batch()
    assert resumed.reports[0].images_run == 3  # of nine, in three chunks
    same(whole, resumed)


def test_what_still_holds_is_not_made_again(batch: Callable[..., Written], tmp_path: Path) -> None:
    first = batch()
    assert batch().reports[0].images_run == 0
    # One label is corrected: only the chunk that it lies in is asked again.
    corrected = [dict(a) for a in batch.annotations]  # type: ignore[attr-defined]
    corrected[-1]["category_id"] = 3 if corrected[-1]["category_id"] != 3 else 7
    again = batch(annotations=corrected)
    assert again.reports[0].images_run == 3
    assert again["inferred_predictions"].equals(first["inferred_predictions"])
    assert not again["label_probes"].equals(first["label_probes"])
    # Another picture under the same name.
    Image.new("RGB", (64, 48), (9, 99, 9)).save(tmp_path / "images" / "1.png")
    assert batch(annotations=corrected).reports[0].images_run == 3
    kept = [len(list((tmp_path / "cache" / kind).iterdir())) for kind in ("predictions", "probes")]
    assert kept == [3, 3]


def test_a_batch_that_is_too_large_is_halved(batch: Callable[..., Written], tmp_path: Path) -> None:
    model_file(tmp_path / "root", "small", "build_with_little_memory", most=1)
    out = batch("small", batch_size=4)
    assert any("memory is full, going on with batches of 1" in s for s in out.said)
    model_file(tmp_path / "root", "none", "build_with_little_memory", most=0)
    with pytest.raises(ModelError, match="does not suffice for a single image"):
        batch("none", batch_size=4)
    whole = batch(batch_size=1, cache="whole")
    boxes = [w["inferred_predictions"]["x"].to_numpy() for w in (out, whole)]
    assert np.allclose(*boxes, atol=1e-3)


def test_a_file_that_cannot_be_read_is_told(batch: Callable[..., Written], tmp_path: Path) -> None:
    (tmp_path / "images" / "2.png").write_bytes(b"no picture")
    (tmp_path / "images" / "5.png").unlink()
    for out in (batch(), batch()):  # the second takes what was kept
        assert sorted(out.reports[0].unreadable) == ["2.png", "5.png"]
        assert not {2, 5} & set(out["inferred_predictions"]["image_id"].to_pylist())
    assert out.reports[0].images_run == 0


def test_categories_that_do_not_map_are_told(batch: Callable[..., Written], tmp_path: Path) -> None:
    model_file(tmp_path / "root", "wide", box_detections_per_img=200)  # a cat is among so many
    out = batch("wide")
    (report,) = out.reports
    assert report.mapped is not None
    assert (report.mapped.of_model, report.mapped.of_dataset) == (("cat",), ("cow",))
    assert set(out["inferred_predictions"]["category_id"].to_pylist()) <= {7, 3}
    assert report.unmapped_predictions > 0
    # A label of a category that the model does not know is asked about all the same.
    cows = [a["id"] for a in batch.annotations if a["category_id"] == 9 and not a["iscrowd"]]  # type: ignore[attr-defined]
    rows = {r["annotation_id"]: r for r in out["label_probes"].to_pylist()}
    assert cows
    for one in cows:
        assert rows[one]["given_probability"] is rows[one]["class_loss"] is rows[one]["x"] is None
        assert 0 <= rows[one]["background_probability"] <= 1
        assert rows[one]["other_category_id"] in (3, 7)


def test_probes_hold_what_they_say(batch: Callable[..., Written]) -> None:
    out = batch()
    asked = [a for a in batch.annotations if not a["iscrowd"]]  # type: ignore[attr-defined]
    rows = out["label_probes"].to_pylist()
    assert [r["annotation_id"] for r in rows] == [a["id"] for a in asked]
    for row, label in zip(rows, asked, strict=True):
        if label["category_id"] == 9:
            continue
        given, other = row["given_probability"], row["other_probability"]
        assert given + other + row["background_probability"] <= 1 + 1e-5
        assert row["other_category_id"] == {7: 3, 3: 7}[label["category_id"]]
        assert row["class_loss"] == pytest.approx(-np.log(given), abs=1e-4)
        assert row["box_loss"] >= 0
        assert row["box_iou"] == pytest.approx(_iou(label["bbox"], row), abs=1e-6)
        assert 0 <= row["mask_iou"] <= 1
    lengths = {len(r) for r in out["label_features"]["features"].to_pylist()}
    assert lengths == {24}


def _iou(box: list[float], row: dict[str, float]) -> float:
    from pycocotools import mask as mask_api

    other = [row[c] for c in ("x", "y", "width", "height")]
    return float(mask_api.iou([box], [other], [0])[0, 0])


def test_delivered_results_stand(batch: Callable[..., Written]) -> None:
    out = batch(imported=("tiny",))
    assert out["inferred_predictions"].num_rows == 0
    assert out["label_probes"].num_rows > 0
    assert "results were delivered" in out.reports[0].note


def test_labels_need_not_be_asked_about(batch: Callable[..., Written]) -> None:
    out = batch(probe=False)
    assert out["inferred_predictions"].num_rows > 0
    assert out["label_probes"].num_rows == out["label_features"].num_rows == 0


@pytest.mark.parametrize("lacking", ["images", "weights", "torch"])
def test_what_is_not_here_is_told_and_leaves_the_tables_empty(
    batch: Callable[..., Written], lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more: dict[str, Any] = {}
    if lacking == "images":
        more = {"images_folder": None}
    elif lacking == "weights":
        (tmp_path / "root" / "models" / "tiny.safetensors").unlink()
    else:
        monkeypatch.setitem(__import__("sys").modules, "torch", None)
    out = batch(**more)
    (report,) = out.reports
    assert {"images": "without images", "weights": "are not there", "torch": "not installed"}[
        lacking
    ] in report.note
    assert [out[name].num_rows for name in STREAMED] == [0, 0, 0, 0]
    assert out.said == [f"tiny was not run: {report.note}"]


def test_the_time_to_expect_is_said_beforehand(
    batch: Callable[..., Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("label_quality.inference.running._WORTH", 5)
    told = [s for s in batch().said if "will take" in s]
    assert len(told) == 1
    assert "tiny on cpu" in told[0]
    assert "9 images" in told[0]
