"""Planted errors: what the ledger says is what happened to the labels, and nothing else happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import batch, scenes

from label_quality.planting import SHAPES, Planted, plant
from label_quality.planting.boxes import ious
from label_quality.planting.shapes import BANDS, DUPLICATE_BAND, MASK_BAND
from label_quality.schema import TABLES

CROWD = {
    "id": 5,
    "image_id": scenes.FIRST,
    "category_id": scenes.CAT,
    "bbox": (0, 0, 200, 200),
    "iscrowd": 1,
}
BOX = ("x", "y", "width", "height")
Rows = dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def con() -> Any:
    images, labels, seen = scenes.ordinary(40, masks=True)
    return batch.audit(batch.database(images, [*labels, CROWD], seen, scenes.CATEGORIES))


def rows(table: Any) -> Rows:
    return {r["annotation_id"]: r for r in table.to_pylist()}


def before(con: Any) -> tuple[Rows, Rows]:
    return rows(con.sql("from annotations").to_arrow_table()), rows(
        con.sql("from annotation_masks").to_arrow_table()
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_ledger_tells_all_that_happened(con: Any, shape: str) -> None:
    planted = plant(con, {shape: 0.1}, 7)
    old, old_masks = before(con)
    new, new_masks = rows(planted.annotations), rows(planted.masks)
    errors = planted.ledger.to_pylist()
    assert len(errors) == 20
    assert {e["error_type"] for e in errors} == {SHAPES[shape].error_type}
    named = {e["annotation_id"] for e in errors} | {e["other_annotation_id"] for e in errors}
    untouched = (old.keys() & new.keys()) - named
    assert all(old[k] == new[k] and old_masks.get(k) == new_masks.get(k) for k in untouched)
    gained = {"missing": -1, "duplicate": 1, "spurious": 1}.get(SHAPES[shape].error_type, 0)
    assert len(new) == len(old) + gained * len(errors)
    assert new[5] == old[5]
    for error in errors:
        _check(error, old, new, new_masks)


def _check(error: dict[str, Any], old: Rows, new: Rows, masks: Rows) -> None:
    kind, own, other = error["error_type"], error["annotation_id"], error["other_annotation_id"]
    true = tuple(error[c] for c in BOX)
    there = new.get(own)
    if kind == "missing":
        assert own is None
        (gone,) = [a for a in old.values() if tuple(a[c] for c in BOX) == true]
        assert gone["annotation_id"] not in new
        return
    assert there is not None
    box = tuple(there[c] for c in BOX)
    assert there["image_id"] == error["image_id"]
    assert own in masks
    if kind == "spurious":
        assert box == true
        beside = [a for a in old.values() if a["image_id"] == there["image_id"]]
        assert all(ious(np.array([box]), np.array([[a[c] for c in BOX]]))[0] < 0.1 for a in beside)
        return
    if kind == "duplicate":
        original = new[other]
        assert tuple(original[c] for c in BOX) == true
        assert max(own, other) > max(old)
        assert (there["category_id"] == original["category_id"]) == (
            error["shape"] != "duplicate_other"
        )
        return
    assert tuple(old[own][c] for c in BOX) == true
    assert error["category_id"] == old[own]["category_id"]
    assert (there["category_id"] == error["category_id"]) == (kind != "wrong_class")
    assert (box == true) == (kind == "wrong_class")


@pytest.mark.parametrize(
    "shape", [s for s in SHAPES if s.startswith(("inaccurate", "mask", "duplicate_same"))]
)
def test_inaccurate_ones_lie_in_their_band(con: Any, shape: str) -> None:
    band = {"mask": MASK_BAND, "same": DUPLICATE_BAND, **BANDS}
    low, high = next(v for k, v in band.items() if k in shape)
    iou = plant(con, {shape: 0.2}, 1).ledger["iou"].to_numpy()
    assert ((iou >= low) & (iou <= high)).all()


def test_rows_keep_to_the_schema(con: Any) -> None:
    planted = plant(con, dict.fromkeys(SHAPES, 0.02), 3)
    assert planted.annotations.schema.equals(TABLES["annotations"].arrow_schema())
    assert planted.masks.schema.equals(TABLES["annotation_masks"].arrow_schema())
    for table in (planted.annotations, planted.masks):
        ids = table["annotation_id"].to_pylist()
        assert len(ids) == len(set(ids))
        for field in table.schema:
            assert field.nullable or not table[field.name].null_count


def test_no_label_has_two_errors(con: Any) -> None:
    ledger = plant(con, dict.fromkeys(SHAPES, 0.03), 3).ledger.to_pylist()
    named = [
        e[c] for e in ledger for c in ("annotation_id", "other_annotation_id") if e[c] is not None
    ]
    assert len(named) == len(set(named))
    assert len(ledger) > 100


def test_same_seed_same_errors(con: Any) -> None:
    def planted(seed: int) -> Planted:
        return plant(con, {"missing_small": 0.1, "duplicate_same": 0.05}, [seed, 4])

    assert planted(1).annotations.equals(planted(1).annotations)
    assert not planted(1).ledger.equals(planted(2).ledger)


def test_ids_do_not_tell_the_duplicate(con: Any) -> None:
    ledger = plant(con, {"duplicate_exact": 0.5}, 0).ledger
    greater = (ledger["annotation_id"].to_numpy() > ledger["other_annotation_id"].to_numpy()).mean()
    assert 0.3 < greater < 0.7


def test_what_lies_in_a_crowd_is_never_missing(con: Any) -> None:
    ledger = plant(con, {"missing_uniform": 1.0}, 0).ledger.to_pylist()
    first = [e for e in ledger if e["image_id"] == scenes.FIRST]
    assert [e["category_id"] for e in first if e["x"] < 40 and e["y"] < 40] == []
    assert len(ledger) == 199  # all but the cat in the crowd


def test_difficult_labels_go_first(con: Any) -> None:
    def median_area(shape: str) -> float:
        ledger = plant(con, {shape: 0.2}, 5).ledger
        return float(np.median(ledger["width"].to_numpy() * ledger["height"].to_numpy()))

    assert median_area("missing_small") < median_area("missing_uniform")


@pytest.mark.parametrize("shape", SHAPES)
def test_labels_that_cannot_have_an_error_get_none(shape: str) -> None:
    """One category, no masks, and a batch without labels."""
    images = [scenes.image(1)]
    label = {"id": 1, "image_id": 1, "category_id": 1, "bbox": (50, 60, 70, 80)}
    one = batch.database(images, [label], {}, [{"id": 1, "name": "cat"}])
    impossible = shape.startswith(("wrong", "mask")) or shape.endswith("other")
    found = plant(one, {shape: 1.0}, 0).ledger.num_rows
    assert found == (0 if impossible else 1)
    none = plant(batch.database(images, []), {shape: 1.0}, 0)
    assert none.annotations.num_rows == none.ledger.num_rows == 0


@pytest.mark.parametrize(
    ("shares", "told"), [({"typo": 0.1}, "unknown shape"), ({"mask_cut": 1.5}, "between 0 and 1")]
)
def test_bad_shares_are_told(con: Any, shares: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        plant(con, shares, 0)
