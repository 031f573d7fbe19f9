"""Matching: which labels and predictions, and which two labels, could be the same object."""

from typing import Any

import dagster as dg

from label_quality.assets.metadata import rounded
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import step, table_spec
from label_quality.matching import build_overlaps, build_pairs


@dg.multi_asset(
    specs=[table_spec("annotation_pairs", ["images", "annotations", "annotation_masks"])]
)
def annotation_pairs(
    context: dg.AssetExecutionContext, store: StoreResource
) -> dg.MaterializeResult[Any]:
    """Label × label."""
    with step(context, store) as s:
        s.say("comparing labels with labels")
        s.run.view(s.con, "images", "annotations", "annotation_masks")
        build_pairs(s.con)
        rows = s.run.write_sql(s.con, "annotation_pairs", "select * from new_annotation_pairs")
        return s.result("annotation_pairs", rows)


@dg.multi_asset(
    specs=[
        table_spec(
            "prediction_overlaps",
            ["images", "annotations", "annotation_masks", "predictions", "prediction_masks"],
        )
    ]
)
def prediction_overlaps(
    context: dg.AssetExecutionContext, store: StoreResource
) -> dg.MaterializeResult[Any]:
    """Label × prediction, and the one-to-one assignment among them."""
    with step(context, store) as s:
        s.say("comparing labels with predictions")
        s.run.view(
            s.con, "images", "annotations", "annotation_masks", "predictions", "prediction_masks"
        )
        laps = build_overlaps(s.con)
        rows = s.run.write_sql(
            s.con, "prediction_overlaps", "select * from new_prediction_overlaps"
        )
        s.run.view(s.con, "prediction_overlaps")
        assigned, mean_iou = s.con.execute(
            "select count(*), avg(box_iou) from prediction_overlaps where assigned"
        ).fetchone()  # type: ignore[misc]
        extra = {"assigned": assigned, **{f"seconds {k}": v for k, v in laps.items()}}
        if mean_iou is not None:
            extra["mean IoU of assigned"] = rounded(mean_iou)
        return s.result("prediction_overlaps", rows, extra)
