"""The tables over all batches that say how far p_error can be trusted; docs/calibration.md explains them."""

from __future__ import annotations

from label_quality.schema.model import Column, Table

CALIBRATION_TABLES = (
    Table(
        "calibration",
        "One row per calibrated error type: what p_error of its findings rests on. Empty while there is too little to calibrate on.",
        (
            Column(
                "version",
                "VARCHAR",
                "Version of the calibration, as in findings.calibration_version",
            ),
            Column(
                "basis",
                "VARCHAR",
                "planted errors, or planted errors and verdicts, once there are enough of these",
            ),
            Column(
                "error_type", "VARCHAR", "missing, wrong_class, inaccurate, duplicate or spurious"
            ),
            Column("planted", "BIGINT", "Errors of this type that were planted"),
            Column(
                "reached",
                "BIGINT",
                "Of these, how many a finding named, of whatever score and type",
            ),
            Column(
                "expected_errors",
                "DOUBLE",
                "Errors of this type that all batches are expected to hold, found or not",
            ),
            Column(
                "verdicts",
                "BIGINT",
                "Findings of this type that people decided, as far as they could be used",
            ),
            Column("images", "BIGINT", "Images that errors were planted into"),
            Column("sample_labels", "BIGINT", "Labels in these"),
            Column(
                "default_cut",
                "DOUBLE",
                "p_error from which on the queue shows findings first, the same for all types",
            ),
            Column(
                "calibration_error",
                "DOUBLE",
                "Expected calibration error on planted errors of other shapes, findings with p_error >= 0.1; NULL for too few",
                "",
                True,
            ),
            Column(
                "slope",
                "DOUBLE",
                "Calibration slope of the same: 1 is right, less is too sure; NULL for too few",
                "",
                True,
            ),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "calibration_curve",
        "One row per knot of the curve that turns a score into p_error; linear between knots.",
        (
            Column("error_type", "VARCHAR", "Error type of the curve"),
            Column("score", "DOUBLE", "Score, 0 to 1"),
            Column("p_error", "DOUBLE", "p_error at that score, 0 to 1"),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "calibration_reliability",
        "One row per bin of the reliability diagram: curves fitted on some shapes of planted errors, judged on the others; bins of equally many findings.",
        (
            Column("bin", "BIGINT", "Number of the bin, 1 for the lowest probabilities"),
            Column("findings", "BIGINT", "Findings in the bin, of all rounds of planting"),
            Column("predicted", "DOUBLE", "Their mean probability of naming a planted error"),
            Column("observed", "DOUBLE", "Share of them that do"),
        ),
        "overall",
        per_batch=False,
    ),
    Table(
        "expected_recall",
        "One row per review budget and error type: what looking at the surest findings is expected to find.",
        (
            Column(
                "error_type",
                "VARCHAR",
                "Error type, or any for all, weighed by how many are expected",
            ),
            Column("budget", "DOUBLE", "Findings looked at, as a share of the labels"),
            Column("findings", "BIGINT", "That many findings, the surest of all types and batches"),
            Column(
                "recall",
                "DOUBLE",
                "Share of the errors of this type that are among them; those that no finding names count as missed",
            ),
            Column(
                "precision",
                "DOUBLE",
                "Share of those findings, of all types, that are expected to be errors",
            ),
        ),
        "overall",
        per_batch=False,
    ),
)
