"""The wide tables of metrics: what identifies the row, and one column for each metric that the registry finds."""

from __future__ import annotations

from label_quality.registry import Kind, metrics
from label_quality.schema.model import Column, Table
from label_quality.schema.tables_in import BATCH, IMAGE


def _columns(kind: Kind) -> tuple[Column, ...]:
    return tuple(Column(m.name, "DOUBLE", m.description, m.unit, True) for m in metrics(kind).values())


METRIC_TABLES = (
    Table(
        "image_metrics",
        "One row per image: its quality metrics (docs/metrics.md), and which other image of the batch looks like it.",
        (
            BATCH,
            IMAGE,
            Column("pixels", "VARCHAR", "measured; else why not: no_images (the batch came without), skipped (ingest did not find the file good) or unreadable"),
            Column("pixels_reason", "VARCHAR", "What is wrong with the file where pixels are not measured", "", True),
            Column("perceptual_hash", "VARCHAR", "64 bits of what the picture looks like, hexadecimal; pictures that look alike differ in few bits", "", True),
            Column("nearest_image_id", "BIGINT", "Image of the batch whose hash is nearest, the smallest id of several; NULL where none is within 7 bits", "", True),
            Column("nearest_distance", "BIGINT", "Bits in which the two hashes differ, 0 to 7", "bit", True),
            Column("duplicate_of", "BIGINT", "Smallest id of an image of the batch whose file is the same to the byte; NULL for that image itself", "", True),
            *_columns("image"),
        ),
        "metrics",
    ),
    Table(
        "annotation_metrics",
        "One row per label, crowds included: its quality metrics (docs/metrics.md).",
        (
            BATCH,
            Column("annotation_id", "BIGINT", "COCO id of the annotation"),
            IMAGE,
            Column("category_id", "BIGINT", "COCO id of the labelled category"),
            Column("iscrowd", "BOOLEAN", "Whether the label marks a crowd: comparisons with other labels leave it out"),
            Column("same_class_annotation_id", "BIGINT", "Label of the same image and category that overlaps this one most", "", True),
            Column("other_class_annotation_id", "BIGINT", "Label of the same image and another category that overlaps this one most", "", True),
            *_columns("annotation"),
        ),
        "metrics",
    ),
    Table(
        "prediction_metrics",
        "One row per prediction of any model: its quality metrics (docs/metrics.md).",
        (
            BATCH,
            Column("model", "VARCHAR", "Name of the model"),
            Column("prediction_id", "BIGINT", "Position in the results file, 0 for the first"),
            IMAGE,
            Column("category_id", "BIGINT", "COCO id of the predicted category"),
            *_columns("prediction"),
        ),
        "metrics",
    ),
)
