"""The charts of model performance: rows of `read` as curves, bars and matrices of `charts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from label_quality.report.charts import Bar, Line, bars, lines, matrix
from label_quality.report.plots import grouped, named

if TYPE_CHECKING:
    from markupsafe import Markup

    from label_quality.report.read import Row

_BY = {"bbox": "boxes", "segm": "masks"}
_BACKGROUND = "background"


def curves(rows: Sequence[Row], simulated: Sequence[str]) -> list[tuple[str, Markup]]:
    """Precision over recall of all models in one plot, for boxes and masks and each IoU."""
    return [
        (
            title := f"{_BY[iou_type]}, IoU {'.50 to .95' if iou is None else f'{iou:.2f}'}",
            lines(
                [
                    Line(named(model, simulated), [(r["recall"], r["precision"]) for r in points])
                    for model, points in grouped(some, "model")
                ],
                f"Precision over recall: {title}",
                x_name="recall",
                y_name="precision",
            ),
        )
        for (iou_type, iou), some in grouped(rows, "iou_type", "iou")
    ]


def weakest(rows: Sequence[Row], simulated: Sequence[str]) -> list[tuple[str, Markup]]:
    """The lowest APs of each model."""
    return [
        (
            named(model, simulated),
            bars(
                [Bar(r["category_name"], [r["value"]], f"{r['value']:.3f}") for r in some],
                f"Lowest AP: {model}",
            ),
        )
        for model, some in grouped(rows, "model")
    ]


def confusions(rows: Sequence[Row], simulated: Sequence[str]) -> list[tuple[str, Markup]]:
    """For each model the categories that are confused most, the background last."""
    out = []
    for model, some in grouped(rows, "model"):
        names = sorted(
            {r[c] for r in some for c in ("category_name", "predicted_category_name")} - {None}
        )
        counts = {(r["category_name"], r["predicted_category_name"]): r["count"] for r in some}
        places = [*names, None]
        out.append(
            (
                named(model, simulated),
                matrix(
                    [*names, _BACKGROUND],
                    [*names, _BACKGROUND],
                    [[counts.get((i, j), 0) for j in places] for i in places],
                    f"Confusion: {model}",
                    row_name="label",
                    column_name="prediction",
                ),
            )
        )
    return out


def gains(rows: Sequence[Row], simulated: Sequence[str]) -> list[tuple[str, Markup]]:
    """What each model would gain. A loss is written, and has no bar."""
    return [
        (
            f"{named(model, simulated)}, AP50 {some[0]['value']:.3f}",
            bars(
                [
                    Bar(r["error_type"].replace("_", " "), [max(r["gain"], 0)], f"{r['gain']:+.3f}")
                    for r in some
                ],
                f"Gain in AP50: {model}",
            ),
        )
        for model, some in grouped(rows, "model")
    ]
