"""The tables of what models that are run here say about each label, and of which labels look alike."""

from __future__ import annotations

from label_quality.schema.model import Column, Table
from label_quality.schema.tables_in import BATCH, IMAGE

_LABEL = (
    BATCH,
    Column("model", "VARCHAR", "Name of the model"),
    Column("annotation_id", "BIGINT", "COCO id of the label"),
)

INFERENCE_TABLES = (
    Table(
        "label_probes",
        "One row per label and model that was run here: what the model says about the label's own box (docs/inference.md); crowds are not asked about.",
        (
            *_LABEL,
            Column("given_probability", "DOUBLE", "Probability of the labelled category; NULL where the model does not know it", "", True),
            Column("other_category_id", "BIGINT", "Most probable other category of the dataset; NULL where the model knows none", "", True),
            Column("other_probability", "DOUBLE", "Its probability", "", True),
            Column("background_probability", "DOUBLE", "Probability that there is nothing"),
            Column("x", "DOUBLE", "Left edge of the box that the model would rather have for the labelled category", "px", True),
            Column("y", "DOUBLE", "Upper edge of that box", "px", True),
            Column("width", "DOUBLE", "Width of that box", "px", True),
            Column("height", "DOUBLE", "Height of that box", "px", True),
            Column("box_iou", "DOUBLE", "IoU of the label's box and that box", "", True),
            Column("mask_iou", "DOUBLE", "IoU of the labelled mask and the one that the model predicts in that box", "", True),
            Column("class_loss", "DOUBLE", "Cross-entropy of the labelled category", "nat", True),
            Column("box_loss", "DOUBLE", "Smooth L1 loss of the label's box (Schubert et al., WACV 2024)", "", True),
        ),
        "inference",
    ),
    Table(
        "label_features",
        "One row per label and model that was run here: the features of the label's box, as the model's box head gives them.",
        (*_LABEL, Column("features", "FLOAT[]", "The features; of one length for each model")),
        "inference",
        published=False,
    ),
    Table(
        "label_neighbours",
        "One row per label and model that was run here: the labels of the batch that look most alike to the model.",
        (
            *_LABEL,
            IMAGE,
            Column("category_id", "BIGINT", "Labelled category"),
            Column("neighbours", "BIGINT[]", "Ids of the most similar labels, the nearest first"),
            Column("similarity", "DOUBLE", "Cosine similarity of the features of the nearest one, -1 to 1", "", True),
            Column("agreement", "DOUBLE", "Share of the neighbours' votes for the labelled category, weighed by similarity and by how rare a category is; NULL where there is one category only", "", True),
            Column("voted_category_id", "BIGINT", "Category with most of the votes; NULL likewise", "", True),
            Column("map_x", "DOUBLE", "Place of the label on a map on which labels that look alike lie near each other", "", True),
            Column("map_y", "DOUBLE", "Place of the label on that map", "", True),
        ),
        "inference",
    ),
)
