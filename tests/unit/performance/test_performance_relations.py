"""Performance by metric and metric importance from tables: the false-negative rate, bins, intervals, several models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.metric_values import add, database, metric, schema_rows, table
from scipy.stats import binomtest

from label_quality.performance.relations import build_relations

VALUE = {kind: [metric(kind=kind)] for kind in ("image", "annotation", "prediction")}


def built(
    labels: tuple[Any, Any] = ([], []),
    predictions: tuple[Any, Any] = ([], []),
    *,
    models: tuple[str, ...] = ("m",),
    image: Any = None,
    image_values: Any = (),
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """metric_importance and performance_by_metric of (values, outcomes) of labels and predictions, the same for each model."""
    con = database()
    images = np.arange(max(len(labels[0]), len(predictions[0]), 1))
    add(con, "images", pa.table({"batch": ["b"] * len(images), "image_id": images}))
    values = image_values if len(image_values) else np.zeros(len(images))
    add(con, "image_metrics", table("image", {"value": values}))
    for kind, name, key, (own, outcome) in (
        ("annotation", "label_outcomes", "annotation_id", labels),
        ("prediction", "prediction_outcomes", "prediction_id", predictions),
    ):
        ids = np.arange(len(own))
        rows = [
            table(
                kind,
                {"value": np.asarray(own, float)},
                **({"model": [m] * len(own)} if kind == "prediction" else {}),
            )
            for m in models
        ]
        add(con, f"{kind}_metrics", pa.concat_tables(rows if kind == "prediction" else rows[:1]))
        outcomes = [
            pa.table(
                {
                    "batch": pa.array(["b"] * len(own), pa.string()),
                    "model": pa.array([m] * len(own), pa.string()),
                    key: ids,
                    "iou_type": pa.array([iou_type] * len(own), pa.string()),
                    "outcome": pa.array(verdicts, pa.string()),
                }
            )
            for m in models
            # What masks say is another matter, and must not be counted beside what boxes say.
            for iou_type, verdicts in (("bbox", outcome), ("segm", ["TP"] * len(own)))
        ]
        add(con, name, pa.concat_tables(outcomes))
    queries = build_relations(con, VALUE)
    return tuple(schema_rows(con, name, sql) for name, sql in queries.items())  # type: ignore[return-value]


def bins(
    rows: list[dict[str, Any]], target: str, kind: str | None = None, model: str = "m"
) -> list[dict[str, Any]]:
    found = [
        r for r in rows if (r["target"], r["kind"], r["model"]) == (target, kind or target, model)
    ]
    return sorted(found, key=lambda r: r["bin"])


def test_false_negative_rate_is_of_labels_alone() -> None:
    """10 TP, 90 FP, 10 FN of one value: Encord Active says 10 / 110 = 0.09; half of the labels are not found."""
    _, rows = built(
        ([1.0] * 20, ["TP"] * 10 + ["FN"] * 10), ([1.0] * 100, ["TP"] * 10 + ["FP"] * 90)
    )
    (labels,), (predictions,) = bins(rows, "annotation"), bins(rows, "prediction")
    assert (labels["measure"], labels["value"], labels["count"]) == ("false_negative_rate", 0.5, 20)
    assert (predictions["measure"], predictions["value"], predictions["count"]) == (
        "precision",
        0.1,
        100,
    )


@pytest.mark.parametrize(("hits", "count"), [(0, 20), (7, 20), (20, 20), (1, 1), (300, 1000)])
def test_interval_is_wilsons(hits: int, count: int) -> None:
    _, rows = built(predictions=([1.0] * count, ["TP"] * hits + ["FP"] * (count - hits)))
    (row,) = bins(rows, "prediction")
    expected = binomtest(hits, count).proportion_ci(0.95, "wilson")
    assert (row["value_low"], row["value_high"]) == pytest.approx(
        (expected.low, expected.high), abs=1e-12
    )


def test_bins_are_equally_full() -> None:
    values = np.random.default_rng(0).permutation(1000)
    _, rows = built(predictions=(values, np.where(values < 500, "TP", "FP")))
    found = bins(rows, "prediction")
    assert [r["bin"] for r in found] == list(range(1, 11))
    assert {r["count"] for r in found} == {100}
    assert [(r["low"], r["high"]) for r in found] == [(100 * k, 100 * k + 99) for k in range(10)]
    assert [r["value"] for r in found] == [1.0] * 5 + [0.0] * 5


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0] * 60 + [1] * 25 + [2] * 15, [(0, 0, 60), (1, 1, 25), (2, 2, 15)]),
        ([5] * 7, [(5, 5, 7)]),
        ([1, 2, 3], [(1, 1, 1), (2, 2, 1), (3, 3, 1)]),
        ([0] * 95 + [3, 4, 5, 6, 7], [(0, 0, 95), (3, 7, 5)]),
    ],
)
def test_integers_and_ties_share_bins(
    values: list[int], wanted: list[tuple[int, int, int]]
) -> None:
    _, rows = built(predictions=(values, ["TP"] * len(values)))
    found = bins(rows, "prediction")
    assert [(r["low"], r["high"], r["count"]) for r in found] == wanted
    assert [r["bin"] for r in found] == list(range(1, len(wanted) + 1))


def test_what_coco_ignores_and_what_has_no_value_is_left_out() -> None:
    values = [1.0, 1.0, 1.0, np.nan, np.inf]
    importance, rows = built(predictions=(values, ["TP", "FP", "ignored", "TP", "TP"]))
    (row,) = bins(rows, "prediction")
    assert (row["count"], row["value"]) == (2, 0.5)
    assert [r["n"] for r in importance if r["kind"] == "prediction"] == [2]


def test_metrics_of_the_image_are_related_too() -> None:
    rng = np.random.default_rng(1)
    dark = np.arange(400) % 2
    outcome = np.where(rng.random(400) < np.where(dark, 0.9, 0.2), "FN", "TP")
    importance, rows = built((rng.random(400), outcome), image_values=dark.astype(float))
    low, high = bins(rows, "annotation", "image")
    assert low["value"] < 0.3
    assert high["value"] > 0.8
    found = {r["kind"]: r for r in importance}
    assert found["image"]["importance"] > 0.3
    assert found["image"]["correlation"] < -0.5
    assert found["annotation"]["low"] == 0


def test_each_model_by_itself() -> None:
    values = np.linspace(0, 1, 200)
    importance, rows = built(
        predictions=(values, np.where(values > 0.5, "TP", "FP")), models=("p", "q")
    )
    assert {r["model"] for r in importance} == {r["model"] for r in rows} == {"p", "q"}
    assert [{**r, "model": ""} for r in bins(rows, "prediction", model="p")] == [
        {**r, "model": ""} for r in bins(rows, "prediction", model="q")
    ]
    assert importance[0]["importance"] == pytest.approx(1, abs=0.05)
    assert importance[0]["correlation"] == 1


def test_nothing_to_relate() -> None:
    assert built() == ([], [])
