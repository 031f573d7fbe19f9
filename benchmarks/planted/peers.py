"""FiftyOne's mistakenness rules and CLOD, from their published formulas. One model, boxes; no code of theirs.

Both work on box IoU alone; neither knows crowds beyond what is said below.
"""

from __future__ import annotations

import numpy as np

from planted.datasets import Dataset
from planted.methods import Scores, empty
from planted.runs import Run, box_ious

_SURE = 0.95
_IOU = 0.5
_WEIGHT = 0.8


def fiftyone(data: Dataset, run: Run) -> Scores:
    """compute_mistakenness and compute_max_ious.

    Predictions by descending confidence take the free label of greatest IoU >= 0.5, of whatever class. Of a match of confidence c:
    mistakenness (m c + 1) / 2 with m = 1 if the classes differ, else −1; of its place (c (2 i − 1) + 1) / 2 with
    i = (1 − IoU) / 0.5. Unmatched: a prediction of c > 0.95 is "possibly missing" (here ranked by c, which the flag is not), a
    label "possibly spurious". Duplicates by the greatest IoU with another label. Image: the greatest mistakenness of its
    labels, and whatever is flagged counts 1.
    """
    label, prediction, iou, same = primary(data, run)
    score = data.predictions["score"]
    matched = greedy(label, prediction, iou, score)
    scores = empty(data, run)
    at, c = label[matched], score[prediction[matched]]
    scores["wrong_class"][at] = (np.where(same[matched], -1, 1) * c + 1) / 2
    scores["inaccurate"][at] = (c * (2 * (1 - iou[matched]) / (1 - _IOU) - 1) + 1) / 2
    scores["spurious"][:] = 1
    scores["spurious"][at] = 0
    free = (data.predictions["model"] == 0) & (score > _SURE) & ~data.predictions["in_crowd"]
    free[prediction[matched]] = False
    scores["missing"][free] = score[free]
    for side in ("label", "other"):
        np.maximum.at(scores["duplicate"], run.pairs[side], run.pairs["box_iou"])
    image = np.zeros(len(data.image_ids))
    for kind in ("wrong_class", "spurious"):
        np.maximum.at(image, run.labels["image"], scores[kind])
    np.maximum.at(image, data.predictions["image"][free], 1.0)
    return scores | {"image": image}


def primary(data: Dataset, run: Run) -> tuple[np.ndarray, ...]:
    """Overlaps by IoU >= 0.5 with the first model: label, prediction, IoU, whether the categories are the same."""
    o = run.overlaps
    kept = (o["box_iou"] >= _IOU) & (data.predictions["model"][o["prediction"]] == 0)
    return tuple(o[c][kept] for c in ("label", "prediction", "box_iou", "same_category"))


def greedy(
    label: np.ndarray, prediction: np.ndarray, iou: np.ndarray, score: np.ndarray
) -> np.ndarray:
    """Places of the pairs that greedy matching takes: the surest prediction first, of its labels the nearest free one."""
    order = np.lexsort((-iou, prediction, -score[prediction]))
    labels, predictions, taken = set(), set(), []
    for k, a, b in zip(
        order.tolist(), label[order].tolist(), prediction[order].tolist(), strict=True
    ):
        if a not in labels and b not in predictions:
            labels.add(a)
            predictions.add(b)
            taken.append(k)
    return np.array(taken, np.int64)


def clod(data: Dataset, run: Run) -> Scores:
    """CLOD: clusters of labels and predictions (single linkage, IoU >= 0.5), each a sample of a multi-label problem.

    Per class of a cluster p is the greatest confidence of its predictions; self-confidence is p where a label of the class is there,
    else 1 − p. Quality: over all classes, from the greatest to the least self-confidence s, q = 0.8 s + 0.2 q (cleanlab's
    default for multi-label data), from q = s of the first. Suspicion is 1 − q, of one type for each cluster: labels only are spurious,
    predictions only missing, one category inaccurate, else wrong class. A cluster without labels names its surest prediction.
    """
    n = len(run.labels["image"])
    cluster, count = _clusters(data, run, n)
    use = data.predictions["model"] == 0
    quality, categories, labelled, predicted = _qualities(data, run, cluster, count, use)
    suspicion = 1 - quality
    scores = empty(data, run)
    own = cluster[:n]
    kind = np.where(~predicted, 0, np.where(categories == 1, 1, 2))[own]
    for k, name in enumerate(("spurious", "inaccurate", "wrong_class")):
        scores[name][kind == k] = suspicion[own][kind == k]
    lonely = use & ~labelled[cluster[n:]] & ~data.predictions["in_crowd"]
    at = np.flatnonzero(lonely)
    at = at[np.argsort(data.predictions["score"][at], kind="stable")]
    first = np.full(count, -1)
    first[cluster[n:][at]] = at
    first = first[first >= 0]
    scores["missing"][first] = suspicion[cluster[n:][first]]
    image = np.zeros(len(data.image_ids))
    np.maximum.at(image, run.labels["image"], suspicion[own])
    np.maximum.at(image, data.predictions["image"][first], suspicion[cluster[n:][first]])
    del scores["duplicate"]
    return scores | {"image": image}


def _clusters(data: Dataset, run: Run, n: int) -> tuple[np.ndarray, int]:
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    label, prediction, _, _ = primary(data, run)
    near = run.pairs["box_iou"] >= _IOU
    a, b = _near_predictions(data)
    one = np.concatenate([label, run.pairs["label"][near], n + a])
    other = np.concatenate([n + prediction, run.pairs["other"][near], n + b])
    size = n + len(data.predictions["image"])
    count, cluster = connected_components(
        coo_array((np.ones(len(one), np.int8), (one, other)), shape=(size, size)), directed=False
    )
    return cluster, count


_near: dict[str, tuple[np.ndarray, np.ndarray]] = {}


def _near_predictions(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of predictions of the first model with IoU >= 0.5; the same for every run."""
    if data.name not in _near:
        p = data.predictions
        mine = np.flatnonzero(p["model"] == 0)
        image = p["image"][mine]
        count = np.searchsorted(image, image, "right") - np.arange(len(mine)) - 1
        a = np.repeat(np.arange(len(mine)), count)
        b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
        close = box_ious(p, mine[a], p, mine[b]) >= _IOU
        _near[data.name] = mine[a[close]], mine[b[close]]
    return _near[data.name]


def _qualities(
    data: Dataset, run: Run, cluster: np.ndarray, count: int, use: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per cluster: quality, number of categories in it, whether it has labels, whether it has predictions."""
    n = len(run.labels["image"])
    classes, both = np.unique(
        np.concatenate([run.labels["category_id"], data.predictions["category_id"]]),
        return_inverse=True,
    )
    k = len(classes)
    total = int(data.con.execute("select count(*) from categories").fetchall()[0][0])
    keep = np.concatenate([np.ones(n, bool), use])
    confidence = np.concatenate([np.zeros(n), data.predictions["score"]])[keep]
    cells, cell = np.unique((cluster.astype(np.int64) * k + both)[keep], return_inverse=True)
    p, given = np.zeros(len(cells)), np.zeros(len(cells), bool)
    np.maximum.at(p, cell, confidence)
    given[cell[:n]] = True
    own = np.where(given, p, 1 - p)
    of = cells // k
    order = np.lexsort((-own, of))
    own, of = own[order], of[order]
    categories = np.bincount(of, minlength=count)
    start = np.cumsum(categories) - categories
    # All classes that are not in the cluster have self-confidence 1 and come first.
    quality = np.ones(count)
    for rank in range(int(categories.max(initial=0))):
        have = np.flatnonzero(categories > rank)
        value = own[start[have] + rank]
        first = (rank == 0) & (categories[have] >= total)
        quality[have] = np.where(first, value, _WEIGHT * value + (1 - _WEIGHT) * quality[have])
    labelled, predicted = np.zeros(count, bool), np.zeros(count, bool)
    labelled[cluster[:n]] = True
    predicted[cluster[n:][use]] = True
    return quality, categories, labelled, predicted


PEERS = {"FiftyOne": fiftyone, "CLOD": clod}
