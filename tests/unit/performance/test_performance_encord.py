"""The counter-examples to Encord Active's numbers (its defects in brackets): here each number is the right one."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import cocoeval
from performance_tools import boxes, matched

from label_quality.performance import build_performance, counts_at
from label_quality.performance.average import averages
from label_quality.performance.load import load


def test_a_second_label_is_matched_where_the_best_is_taken():
    """[argmax binding: of IoUs [[1, .67], [.84, .80]] one true, one duplicate, one missed] COCO: both are true."""
    labels = [(1, [0, 0, 100, 100]), (1, [20, 0, 100, 100])]
    results = [(1, [0, 0, 100, 100], 0.9), (1, [9, 0, 100, 100], 0.8)]
    document, found = boxes(labels, results)
    con = matched(document, found)
    pairs = con.execute(
        "select box_iou from prediction_overlaps order by prediction_id, annotation_id"
    ).fetchall()
    assert [round(p[0], 2) for p in pairs] == [1.0, 0.67, 0.83, 0.8]
    assert counts_at(con, 0.5).iloc[0][["tp", "fp", "fn"]].tolist() == [2, 0, 0]
    assert cocoeval.evaluated(document, found).stats[1] == pytest.approx(1)


def test_precision_is_taken_where_the_recall_is_reached():
    """[at the last row of each run of true positives: .01] One perfect detection and 99 weaker false ones: AP 1.00."""
    results = [(1, [0, 0, 50, 50], 0.99)]
    results += [(1, [500 + k, 500, 40, 40], 0.9 - k / 1000) for k in range(99)]
    con = matched(*boxes([(1, [0, 0, 50, 50])], results))
    assert averages(load(con, "m")).average_precision()[0] == pytest.approx(1)
    assert counts_at(con, 0.5).iloc[0]["fp"] == 99


def test_f1_of_three_tenths():
    """[2PR / max(P + R, 1): precision and recall of .3 give .18] F1 is .30."""
    labels = [(1, [40 * k, 0, 30, 30]) for k in range(10)]
    results = [(1, [40 * k, 0, 30, 30], 0.9) for k in range(3)]
    results += [(1, [40 * k, 500, 30, 30], 0.8) for k in range(7)]
    row = counts_at(matched(*boxes(labels, results)), 0.5).iloc[0]
    assert row[["precision", "recall", "f1"]].tolist() == pytest.approx([0.3, 0.3, 0.3])


def test_false_negative_rate_does_not_count_false_positives():
    """[FN / (FN + TP + FP) of 10 TP, 90 FP, 10 FN: .09] The rate is .50: 1 - recall."""
    labels = [(1, [40 * k, 0, 30, 30]) for k in range(20)]
    results = [(1, [40 * k, 0, 30, 30], 0.9) for k in range(10)]
    results += [(1, [10 * k, 500, 30, 30], 0.8) for k in range(90)]
    row = counts_at(matched(*boxes(labels, results)), 0.5).iloc[0]
    assert row[["tp", "fp", "fn"]].tolist() == [10, 90, 10]
    assert 1 - row["recall"] == pytest.approx(0.5)


def test_average_recall_has_no_ceiling():
    """[twice the area under recall at IoU .5, .6 … 1.0: .9 for boxes that are right up to .95] AR is 1."""
    document, results = boxes([(1, [0, 0, 100, 100])], [(1, [0, 0, 100, 98], 0.9)])
    assert counts_at(matched(document, results), 0.5).iloc[0]["ar"] == pytest.approx(1)
    assert cocoeval.evaluated(document, results).stats[8] == pytest.approx(1)


def test_categories_that_are_only_predicted_do_not_count():
    """[mAP over all categories seen, those without labels with AP 0: .5] COCO leaves them out: 1.0."""
    document, results = boxes(
        [(1, [0, 0, 50, 50])], [(1, [0, 0, 50, 50], 0.9), (2, [300, 0, 50, 50], 0.9)]
    )
    row = counts_at(matched(document, results), 0.5).iloc[0]
    assert row["ap"] == pytest.approx(1)
    assert cocoeval.evaluated(document, results).stats[1] == pytest.approx(1)


def test_crowds_are_regions_to_ignore():
    """[crowds are dropped at import, predictions on them become false] They are neither right nor wrong."""
    crowd = (1, [0, 0, 400, 400], {"iscrowd": 1})
    results = [(1, [10 * k, 10 * k, 50, 50], 0.9) for k in range(5)]
    con = matched(*boxes([crowd, (1, [600, 600, 50, 50])], results))
    assert counts_at(con, 0.5).iloc[0][["labels", "tp", "fp", "fn"]].tolist() == [1, 0, 0, 1]


def test_a_wrong_category_is_named():
    """[predictions meet labels of their own category only, no reason can say so] The reason is wrong_class, both ways."""
    con = matched(*boxes([(1, [0, 0, 50, 50])], [(2, [0, 0, 50, 45], 0.9)]))
    made = build_performance(con)
    gains = dict(
        con.execute(
            f"select error_type, gain from ({made['performance_gains']}) where metric = 'AP50'"
        ).fetchall()
    )
    assert gains["wrong_class"] == pytest.approx(1)
    assert gains["poor_location"] == 0
    cells = con.execute(
        f"select category_id, predicted_category_id, count from ({made['confusion']})"
    ).fetchall()
    assert cells == [(1, 2, 1)]


def test_boxes_are_compared_with_boxes_where_labels_have_masks():
    """[each category becomes two, polygon and box: all false] Box results against labels with masks count as any."""
    document, results = cocoeval.scene(3)
    masked, _ = cocoeval.with_masks(document, results)
    plain, other = (counts_at(matched(d, results), 0.5) for d in (document, masked))
    np.testing.assert_array_equal(plain["tp"], other["tp"])
    assert plain.iloc[0]["tp"] > 0
