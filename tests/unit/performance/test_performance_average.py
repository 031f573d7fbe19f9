"""AP and AR against pycocotools: every number that COCOeval accumulates, on real data and on what is rare."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import coco_subset, cocoeval
from performance_tools import matched
from pycocotools import mask as mask_api

from label_quality.performance.average import AREAS, averages
from label_quality.performance.load import load


def judged(document, results, iou_type="bbox"):
    return averages(load(matched(document, results), "m", iou_type))


def compare(document, results, iou_type="bbox", con=None):
    """Every cell that COCOeval accumulates is equal to the last bit or nearly so."""
    mine = averages(load(con or matched(document, results), "m", iou_type))
    theirs = cocoeval.evaluated(document, results, iou_type).eval
    same(mine.precision, theirs["precision"][..., 2].transpose(3, 0, 2, 1))
    same(mine.recall, theirs["recall"].transpose(2, 3, 0, 1))
    scores = theirs["scores"][..., 0, 2].transpose(0, 2, 1)
    # Where a recall is not reached COCOeval leaves a score of 0, in categories without labels -1; here both are NaN.
    reached = ~np.isnan(mine.score)
    np.testing.assert_allclose(mine.score[reached], scores[reached], atol=1e-12)
    assert (scores[~reached] <= 0).all()
    return mine


def same(mine, theirs):
    np.testing.assert_allclose(mine, np.where(theirs == -1, np.nan, theirs), atol=1e-12)


@pytest.mark.parametrize("model", coco_subset.MODELS)
@coco_subset.needs_coco
def test_real_labels_and_models(model):
    document, results = coco_subset.labels(), coco_subset.results(model)
    con = matched(document, results)
    for iou_type in ("bbox", "segm"):
        mine = compare(document, results, iou_type, con)
        assert np.nanmean(mine.average_precision()) > 0.3


@pytest.mark.parametrize("seed", range(16))
def test_what_is_rare(seed):
    compare(*cocoeval.scene(seed))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_rare_with_masks(seed):
    compare(*cocoeval.with_masks(*cocoeval.scene(seed, images=8)), "segm")


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_results_with_masks_alone(iou_type):
    """Their boxes are those of the masks, and their size is that of the mask: an octagon of 36 × 36 is a small object."""
    document, results = cocoeval.with_masks(*cocoeval.scene(3, images=16))
    masks = [r["segmentation"] for r in results]
    alone = [{k: v for k, v in r.items() if k != "bbox"} for r in results]
    read = [
        {**r, "bbox": mask_api.toBbox(m).tolist(), "mask_area": float(mask_api.area(m))}
        for r, m in zip(alone, masks, strict=True)
    ]
    mine = averages(load(matched(document, read), "m", iou_type))
    theirs = cocoeval.evaluated(document, alone, iou_type).eval
    same(mine.precision, theirs["precision"][..., 2].transpose(3, 0, 2, 1))
    same(mine.recall, theirs["recall"].transpose(2, 3, 0, 1))
    by_box = [{k: v for k, v in r.items() if k != "mask_area"} for r in read]
    other = averages(load(matched(document, by_box), "m", iou_type))
    assert not np.array_equal(other.precision, mine.precision, equal_nan=True)


@pytest.mark.parametrize("seed", range(4))
def test_more_than_a_hundred_predictions_of_an_image_and_category(seed):
    document, results = cocoeval.scene(seed, images=6, categories=2, crowded=True)
    counts = np.unique(
        [(r["image_id"], r["category_id"]) for r in results], axis=0, return_counts=True
    )[1]
    assert counts.max() > 100
    compare(document, results)


def test_what_the_scenes_hold():
    """The generated scenes do hold what they are there for."""
    scenes = [cocoeval.scene(seed) for seed in range(16)]
    labels = [a for d, _ in scenes for a in d["annotations"]]
    assert sum(a["iscrowd"] for a in labels) > 30
    assert {1024.0, 9216.0, 9216.5, 1023.5} <= {a["area"] for a in labels}
    for document, results in scenes:
        labelled, found = (
            {r["image_id"] for r in rows} for rows in (document["annotations"], results)
        )
        assert labelled - found
        assert found - labelled
        assert len({r["score"] for r in results}) < len(results) / 2
        assert 7 in {r["category_id"] for r in results} - {
            a["category_id"] for a in document["annotations"]
        }


def test_nothing_to_find_and_nothing_found():
    document, results = cocoeval.scene(1)
    mine = judged({**document, "annotations": []}, results)
    assert np.isnan(mine.precision).all()
    mine, judge = judged(document, results[:1]), cocoeval.evaluated(document, results[:1])
    same(mine.precision, judge.eval["precision"][..., 2].transpose(3, 0, 2, 1))
    assert set(AREAS) == {"all", "small", "medium", "large"}
