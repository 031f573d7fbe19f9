"""The tables over all batches that relate metrics to what is usual and to what models get right."""

from __future__ import annotations

from label_quality.schema.model import Column, Table

_KIND = Column("kind", "VARCHAR", "What the metric measures: image, annotation or prediction")
_METRIC = Column("metric", "VARCHAR", "Name of the metric")
_RULE = Column("rule", "VARCHAR", "robust, or encord: Encord Active's 1.5 and 2.5 interquartile ranges, for comparison")
_MODEL = Column("model", "VARCHAR", "Name of the model")
_TARGET = Column("target", "VARCHAR", "prediction: whether a prediction is right (TP or FP); annotation: whether a label is found (TP or FN)")

OVERALL_TABLES = (
    Table(
        "deliveries",
        "One row per batch that was ever delivered, published or not: what became of its latest delivery. As of the last refresh.",
        (
            Column("batch", "VARCHAR", "Name of the batch"),
            Column("fingerprint", "VARCHAR", "Fingerprint of its latest delivery, over files and image root; NULL when none could be taken", "", True),
            Column("first_seen", "TIMESTAMP", "When its first delivery was taken", "UTC", True),
            Column("delivered_at", "TIMESTAMP", "When its latest delivery was taken", "UTC", True),
            Column("deliveries", "BIGINT", "Different deliveries of it so far"),
            Column("state", "VARCHAR", "Of the latest delivery: published, running, failed, or waiting for its run"),
            Column("images", "BIGINT", "Images, as published; NULL before the first publication, as are the other counts", "", True),
            Column("labels", "BIGINT", "Labels", "", True),
            Column("predictions", "BIGINT", "Predictions of all models", "", True),
            Column("quarantined", "BIGINT", "Records that were not taken", "", True),
            Column("findings", "BIGINT", "Findings", "", True),
            Column("last_run", "VARCHAR", "Dagster run that ended last: published, or failed", "", True),
            Column("last_run_at", "TIMESTAMP", "When it published, or failed", "UTC", True),
            Column("message", "VARCHAR", "Why the last run failed; NULL when it did not", "", True),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "outliers",
        "One row per object and metric by which its value is unusual among all batches; crowds are not judged. By the robust rule; "
        "what Encord Active's finds, outlier_bounds says.",
        (
            Column("batch", "VARCHAR", "Batch of the object"),
            _KIND,
            _METRIC,
            Column("image_id", "BIGINT", "COCO id of the image"),
            Column("annotation_id", "BIGINT", "COCO id of the label; NULL for other kinds", "", True),
            Column("model", "VARCHAR", "Model of the prediction; NULL for other kinds", "", True),
            Column("prediction_id", "BIGINT", "Prediction, within its model; NULL for other kinds", "", True),
            Column("category_name", "VARCHAR", "Category of the object; NULL for images", "", True),
            Column("value", "DOUBLE", "Value of the metric, in its unit"),
            Column("low", "DOUBLE", "Usual values are at least this; NULL where low ones are not judged", "", True),
            Column("high", "DOUBLE", "Usual values are at most this; NULL where high ones are not judged", "", True),
            Column("group_name", "VARCHAR", "Category among whose objects the value is unusual; NULL for all objects together", "", True),
            _RULE,
            Column("severity", "VARCHAR", "moderate or severe"),
            Column("score", "DOUBLE", "How far out: robust standard deviations from the median", "", True),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "outlier_bounds",
        "What is usual: the bounds of each metric by each rule, for each category that they may differ for.",
        (
            _KIND,
            _METRIC,
            _RULE,
            Column("category_name", "VARCHAR", "Category that they hold for; NULL for all that has no row of its own", "", True),
            Column("group_name", "VARCHAR", "Category that they were made from; NULL for all objects together", "", True),
            Column("low", "DOUBLE", "Values below are unusual; NULL where low ones are not judged", "", True),
            Column("high", "DOUBLE", "Values above are unusual; NULL where high ones are not judged", "", True),
            Column("severe_low", "DOUBLE", "Values below are severe outliers; NULL where none is", "", True),
            Column("severe_high", "DOUBLE", "Values above are severe outliers; NULL where none is", "", True),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "outlier_summary",
        "How many objects are unusual, by metric and rule. An object counts once in the total over metrics, with its worst severity.",
        (
            _KIND,
            Column("metric", "VARCHAR", "Name of the metric; NULL for all metrics together", "", True),
            _RULE,
            Column("moderate", "BIGINT", "Objects that are moderate outliers at worst"),
            Column("severe", "BIGINT", "Objects that are severe outliers"),
            Column("objects", "BIGINT", "Objects that were judged: those with a value, of whatever value in the total"),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "metric_importance",
        "How much a metric tells about whether a model is right. The random control shows what nothing looks like.",
        (
            _MODEL,
            _TARGET,
            _KIND,
            _METRIC,
            Column("importance", "DOUBLE", "Share of the uncertainty about right or wrong that the metric's decile removes (Theil's U), 0 to 1, bias taken off; NULL where all are right or all are wrong", "", True),
            Column("low", "DOUBLE", "Lower end of the 95 % interval of importance, by bootstrap over images", "", True),
            Column("high", "DOUBLE", "Upper end of the 95 % interval of importance, by bootstrap over images", "", True),
            Column("correlation", "DOUBLE", "Rank-biserial correlation, 2 AUC - 1, from -1 to 1: positive where high values go with right", "", True),
            Column("n", "BIGINT", "Predictions or labels that it was computed from: those of a fixed sample of images with a value"),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "performance_by_metric",
        "Precision (of predictions) or false-negative rate (of labels) in ten quantile bins of a metric; fewer where values tie.",
        (
            _MODEL,
            _TARGET,
            _KIND,
            _METRIC,
            Column("bin", "BIGINT", "Number of the bin, 1 for the lowest values"),
            Column("low", "DOUBLE", "Lowest value in the bin"),
            Column("high", "DOUBLE", "Highest value in the bin"),
            Column("count", "BIGINT", "Predictions or labels in the bin"),
            Column("measure", "VARCHAR", "precision: TP / (TP + FP) of predictions; false_negative_rate: FN / (TP + FN) of labels"),
            Column("value", "DOUBLE", "The measure, 0 to 1"),
            Column("value_low", "DOUBLE", "Lower end of its 95 % interval (Wilson)"),
            Column("value_high", "DOUBLE", "Upper end of its 95 % interval (Wilson)"),
        ),
        "overall",
        per_batch=False,
    ),
)
