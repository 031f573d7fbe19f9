"""Outcomes and their reasons: made scenes with one error each, agreement with COCOeval, every row accounted for."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import cocoeval
from helpers.batch import rows
from performance_tools import boxes, matched

from label_quality.performance import build_outcomes
from label_quality.schema import TABLES

BOX = [100, 100, 100, 100]
WEAK = [100, 160, 100, 100]  # IoU .25 with BOX


def judged(document, results):
    """The two tables, written into what the schema's DDL makes of them."""
    con = matched(document, results)
    build_outcomes(con)
    for table in ("prediction_outcomes", "label_outcomes"):
        con.execute(f"insert into {table} by name select * from new_{table}")
    return con


@pytest.mark.parametrize(
    ("labels", "results", "predictions", "of_labels"),
    [
        ([(1, BOX)], [(1, BOX, 0.9)], [("TP", None, 1)], [("TP", None, 0)]),
        ([(1, BOX)], [(1, WEAK, 0.9)], [("FP", "poor_location", 1)], [("FN", "poor_location", 0)]),
        ([(1, BOX)], [(2, BOX, 0.9)], [("FP", "wrong_class", 1)], [("FN", "wrong_class", 0)]),
        ([(1, BOX)], [(2, WEAK, 0.9)], [("FP", "both", 1)], [("FN", "both", 0)]),
        (
            [(1, BOX)],
            [(1, [500, 500, 50, 50], 0.9)],
            [("FP", "background", None)],
            [("FN", "missed", None)],
        ),
        (
            [(1, BOX)],
            [(1, [100, 190, 100, 100], 0.9)],
            [("FP", "background", None)],
            [("FN", "missed", None)],
        ),
        (
            [(1, BOX)],
            [(1, BOX, 0.8), (1, [100, 100, 100, 90], 0.9)],
            [("FP", "duplicate", 1), ("TP", None, 1)],
            [("TP", None, 1)],
        ),
        # One prediction on two labels: it can be matched with one of them.
        (
            [(1, BOX), (1, [100, 100, 100, 80])],
            [(1, BOX, 0.9)],
            [("TP", None, 1)],
            [("TP", None, 0), ("FN", "shared", 0)],
        ),
        (
            [(1, BOX, {"iscrowd": 1})],
            [(1, BOX, 0.9)],
            [("ignored", None, 1)],
            [("ignored", None, None)],
        ),
        (
            [(1, BOX, {"iscrowd": 1})],
            [(2, BOX, 0.9)],
            [("FP", "background", None)],
            [("ignored", None, None)],
        ),
        # TIDE asks for place before class.
        (
            [(1, BOX), (2, WEAK)],
            [(1, WEAK, 0.9)],
            [("FP", "poor_location", 1)],
            [("FN", "poor_location", 0), ("FN", "wrong_class", 0)],
        ),
        ([], [(1, BOX, 0.9)], [("FP", "background", None)], []),
        ([(1, BOX)], [], [], []),
    ],
)
def test_one_error_each(labels, results, predictions, of_labels):
    con = judged(*boxes(labels, results))
    found = rows(con, "select * from prediction_outcomes order by prediction_id")
    assert [(r["outcome"], r["reason"], r["annotation_id"]) for r in found] == predictions
    found = rows(con, "select * from label_outcomes order by annotation_id")
    assert [(r["outcome"], r["reason"], r["prediction_id"]) for r in found] == of_labels


@pytest.mark.parametrize("seed", range(6))
def test_outcomes_are_those_of_coco(seed):
    document, results = cocoeval.scene(seed)
    con = judged(document, results)
    judge = cocoeval.evaluated(document, results, ious=[0.5], max_dets=(100,))
    expected = {}
    for image in judge.evalImgs:
        if image is not None and image["aRng"] == judge.params.areaRng[0]:
            for key, match, ignored in zip(
                image["dtIds"], image["dtMatches"][0], image["dtIgnore"][0], strict=True
            ):
                word = "ignored" if ignored else "TP" if match else "FP"
                expected[key - 1] = (word, int(match) or None)
    found = rows(con, "select * from prediction_outcomes")
    mine = {
        r["prediction_id"]: (r["outcome"], r["annotation_id"] if r["outcome"] != "FP" else None)
        for r in found
    }
    assert {k: v[0] for k, v in mine.items()} == {k: v[0] for k, v in expected.items()}
    # Which of two labels of equal IoU and, being crowds, of no consequence: only what counts is compared.
    true = {k: v for k, v in expected.items() if v[0] == "TP"}
    assert {k: v for k, v in mine.items() if v[0] == "TP"} == true


def test_every_prediction_and_label_has_one_row():
    document, results = cocoeval.scene(2, images=6, categories=2, crowded=True)
    con = judged(*cocoeval.with_masks(document, results))
    for table, source, key in (
        ("prediction_outcomes", "predictions", "prediction_id"),
        ("label_outcomes", "annotations", "annotation_id"),
    ):
        wanted = sorted(r[key] for r in rows(con, f"from {source}"))
        for iou_type in ("bbox", "segm"):
            found = rows(con, f"from {table} where iou_type = ?", iou_type)
            assert sorted(r[key] for r in found) == wanted
            for r in found:
                assert (r["reason"] is None) == (r["outcome"] not in ("FP", "FN"))
    beyond = rows(
        con,
        """select prediction_id from predictions
           qualify row_number() over (partition by image_id, category_id order by score desc, prediction_id) > 100""",
    )
    assert beyond
    outcome = {
        r["prediction_id"]: r for r in rows(con, "from prediction_outcomes where iou_type = 'bbox'")
    }
    assert {outcome[r["prediction_id"]]["outcome"] for r in beyond} == {"ignored"}


def test_the_evidence_is_a_pair_that_overlaps():
    con = judged(*cocoeval.scene(4))
    for table in ("prediction_outcomes", "label_outcomes"):
        found = rows(
            con,
            f"""select t.iou, v.box_iou from {table} t
                left join prediction_overlaps v using (model, prediction_id, annotation_id)
                where t.annotation_id is not null and t.prediction_id is not null and t.iou is not null""",
        )
        assert len(found) > 20
        assert all(r["iou"] == r["box_iou"] for r in found)


def test_without_predictions_there_are_no_rows():
    con = judged(*boxes([(1, BOX)], []))
    for table in ("prediction_outcomes", "label_outcomes"):
        assert rows(con, f"from {table}") == []
        assert np.all([c.name for c in TABLES[table].columns])
