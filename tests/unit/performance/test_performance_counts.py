"""Counts at every stop of the slider against a COCOeval of its own at that IoU (maxDets 100), and what is computed of them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import coco_subset, cocoeval
from performance_tools import boxes, matched

from label_quality.performance import Evaluation, counts_at
from label_quality.performance.counts import SLIDER


def expected(document, results, iou, min_score=0.0, iou_type="bbox"):
    """Category -> labels, tp, fp of COCOeval at one IoU, and its AP there."""
    wanted = [r for r in results if r["score"] >= min_score]
    judge = cocoeval.evaluated(document, wanted, iou_type, ious=[iou], max_dets=(100,))
    out = {c["id"]: np.zeros(3, int) for c in document["categories"]}
    for image in judge.evalImgs:
        if image is None or image["aRng"] != judge.params.areaRng[0]:
            continue
        counted = ~image["dtIgnore"][0].astype(bool)
        right = (image["dtMatches"][0] > 0) & counted
        labels = len(image["gtIds"]) - int(np.sum(image["gtIgnore"]))
        out[image["category_id"]] += [labels, right.sum(), (counted & ~right).sum()]
    ap = judge.eval["precision"][0, :, :, 0, 0].mean(axis=0)
    return out, np.where(ap == -1, np.nan, ap)


def agree(document, results, found, iou, min_score=0.0, iou_type="bbox"):
    counts, ap = expected(document, results, iou, min_score, iou_type)
    rows = found.iloc[1:]
    assert rows["category_id"].tolist() == list(counts)
    assert rows[["labels", "tp", "fp"]].to_numpy().tolist() == [list(c) for c in counts.values()]
    np.testing.assert_allclose(rows["ap"].to_numpy(float), ap, atol=1e-12)
    total = np.sum(list(counts.values()), axis=0)
    assert found.iloc[0][["labels", "tp", "fp"]].tolist() == total.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_every_stop_equals_a_matching_from_scratch(seed):
    document, results = cocoeval.scene(seed, images=6, categories=3)
    evaluation = Evaluation(matched(document, results), "m")
    for iou in SLIDER.tolist():
        agree(document, results, evaluation.counts_at(iou), iou)


@pytest.mark.parametrize(
    ("iou_type", "iou", "score"),
    [("bbox", 0.1, 0.0), ("bbox", 0.37, 0.25), ("bbox", 0.9, 0.0), ("segm", 0.63, 0.1)],
)
@coco_subset.needs_coco
def test_real_labels(iou_type, iou, score):
    document, results = coco_subset.labels(), coco_subset.results("yolov5s-seg")
    chosen = {i["id"] for i in document["images"][:50]}
    part = {
        "images": document["images"][:50],
        "annotations": [a for a in document["annotations"] if a["image_id"] in chosen],
    }
    document, results = document | part, [r for r in results if r["image_id"] in chosen]
    found = counts_at(matched(document, results), iou, iou_type=iou_type, min_score=score)
    assert found.iloc[0]["tp"] > 50
    agree(document, results, found, iou, score, iou_type)


def test_a_smallest_score_and_a_choice_of_categories():
    document, results = cocoeval.scene(5)
    con = matched(document, results)
    for score in (0.0, 0.3, 0.35, 1.0):
        agree(document, results, counts_at(con, 0.5, min_score=score), 0.5, score)
    whole, some = counts_at(con, 0.5), counts_at(con, 0.5, categories=[1, 5, 999])
    assert some["category_id"].tolist()[1:] == [1, 5]
    assert some.iloc[1:, 4:].equals(
        whole[whole["category_id"].isin([1, 5])].iloc[:, 4:].reset_index(drop=True).set_axis([1, 2])
    )
    assert some.iloc[0]["tp"] == some.iloc[1:]["tp"].sum()
    assert some.iloc[0]["ap"] == pytest.approx(some.iloc[1:]["ap"].mean())


def test_what_is_computed_of_the_counts():
    found = counts_at(
        matched(
            *boxes(
                [
                    (1, [0, 0, 10, 10]),
                    (1, [50, 0, 10, 10]),
                    (1, [100, 0, 10, 10]),
                    (2, [200, 0, 10, 10]),
                ],
                [
                    (1, [0, 0, 10, 10], 0.9),
                    (1, [50, 0, 10, 8], 0.8),
                    (1, [400, 0, 9, 9], 0.7),
                    (3, [500, 0, 9, 9], 0.6),
                ],
            )
        ),
        0.5,
    )
    total, first, second, third = (found.iloc[k] for k in range(4))
    assert first[["labels", "tp", "fp", "fn"]].tolist() == [3, 2, 1, 1]
    assert first[["precision", "recall", "f1"]].tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    # Recall is 2/3 up to IoU .80, 1/3 above: seven and three of the ten IoUs .50:.05:.95.
    assert first["ar"] == pytest.approx((7 * 2 / 3 + 3 / 3) / 10)
    assert np.isnan(second["precision"])
    assert second[["recall", "ar", "ap"]].tolist() == [0, 0, 0]
    assert np.isnan([third["recall"], third["ap"], third["ar"]]).all()
    assert total[["labels", "tp", "fp", "fn"]].tolist() == [4, 2, 2, 2]
    assert total[["precision", "recall", "f1"]].tolist() == [0.5, 0.5, 0.5]
    assert total["ar"] == pytest.approx(first["ar"] / 2)


def test_average_recall_at_one_half_is_that_of_coco():
    document, results = cocoeval.scene(8)
    theirs = cocoeval.evaluated(document, results).stats[8]
    assert counts_at(matched(document, results), 0.5).iloc[0]["ar"] == pytest.approx(
        theirs, abs=1e-12
    )


@pytest.mark.parametrize("iou", [0.09, 0.0, 0.96, 0.505, 1.0, -0.5])
def test_an_iou_that_is_no_stop(iou):
    with pytest.raises(ValueError, match=r"\.10 to \.95"):
        counts_at(matched(*boxes([(1, [0, 0, 9, 9])], [(1, [0, 0, 9, 9], 0.5)])), iou)


def test_nothing_at_all():
    document, results = boxes([], [])
    assert counts_at(matched(document, results), 0.5).empty
    document, results = boxes([], [(1, [0, 0, 9, 9], 0.5)])
    assert counts_at(matched(document, results), 0.5).iloc[0][
        ["labels", "tp", "fp", "fn"]
    ].tolist() == [0, 0, 1, 0]
    with pytest.raises(ValueError, match="not an IoU type"):
        Evaluation(matched(document, results), "m", "box")
