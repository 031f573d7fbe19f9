"""The tables of model performance: outcomes of each batch, averages and curves over all batches."""

from __future__ import annotations

from label_quality.schema.model import Column, Table
from label_quality.schema.tables_in import BATCH, IMAGE

_MODEL = Column("model", "VARCHAR", "Name of the model")
_IOU_TYPE = Column("iou_type", "VARCHAR", "bbox or segm: whether boxes or masks are compared")
_CATEGORY = (
    Column("category_id", "BIGINT", "Smallest COCO id that a category of this name has in any batch; NULL for all together", "", True),
    Column("category_name", "VARCHAR", "Name of the category; NULL for all together", "", True),
)

PERFORMANCE_TABLES = (
    Table(
        "prediction_outcomes",
        "One row per prediction: whether COCOeval calls it right at IoU 0.50, and if not, why (TIDE's kinds of errors).",
        (
            BATCH,
            _MODEL,
            Column("prediction_id", "BIGINT", "Prediction, within its model"),
            IMAGE,
            _IOU_TYPE,
            Column("outcome", "VARCHAR", "TP, FP or ignored (it matches a crowd, or is beyond the 100 that count of an image and category)"),
            Column("reason", "VARCHAR", "FP: poor_location, wrong_class, duplicate, background or both; see docs/performance.md", "", True),
            Column("annotation_id", "BIGINT", "Label that it was matched with, or that gives the reason; NULL for background", "", True),
            Column("iou", "DOUBLE", "IoU with that label; of a crowd, intersection over the prediction's area", "", True),
        ),
        "performance",
    ),
    Table(
        "label_outcomes",
        "One row per label and model: whether COCOeval finds it at IoU 0.50, and if not, why.",
        (
            BATCH,
            _MODEL,
            Column("annotation_id", "BIGINT", "COCO id of the label"),
            _IOU_TYPE,
            Column("outcome", "VARCHAR", "TP, FN or ignored (a crowd)"),
            Column("reason", "VARCHAR", "FN: shared, wrong_class, poor_location, both or missed; see docs/performance.md", "", True),
            Column("prediction_id", "BIGINT", "Prediction that it was matched with, or that gives the reason; NULL for missed", "", True),
            Column("iou", "DOUBLE", "IoU with that prediction", "", True),
        ),
        "performance",
    ),
    Table(
        "performance",
        "COCO's average precision and recall over all batches, equal to pycocotools.",
        (
            _MODEL,
            _IOU_TYPE,
            Column("metric", "VARCHAR", "AP and AR (mean over IoU .50:.05:.95), AP50, AP75"),
            *_CATEGORY,
            Column("area", "VARCHAR", "Size of the labels: all, small (to 32² px²), medium or large (from 96² px²)"),
            Column("max_dets", "BIGINT", "Predictions that count of an image and category: 1, 10 or 100"),
            Column("value", "DOUBLE", "0 to 1; NULL where there are no labels (-1 in pycocotools)", "", True),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "precision_recall",
        "Precision over recall of each model and category with labels, at COCO's 101 recall points.",
        (
            _MODEL,
            _IOU_TYPE,
            *_CATEGORY,
            Column("iou", "DOUBLE", "IoU that matches: 0.50 or 0.75; NULL for the mean over .50:.05:.95", "", True),
            Column("recall", "DOUBLE", "Recall point, 0 to 1 in steps of .01"),
            Column("precision", "DOUBLE", "Highest precision at a recall of at least that point; 0 where no recall is as high", "", True),
            Column("score", "DOUBLE", "Score of the prediction that reaches the recall; NULL where none does, and for means", "", True),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "confusion",
        "How often a label of one category meets a prediction of another: score >= 0.5, IoU >= 0.5, matched whatever the categories.",
        (
            _MODEL,
            _IOU_TYPE,
            Column("category_id", "BIGINT", "Category of the label; NULL for background: no label was there", "", True),
            Column("category_name", "VARCHAR", "Name of the label's category", "", True),
            Column("predicted_category_id", "BIGINT", "Category of the prediction; NULL for background: nothing was predicted", "", True),
            Column("predicted_category_name", "VARCHAR", "Name of the predicted category", "", True),
            Column("count", "BIGINT", "Number of pairs, labels or predictions"),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "performance_gains",
        "What a model would gain if all errors of one kind were fixed (TIDE's dAP), or if the findings were accepted.",
        (
            _MODEL,
            _IOU_TYPE,
            Column("metric", "VARCHAR", "AP50, for accept_findings also AP"),
            Column("error_type", "VARCHAR", "poor_location, wrong_class, duplicate, background, both, missed, false_positive, false_negative; or accept_findings: those with p_error >= 0.5"),
            Column("value", "DOUBLE", "The metric as it is; NULL without labels", "", True),
            Column("value_fixed", "DOUBLE", "The metric when they are fixed", "", True),
            Column("gain", "DOUBLE", "The difference", "", True),
        ),
        "overall",
        per_batch=False,
    ),
)
