"""What is drawn over a picture: all labels and predictions of one image, their boxes at once and their outlines apart.

Outlines come from Parquet, which takes longer than boxes; a page draws the boxes first.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from label_quality.review.answers import Database, ImageId, Refused, answer
from label_quality.review.database import Row, View
from label_quality.review.outlines import outline
from label_quality.reviews import content_hash
from label_quality.store.reader import published_files
from label_quality.store.scan import quoted
from label_quality.store.shared import Shared

router = APIRouter()

_MOST_PREDICTIONS = 300  # of an image, the surest first


@router.get("/api/scenes/{batch}/{image_id}")
def scene(batch: str, image_id: ImageId, db: Database) -> Response:
    """The image, its labels and its predictions; boxes are x, y, width, height in pixels."""
    key = [batch, image_id]
    with db.view() as view:
        image = view.row(
            """select i.batch, i.image_id, i.file_name, i.width, i.height, i.file_state, i.file_width, i.file_height,
                      b.image_root is not null as has_images
               from images i join batches b using (batch) where i.batch = ? and i.image_id = ?""",
            key,
        )
        if image is None:
            raise Refused("there is no such image", 404)
        labels = view.rows(
            f"""select annotation_id, category_id, c.name as category, a.x, a.y, a.width, a.height, iscrowd,
                      segmentation_type <> 'none' as has_mask, {content_hash("a")} as content_hash
               from annotations a left join categories c using (batch, category_id)
               where a.batch = ? and image_id = ? order by annotation_id""",
            key,
        )
        predictions = view.rows(
            f"""select model, prediction_id, category_id, c.name as category, p.score, p.x, p.y, p.width, p.height, has_mask
               from predictions p left join categories c using (batch, category_id)
               where p.batch = ? and image_id = ? order by score desc, model, prediction_id limit {_MOST_PREDICTIONS}""",
            key,
        )
        # What people drew or changed without a finding.
        decided = view.rows(
            """select seq, author, annotation_id, verdict, fix, v.x, v.y, v.width, v.height
               from live.verdicts v where batch = ? and image_id = ? and finding_id is null and not superseded
               order by seq""",
            key,
        )
    return answer(
        {"image": image, "labels": labels, "predictions": predictions, "decided": decided}
    )


@router.get("/api/categories/{batch}")
def categories(batch: str, db: Database) -> Response:
    """The categories of a batch, the most frequent first."""
    with db.view() as view:
        return answer(
            view.rows(
                """select category_id, any_value(c.name) as name, count(a.annotation_id) as labels
                   from categories c left join annotations a using (batch, category_id)
                   where c.batch = ? group by category_id order by labels desc, name""",
                [batch],
            )
        )


@router.get("/api/outlines/{batch}/{image_id}")
def outlines(batch: str, image_id: ImageId, db: Database, minimum: float = 0.0) -> Response:
    """SVG paths of the masks of an image in pixels: by annotation id, and by model and prediction id.

    `minimum` is the score below which predictions are left out.
    """
    with db.view() as view:
        image = view.row(
            "select width, height from images where batch = ? and image_id = ?", [batch, image_id]
        )
        if image is None:
            raise Refused("there is no such image", 404)
        labels = view.rows(
            "select annotation_id from annotations where batch = ? and image_id = ? and segmentation_type <> 'none'",
            [batch, image_id],
        )
        predictions = view.rows(
            f"""select model, prediction_id from predictions where batch = ? and image_id = ? and has_mask and score >= ?
                order by score desc limit {_MOST_PREDICTIONS}""",
            [batch, image_id, minimum],
        )
        found = segmentations(view, db.store.shared, batch, labels, predictions)
    size = (image["height"], image["width"])
    paths = [(row, outline(row["segmentation"], size)) for row in found]
    return answer(
        {
            "labels": {str(r["annotation_id"]): p for r, p in paths if r["model"] is None},
            "predictions": {
                f"{r['model']}/{r['prediction_id']}": p for r, p in paths if r["model"]
            },
        }
    )


def segmentations(
    view: View, shared: Shared, batch: str, labels: list[Row], predictions: list[Row]
) -> list[Row]:
    """The segmentations, as they stand in the files, of labels (annotation_id) and predictions (model, prediction_id).

    The files are those of the state that `view` shows. Returns rows of annotation_id, model, prediction_id, segmentation;
    none where a file has gone meanwhile.
    """
    found: list[Row] = []
    ids = ", ".join(str(int(r["annotation_id"])) for r in labels)
    of_predictions = ", ".join(
        f"({quoted(r['model'])}, {int(r['prediction_id'])})" for r in predictions
    )
    for table, select, where in (
        (
            "annotation_masks",
            "annotation_id, null as model, null as prediction_id",
            ids and f"annotation_id in ({ids})",
        ),
        (
            "prediction_masks",
            "null as annotation_id, model, prediction_id",
            of_predictions and f"(model, prediction_id) in ({of_predictions})",
        ),
    ):
        for file in published_files(view.con, shared, table, batch) if where else ():
            found += view.rows(
                f"""select {select}, segmentation
                    from read_parquet({quoted(file)}, hive_partitioning = false) where {where}"""
            )
    return found
