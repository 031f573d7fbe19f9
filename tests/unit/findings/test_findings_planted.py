"""A guard against regressions: errors planted into real labels are found, and better than by the obvious ways to look.

Average precision of one type at a time; the labels' own errors count as false alarms. The bars lie below what was measured
(docs/findings.md has the figures), so that a change of a rule shows, and a change in the last digits does not.
"""

from __future__ import annotations

from typing import Any

import pytest
from helpers import batch, coco_subset
from helpers.coco_subset import MODELS, needs_coco
from helpers.planting import average_precision, plant

# The obvious way to look for each type: one figure to sort by.
OBVIOUS = {
    # the confidence of what overlaps no label
    "missing": """select 'missing' as error_type, p.image_id, p.x as suggested_x, p.y as suggested_y,
        p.width as suggested_width, p.height as suggested_height
        from predictions p anti join (from prediction_overlaps where box_iou >= 0.5) using (model, prediction_id)
        order by p.score desc""",
    # the confidence of another category at the place
    "wrong_class": """select 'wrong_class' as error_type, annotation_id
        from prediction_overlaps join predictions using (model, prediction_id)
        where not same_category and not iscrowd and box_iou >= 0.5
        group by annotation_id order by max(score) desc""",
    # 1 − IoU with what is assigned
    "inaccurate": """select 'inaccurate' as error_type, annotation_id from prediction_overlaps
        where assigned and same_category group by annotation_id order by avg(box_iou)""",
    # the IoU of two labels
    "duplicate": """select 'duplicate' as error_type, annotation_id, other_annotation_id from annotation_pairs
        order by box_iou desc""",
    # 1 − the best IoU with any prediction
    "spurious": """select 'spurious' as error_type, a.annotation_id
        from annotations a left join prediction_overlaps using (annotation_id) where not a.iscrowd
        group by a.annotation_id order by coalesce(max(box_iou), 0), hash(a.annotation_id)""",
}

# Type, models, least average precision, and least distance to the obvious way.
BARS = [
    ("missing", 1, 0.37, 0.02),
    ("missing", 2, 0.37, 0.05),
    ("wrong_class", 1, 0.57, 0.05),
    ("wrong_class", 2, 0.55, 0.05),
    ("inaccurate", 1, 0.36, 0.1),
    ("inaccurate", 2, 0.35, 0.1),
    # The overlap of two labels tells nearly all there is to tell.
    ("duplicate", 1, 0.88, 0.0),
    ("spurious", 1, 0.7, 0.1),
]


def measure(
    error_type: str, models: tuple[str, ...], seed: int = 0, every: int = 1
) -> tuple[float, float]:
    """Average precision of the findings and of the obvious way, on every n-th image of the subset."""
    document = coco_subset.labels()
    images = document["images"][::every]
    here = {i["id"] for i in images}
    part = {
        **document,
        "images": images,
        "annotations": [a for a in document["annotations"] if a["image_id"] in here],
    }
    planted = plant(error_type, part, seed=seed)
    seen = {m: [p for p in coco_subset.results(m) if p["image_id"] in here] for m in models}
    con = batch.audit(batch.database(images, planted.annotations, seen, document["categories"]))
    ranked: list[Any] = batch.rows(
        con,
        "select * from findings where error_type = ? order by p_error desc, finding_id",
        error_type,
    )
    return (
        average_precision(ranked, planted.ledger),
        average_precision(batch.rows(con, OBVIOUS[error_type]), planted.ledger),
    )


@needs_coco
@pytest.mark.parametrize(("error_type", "models", "least", "distance"), BARS)
def test_planted_errors_are_found(
    error_type: str, models: int, least: float, distance: float
) -> None:
    found, obvious = measure(error_type, MODELS[:models], every=2)
    print(
        f"{error_type}, {models} model(s): average precision {found:.3f}, the obvious way {obvious:.3f}"
    )
    assert found >= least
    assert found >= obvious + distance
