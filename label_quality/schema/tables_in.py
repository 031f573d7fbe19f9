"""The tables that hold what was delivered: images, labels, predictions, and what was not taken, with the reason."""

from __future__ import annotations

from label_quality.schema.model import Column, Table

BATCH = Column("batch", "VARCHAR", "Name of the delivery; with the original COCO id, the key of everything")
IMAGE = Column("image_id", "BIGINT", "COCO id of the image")
BOX = (
    Column("x", "DOUBLE", "Left edge of the box, as COCO has it", "px"),
    Column("y", "DOUBLE", "Upper edge of the box, as COCO has it", "px"),
    Column("width", "DOUBLE", "Width of the box", "px"),
    Column("height", "DOUBLE", "Height of the box", "px"),
)
ORIGINAL_ID = Column(
    "original_id", "VARCHAR", "The id as it stands in the file, where it is not an integer", nullable=True
)
_QUARANTINE = (
    BATCH,
    Column("file", "VARCHAR", "Name of the delivered file that the record stands in"),
    Column("record_type", "VARCHAR", "image, annotation, category, prediction or file"),
    Column("record_id", "VARCHAR", "Id of the record as it stands in the file; its position (#0 is the first) where it has none"),
    Column("reason", "VARCHAR", "Why the record was not taken"),
    Column("original", "VARCHAR", "The record as it stands in the file, to the letter"),
)
_PREDICTIONS = (
    BATCH,
    Column("model", "VARCHAR", "Name of the model"),
    Column("prediction_id", "BIGINT", "Position in the results file, 0 for the first: unique within batch and model"),
    IMAGE,
    Column("category_id", "BIGINT", "COCO id of the predicted category"),
    Column("score", "DOUBLE", "Confidence as the model gives it, 0 to 1"),
    *BOX,
    Column("has_mask", "BOOLEAN", "Whether the prediction carries a mask"),
    Column("mask_area", "DOUBLE", "Pixels of the mask of a record without a box, which COCO then takes for the prediction's area; NULL with a box", "px²", True),
)
_MASKS = (
    BATCH,
    Column("model", "VARCHAR", "Name of the model"),
    Column("prediction_id", "BIGINT", "Position in the results file, 0 for the first"),
    Column("segmentation", "VARCHAR", "The segmentation's JSON as it stands in the results file"),
)
_MODELS = (
    BATCH,
    Column("model", "VARCHAR", "Name of the model"),
    Column("file", "VARCHAR", "Name of the results file; of the weights, where the model was run here"),
    Column("sha256", "VARCHAR", "SHA-256 of that file"),
    Column("simulated", "BOOLEAN", "Whether the results were made by a simulated detector"),
    Column("saw_labels", "BOOLEAN", "Whether the model was trained on these labels, by the settings: it may repeat their errors"),
    Column("predictions_read", "BIGINT", "Records in the file"),
    Column("predictions_kept", "BIGINT", "Records taken"),
    Column("predictions_quarantined", "BIGINT", "Records not taken"),
    Column("reader", "VARCHAR", "fast, or tolerant when the fast reader refused the file; inference where the model was run here"),
)

INPUT_TABLES = (
    Table(
        "batches",
        "One row per batch: what was delivered and how much of it was taken. Read = kept + quarantined.",
        (
            BATCH,
            Column("file", "VARCHAR", "Name of the annotation file"),
            Column("sha256", "VARCHAR", "SHA-256 of the annotation file, its name in deliveries/"),
            Column("bytes", "BIGINT", "Size of the annotation file", "byte"),
            Column("image_root", "VARCHAR", "Name of the image root; NULL when the batch came without images", nullable=True),
            Column("images_checked", "BOOLEAN", "Whether image headers were compared with the annotation file"),
            Column("images_read", "BIGINT", "Image records in the file"),
            Column("images_kept", "BIGINT", "Image records taken"),
            Column("images_quarantined", "BIGINT", "Image records not taken"),
            Column("categories_read", "BIGINT", "Category records in the file"),
            Column("categories_kept", "BIGINT", "Category records taken"),
            Column("categories_quarantined", "BIGINT", "Category records not taken"),
            Column("annotations_read", "BIGINT", "Annotation records in the file"),
            Column("annotations_kept", "BIGINT", "Annotation records taken"),
            Column("annotations_quarantined", "BIGINT", "Annotation records not taken"),
            Column("reader", "VARCHAR", "fast, or tolerant when the fast reader refused the file"),
            Column("run_id", "VARCHAR", "Dagster run that read the file"),
        ),
        "ingest",
    ),
    Table(
        "images",
        "One row per image of a batch.",
        (
            BATCH,
            IMAGE,
            ORIGINAL_ID,
            Column("file_name", "VARCHAR", "File name as it stands in the annotation file, below the image root"),
            Column("width", "BIGINT", "Width by the annotation file", "px"),
            Column("height", "BIGINT", "Height by the annotation file", "px"),
            Column("file_state", "VARCHAR", "ok, missing, unreadable, unsafe_name, size_differs or not_checked"),
            Column("file_width", "BIGINT", "Width by the file's header, as displayed (EXIF orientation applied)", "px", True),
            Column("file_height", "BIGINT", "Height by the file's header, as displayed (EXIF orientation applied)", "px", True),
            Column("exif_orientation", "BIGINT", "EXIF orientation, 1 to 8; NULL when absent or not checked", "", True),
            Column("neg_category_ids", "BIGINT[]", "LVIS: categories known to be absent; NULL when not federated", "", True),
            Column("not_exhaustive_category_ids", "BIGINT[]", "LVIS: categories not labelled exhaustively", "", True),
        ),
        "ingest",
    ),
    Table(
        "categories",
        "One row per category of a batch.",
        (
            BATCH,
            Column("category_id", "BIGINT", "COCO id of the category"),
            ORIGINAL_ID,
            Column("name", "VARCHAR", "Name of the category"),
            Column("supercategory", "VARCHAR", "Supercategory", "", True),
        ),
        "ingest",
    ),
    Table(
        "annotations",
        "One row per label that was taken, crowds included.",
        (
            BATCH,
            Column("annotation_id", "BIGINT", "COCO id of the annotation"),
            IMAGE,
            Column("category_id", "BIGINT", "COCO id of the labelled category"),
            *BOX,
            Column("area", "DOUBLE", "Area by the file; of the mask, else of the box, where the file has none", "px²"),
            Column("iscrowd", "BOOLEAN", "Whether the label marks a crowd: a region to ignore"),
            Column("segmentation_type", "VARCHAR", "polygon, rle or none"),
            Column("parts", "BIGINT", "Number of polygons of the object; NULL where the segmentation is not polygons", "", True),
            Column("mask_area", "DOUBLE", "Area of the segmentation: shoelace sum of the polygons, or pixels of the RLE", "px²", True),
            ORIGINAL_ID,
        ),
        "ingest",
    ),
    Table(
        "annotation_masks",
        "One row per label with a segmentation; stays in Parquet.",
        (
            BATCH,
            Column("annotation_id", "BIGINT", "COCO id of the annotation"),
            Column("segmentation", "VARCHAR", "The segmentation's JSON as it stands in the annotation file"),
        ),
        "ingest",
        published=False,
    ),
    Table(
        "ingest_warnings",
        "One row per thing that looks wrong in a record that was taken all the same.",
        (
            BATCH,
            Column("record_type", "VARCHAR", "image, annotation, category, prediction or file"),
            Column("record_id", "BIGINT", "COCO id of the record; NULL for the file as a whole", "", True),
            Column("image_id", "BIGINT", "COCO id of the image concerned", "", True),
            Column("issue", "VARCHAR", "What is wrong, one word per kind: see docs/ingest.md"),
            Column("detail", "VARCHAR", "The same in a sentence with the numbers"),
        ),
        "ingest",
    ),
    Table("quarantined_labels", "Image, category and annotation records not taken.", _QUARANTINE, "ingest", published=False),
    Table("quarantined_predictions", "Prediction records not taken.", _QUARANTINE, "predictions", published=False),
    Table("quarantine", "One row per record that was not taken, with the reason and the original.", _QUARANTINE, "ingest"),
    Table("imported_models", "One row per results file of a batch. Read = kept + quarantined.", _MODELS, "predictions", published=False),
    Table(
        "inferred_models",
        "One row per model that was run on the images of a batch here.",
        _MODELS,
        "inference",
        published=False,
    ),
    Table("models", "One row per model of a batch, imported or run here. Read = kept + quarantined.", _MODELS, "predictions", union_of=("imported_models", "inferred_models")),
    Table("imported_predictions", "One row per prediction of the results files.", _PREDICTIONS, "predictions", published=False),
    Table(
        "predictions",
        "One row per prediction of any model: the union of imported and, where there are any, inferred ones.",
        _PREDICTIONS,
        "predictions",
        union_of=("imported_predictions", "inferred_predictions"),
    ),
    Table("imported_prediction_masks", "One row per prediction of the results files with a mask.", _MASKS, "predictions", published=False),
    Table("inferred_predictions", "One row per prediction of the models that were run here.", _PREDICTIONS, "inference", published=False),
    Table("inferred_prediction_masks", "One row per prediction with a mask of the models that were run here.", _MASKS, "inference", published=False),
    Table(
        "prediction_masks",
        "One row per prediction with a mask, of any model; stays in Parquet.",
        _MASKS,
        "predictions",
        published=False,
        union_of=("imported_prediction_masks", "inferred_prediction_masks"),
    ),
)
