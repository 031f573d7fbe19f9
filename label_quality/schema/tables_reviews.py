"""What people decided: the columns of the review log, and the tables that it is published as."""

from __future__ import annotations

from label_quality.schema.model import Column, Table

_AUTHOR = Column("author", "VARCHAR", "Who decided")
_AT = Column("at", "TIMESTAMP", "When, in UTC")
_PREDICTION = (
    Column("model", "VARCHAR", "Model of the prediction that is tagged", "", True),
    Column("prediction_id", "BIGINT", "Prediction that is tagged, within its model", "", True),
)
# What a verdict judges and what it says, as it stands in the log and in the table of reviews.
_JUDGED = (
    Column("batch", "VARCHAR", "Batch of the image; NULL for undo", "", True),
    Column("image_id", "BIGINT", "COCO id of the image; NULL for undo", "", True),
    Column("finding_id", "VARCHAR", "Finding as it was shown; NULL for what a person did without one", "", True),
    Column("error_type", "VARCHAR", "Type of that finding; missing for an object drawn without one, else NULL", "", True),
    Column("category_id", "BIGINT", "Category judged: of the label; for missing, of the suggested object", "", True),
    Column("annotation_id", "BIGINT", "Label judged; NULL for missing", "", True),
    Column("content_hash", "VARCHAR", "Content of that label when it was judged; NULL for missing", "", True),
    Column("other_annotation_id", "BIGINT", "duplicate: the label that was to stay", "", True),
    Column("other_content_hash", "VARCHAR", "Content of that one", "", True),
    Column("x", "DOUBLE", "Left edge of the box judged: the label's; for missing, the suggested one", "px", True),
    Column("y", "DOUBLE", "Upper edge of that box", "px", True),
    Column("width", "DOUBLE", "Width of that box", "px", True),
    Column("height", "DOUBLE", "Height of that box", "px", True),
    Column("verdict", "VARCHAR", "accept, reject, unsure, or relabel: send to relabelling", "", True),
    Column("fix", "VARCHAR", "JSON: what the reviewer wants done; action is add, change_class, change_box, change_mask or remove", "", True),
    Column("note", "VARCHAR", "What the reviewer wrote", "", True),
    Column("models", "VARCHAR[]", "Models whose predictions were shown", "", True),
    Column("rule_version", "VARCHAR", "Version of the rule that made the finding", "", True),
    Column("sample", "VARCHAR", "Draw of the random sample that asked for this; NULL for what a person chose to judge", "", True),
)

REVIEW_LOG = Table(
    "review_log",
    "Every decision in the order in which it was made. Nothing is ever changed or removed.",
    (
        Column("seq", "BIGINT", "Number of the entry, 1 for the first, without gaps"),
        _AT,
        _AUTHOR,
        Column("action", "VARCHAR", "verdict, undo, tag or untag"),
        Column("undoes", "BIGINT", "undo: seq of the entry that no longer counts", "", True),
        *_JUDGED,
        Column("kind", "VARCHAR", "What is tagged: image, annotation or prediction", "", True),
        *_PREDICTION,
        Column("tag", "VARCHAR", "The tag", "", True),
    ),
    "reviews",
    published=False,
    per_batch=False,
)

REVIEW_TABLES = (
    Table(
        "reviews",
        "One row per verdict of the review log, as it stands towards the labels and findings that are published here.",
        (
            Column("seq", "BIGINT", "Number of the entry in the review log"),
            _AT,
            _AUTHOR,
            *_JUDGED,
            Column("standing", "BOOLEAN", "Whether it counts: not undone, and its author's latest about this thing"),
            Column("attached_annotation_id", "BIGINT", "Label of today that it is about; NULL for none", "", True),
            Column("attached_finding_id", "VARCHAR", "Finding of today that it decides; NULL for none", "", True),
            Column("applied", "BOOLEAN", "Whether the labels already are as the accepted fix wants them"),
            Column("superseded", "BOOLEAN", "Whether what was judged is no longer there"),
            Column("disagreement", "BOOLEAN", "Whether another author decided otherwise or wants another fix"),
        ),
        "reviews",
        per_batch=False,
        from_log=True,
    ),
    Table(
        "tags",
        "One row per tag of an image, label or prediction.",
        (
            Column("batch", "VARCHAR", "Batch of the image"),
            Column("kind", "VARCHAR", "What is tagged: image, annotation or prediction"),
            Column("image_id", "BIGINT", "COCO id of the image"),
            Column("annotation_id", "BIGINT", "Label that is tagged; NULL for other kinds", "", True),
            *_PREDICTION,
            Column("tag", "VARCHAR", "The tag"),
            Column("author", "VARCHAR", "Who tagged it last"),
            _AT,
        ),
        "reviews",
        per_batch=False,
        from_log=True,
    ),
)
