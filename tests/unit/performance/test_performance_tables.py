"""The tables over all batches: their rows, several batches and models as one, nothing to judge."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from helpers import batch, cocoeval
from helpers.batch import rows
from performance_tools import boxes, matched

from label_quality.matching import build_overlaps
from label_quality.performance import build_performance, counts_at
from label_quality.performance.tables import TABLE_NAMES
from label_quality.schema import TABLES

# metric, area, max_dets in the order of COCOeval.stats
STATS = [
    ("AP", "all", 100), ("AP50", "all", 100), ("AP75", "all", 100),
    ("AP", "small", 100), ("AP", "medium", 100), ("AP", "large", 100),
    ("AR", "all", 1), ("AR", "all", 10), ("AR", "all", 100),
    ("AR", "small", 100), ("AR", "medium", 100), ("AR", "large", 100),
]  # fmt: skip


def built(con):
    """The tables, written into what the schema's DDL makes of them."""
    for table, sql in build_performance(con).items():
        con.execute(f"insert into {table} by name {sql}")
    return con


def stats(con, model="m", iou_type="bbox"):
    found = rows(
        con,
        "from performance where category_name is null and model = ? and iou_type = ?",
        model,
        iou_type,
    )
    values = {(r["metric"], r["area"], r["max_dets"]): r["value"] for r in found}
    assert len(values) == len(found) == 12
    return [values[key] for key in STATS]


def test_the_twelve_numbers_of_coco():
    document, results = cocoeval.with_masks(*cocoeval.scene(6))
    con = built(matched(document, results))
    for iou_type in ("bbox", "segm"):
        theirs = cocoeval.evaluated(document, results, iou_type).stats
        assert stats(con, iou_type=iou_type) == pytest.approx(theirs.tolist(), abs=1e-12)


def test_each_category_has_twelve_numbers_and_those_without_labels_null():
    document, results = cocoeval.scene(6)
    con = built(matched(document, results))
    judge = cocoeval.evaluated(document, results)
    for k, category in enumerate(document["categories"]):
        found = rows(con, "from performance where category_id = ?", category["id"])
        assert len(found) == 12
        assert {r["category_name"] for r in found} == {category["name"]}
        (ap,) = (r["value"] for r in found if (r["metric"], r["area"]) == ("AP", "all"))
        theirs = judge.eval["precision"][:, :, k, 0, 2]
        assert ap == (None if (theirs == -1).all() else pytest.approx(theirs.mean(), abs=1e-12))
    assert rows(con, "from performance where category_id = 7 and value is not null") == []


def test_curves_are_those_of_coco():
    document, results = cocoeval.scene(9)
    con = built(matched(document, results))
    precision = cocoeval.evaluated(document, results).eval["precision"][..., 0, 2]
    for iou, part in ((0.5, precision[0]), (0.75, precision[5]), (None, precision.mean(axis=0))):
        where = "iou is not distinct from ? and category_id is not distinct from ? order by recall"
        for k, category in enumerate([1, 3, 5]):
            found = rows(con, f"from precision_recall where {where}", iou, category)
            assert [r["recall"] for r in found] == np.linspace(0, 1, 101).tolist()
            np.testing.assert_allclose([r["precision"] for r in found], part[:, k], atol=1e-12)
        found = rows(con, f"from precision_recall where {where}", iou, None)
        np.testing.assert_allclose(
            [r["precision"] for r in found], part[:, :3].mean(axis=1), atol=1e-12
        )
    assert rows(con, "from precision_recall where category_id = 7") == []


def test_confusion_counts_every_label_and_every_sure_prediction():
    document, results = cocoeval.scene(4)
    con = built(matched(document, results))
    labels = sum(not a["iscrowd"] for a in document["annotations"])
    (row,) = rows(con, "select sum(count) filter (category_name is not null) as n from confusion")
    assert row["n"] == labels
    ((found,),) = con.execute(
        "select sum(count) filter (predicted_category_name is not null) from confusion"
    ).fetchall()
    sure = sum(r["score"] >= 0.5 for r in results)
    assert 0 < found <= sure  # those on crowds of their category are left out


@pytest.mark.parametrize(
    ("labels", "results", "cells"),
    [
        # Two labels on one place: the prediction takes the one of its category, whichever comes first.
        (
            [(1, [0, 0, 50, 50]), (2, [0, 0, 50, 50])],
            [(1, [0, 0, 50, 50], 0.9)],
            [(1, 1, 1), (2, None, 1)],
        ),
        (
            [(2, [0, 0, 50, 50]), (1, [0, 0, 50, 50])],
            [(1, [0, 0, 50, 50], 0.9)],
            [(1, 1, 1), (2, None, 1)],
        ),
        # The surer one chooses first, whatever its category.
        (
            [(1, [0, 0, 50, 50])],
            [(1, [0, 0, 50, 50], 0.8), (2, [0, 0, 50, 45], 0.9)],
            [(1, 2, 1), (None, 1, 1)],
        ),
        ([(1, [0, 0, 50, 50])], [(1, [0, 0, 50, 50], 0.49)], [(1, None, 1)]),
        (
            [(1, [0, 0, 90, 90], {"iscrowd": 1})],
            [(1, [9, 9, 9, 9], 0.9), (2, [9, 9, 9, 9], 0.9)],
            [(None, 2, 1)],
        ),
    ],
)
def test_cells_of_the_confusion(labels, results, cells):
    con = built(matched(*boxes(labels, results)))
    found = con.execute(
        "select category_id, predicted_category_id, count from confusion order by all nulls last"
    ).fetchall()
    assert found == cells


def test_batches_are_one_and_categories_go_by_name():
    """Two halves as two batches, with the same ids in both and other category ids in the second, equal the whole."""
    document, results = cocoeval.scene(11, images=12)
    whole = stats(built(matched(document, results)))
    con = batch.database([], [], {}, [])
    con.execute("delete from batches")
    first = {i["id"] for i in document["images"][:6]}
    for name, wanted, shift in (
        ("a", lambda i: i in first, 0),
        ("b", lambda i: i not in first, 100),
    ):
        images = [i for i in document["images"] if wanted(i["id"])]
        renumbered = {i["id"]: k for k, i in enumerate(images)}

        def moved(record, renumbered=renumbered, shift=shift):
            out = copy.deepcopy(record)
            out["image_id"] = renumbered[record["image_id"]]
            out["category_id"] += shift
            return out

        labels = [moved(a) for a in document["annotations"] if wanted(a["image_id"])]
        part = batch.database(
            [{**i, "id": renumbered[i["id"]]} for i in images],
            [{**a, "id": k + 1} for k, a in enumerate(labels)],
            {"m": [moved(r) for r in results if wanted(r["image_id"])]},
            [{**c, "id": c["id"] + shift} for c in document["categories"]],
        )
        build_overlaps(part)
        part.execute("insert into prediction_overlaps by name from new_prediction_overlaps")
        for table in ("images", "categories", "annotations", "predictions", "prediction_overlaps"):
            part.execute(f"update {table} set batch = ?", [name])
            con.register("_part", part.sql(f"from {table}").to_arrow_table())
            con.execute(f"insert into {table} by name from _part")
            con.unregister("_part")
    assert stats(built(con)) == pytest.approx(whole, abs=1e-12)
    assert counts_at(con, 0.5)["category_id"].dropna().tolist() == [1, 3, 5, 7]


def test_models_are_judged_each_by_itself():
    document, results = cocoeval.scene(2)
    other = [{**r, "score": 1 - r["score"]} for r in results[::2]]
    con = batch.database(
        document["images"],
        document["annotations"],
        {"it's": results, "b": other},
        document["categories"],
    )
    build_overlaps(con)
    con.execute("insert into prediction_overlaps by name select * from new_prediction_overlaps")
    built(con)
    for model, found in (("it's", results), ("b", other)):
        theirs = cocoeval.evaluated(document, found).stats
        assert stats(con, model) == pytest.approx(theirs.tolist(), abs=1e-12)


@pytest.mark.parametrize("labels", [[], [(1, [0, 0, 9, 9])]])
@pytest.mark.parametrize("results", [[], [(1, [0, 0, 9, 9], 0.5)]])
def test_nothing_to_judge(labels, results):
    con = built(matched(*boxes(labels, results)))
    assert set(TABLE_NAMES) <= set(TABLES)
    assert bool(rows(con, "from performance")) == bool(results)
    assert bool(rows(con, "from performance where value is not null")) == bool(labels and results)
