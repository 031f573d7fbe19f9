"""A guard against regressions: errors planted into real labels are found, and better than by the obvious ways to look.

Average precision of one type at a time; the labels' own errors count as false alarms. The bars lie below what was measured, so that a change of
a rule shows, and a change in the last digits does not. docs/accuracy.md has the figures, beside other methods.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from helpers import batch, coco_subset
from helpers.coco_subset import MODELS, needs_coco
from helpers.planted import precision_of, precision_of_findings

from label_quality.planting import plant, rescore

SHAPES = {
    "missing": {"missing_uniform": 0.1},
    "wrong_class": {"wrong_class_uniform": 0.1},
    "inaccurate": {
        f"inaccurate_{kind}_coarse": 0.025 for kind in ("shift", "loose", "tight", "edge")
    },
    "duplicate": {"duplicate_same": 0.1},
    "spurious": {"spurious_random": 0.1},
}
_PLANTED = "select annotation_id, error_id from planted_errors"
# The obvious way to look for each type: one figure to sort by.
OBVIOUS = {
    # the confidence of what overlaps no label
    "missing": """
        with free as (
          select p.* from predictions p anti join (from prediction_overlaps where box_iou >= 0.5) using (model, prediction_id)
        )
        select f.score, (
          select e.error_id from planted_errors e where e.image_id = f.image_id
            and greatest(least(e.x + e.width, f.x + f.width) - greatest(e.x, f.x), 0)
              * greatest(least(e.y + e.height, f.y + f.height) - greatest(e.y, f.y), 0) * 3
              >= e.width * e.height + f.width * f.height
          limit 1) as error_id
        from free f""",
    # the confidence of another category at the place
    "wrong_class": f"""
        select max(score) as score, any_value(error_id) as error_id
        from prediction_overlaps join predictions using (model, prediction_id) left join ({_PLANTED}) using (annotation_id)
        where not same_category and not iscrowd and box_iou >= 0.5 group by annotation_id""",
    # 1 − IoU with what is assigned
    "inaccurate": f"""
        select 1 - avg(box_iou) as score, any_value(error_id) as error_id
        from prediction_overlaps left join ({_PLANTED}) using (annotation_id)
        where assigned and same_category group by annotation_id""",
    # the IoU of two labels
    "duplicate": """
        select box_iou as score, error_id
        from annotation_pairs p left join planted_errors e
          on least(e.annotation_id, e.other_annotation_id) = p.annotation_id
          and greatest(e.annotation_id, e.other_annotation_id) = p.other_annotation_id""",
    # 1 − the best IoU with any prediction
    "spurious": f"""
        select 1 - coalesce(max(box_iou), 0) as score, any_value(error_id) as error_id
        from annotations left join prediction_overlaps using (annotation_id) left join ({_PLANTED}) using (annotation_id)
        where not annotations.iscrowd group by annotation_id""",
}

# Type, models, least average precision, and least distance to the obvious way.
BARS = [
    ("missing", 1, 0.37, 0.02),
    ("missing", 2, 0.37, 0.05),
    ("wrong_class", 1, 0.57, 0.05),
    ("wrong_class", 2, 0.55, 0.05),
    ("inaccurate", 1, 0.36, 0.1),
    ("inaccurate", 2, 0.35, 0.1),
    # The overlap of two boxes tells all there is to tell of copies that were moved as boxes; findings look at masks.
    ("duplicate", 1, 0.9, -0.03),
    ("spurious", 1, 0.7, 0.1),
]


@pytest.fixture(scope="module")
def audited() -> dict[int, duckdb.DuckDBPyConnection]:
    """Every second image of the subset, by the number of models."""
    document = coco_subset.labels()
    images = document["images"][::2]
    here = {i["id"] for i in images}
    labels = [a for a in document["annotations"] if a["image_id"] in here]

    def seen(models: tuple[str, ...]) -> dict[str, list[Any]]:
        return {m: [p for p in coco_subset.results(m) if p["image_id"] in here] for m in models}

    return {
        n: batch.audit(batch.database(images, labels, seen(MODELS[:n]), document["categories"]))
        for n in (1, 2)
    }


@needs_coco
@pytest.mark.parametrize(("error_type", "models", "least", "distance"), BARS)
def test_planted_errors_are_found(
    audited: dict[int, duckdb.DuckDBPyConnection],
    error_type: str,
    models: int,
    least: float,
    distance: float,
) -> None:
    con = audited[models]
    with rescore(con, plant(con, SHAPES[error_type], 0)) as scored:
        found = precision_of_findings(scored, error_type)
        obvious = precision_of(scored, OBVIOUS[error_type])
    print(
        f"{error_type}, {models} model(s): average precision {found:.3f}, the obvious way {obvious:.3f}"
    )
    assert found >= least
    assert found >= obvious + distance
