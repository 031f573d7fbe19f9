"""The Explorer: its shell, and pages, counts and metrics as JSON. What is shown is `shown`'s matter, tags are set by `tags`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from label_quality.review import charts, fields, histograms, items, likeness, overview
from label_quality.review.answers import Database, answer
from label_quality.review.database import View
from label_quality.review.items import Page, sort_metric
from label_quality.review.kept import once
from label_quality.review.kinds import KINDS, SORTED_BY, Kind, metrics_of
from label_quality.review.likeness import looking_model
from label_quality.review.outcomes import counts as counts_of_outcomes
from label_quality.review.outcomes import first_model
from label_quality.review.pages import render

router = APIRouter()

_COLOURS: dict[Kind, str] = {
    "image": charts.GOOD,
    "annotation": charts.LABEL,
    "prediction": charts.PREDICTION,
}
Asked = Annotated[Page, Query()]


@router.get("/explorer")
def explorer(request: Request) -> Response:
    """The shell of the page."""
    return render(request, "explorer")


@router.get("/api/explorer/known")
def known(db: Database) -> Response:
    """What can be asked for: metrics of each kind, models, which things there are."""
    with db.view() as view:
        return answer(once(view, "known", lambda: _known(view)))


def _known(view: View) -> dict[str, Any]:
    models = view.rows("select distinct model from models order by model")
    batches = view.rows("select batch from batches order by batch")
    return {
        "metrics": {k: [msgspec.to_builtins(m) for m in metrics_of(view, k)] for k in KINDS},
        "sorted_by": SORTED_BY,
        "models": [r["model"] for r in models],
        "first_model": first_model(view),
        "looking_model": looking_model(view),
        "masks": bool(counts_of_outcomes(view, "annotation", "segm", "")),
        "batches": [r["batch"] for r in batches],
        "generation": view.generation,
    }


@router.get("/api/explorer/items")
def page(asked: Asked, db: Database) -> Response:
    """A page of things in order."""
    with db.view() as view:
        found = items.page(view, asked)
        return answer({"items": found.items, "more": found.more, "generation": view.generation})


@router.get("/api/explorer/overview")
def counts(asked: Asked, db: Database) -> Response:
    """How many there are, and how the values of the metric lie that is sorted by."""
    with db.view() as view:
        found = overview.overview(view, asked)
        metric = sort_metric(view, asked) if found.histogram else None
    figure = None
    if found.histogram and metric:
        name = f"{metric.name} [{metric.unit}]" if metric.unit else metric.name
        figure = histograms.histogram(
            found.histogram, colour=_COLOURS[asked.kind], name=name, height=150
        )
        figure["layout"] |= {"dragmode": "select", "selectdirection": "h"}
    return answer({"total": found.total, "without_value": found.without_value, "figure": figure})


@router.get("/api/explorer/map")
def label_map(db: Database) -> Response:
    """The map of labels: those that look alike to a model lie near each other. The commonest categories have colours."""
    with db.view() as view:
        found = likeness.label_map(view)
    if found is None:
        return answer({"figure": None, "model": "", "drawn": 0, "labels": 0})
    figure = fields.places(found.rows)
    return answer(
        {"figure": figure, "model": found.model, "drawn": len(found.rows), "labels": found.labels}
    )


@router.get("/api/explorer/facets")
def facets(asked: Asked, db: Database) -> Response:
    """How many things each value of each filter would show."""
    with db.view() as view:
        return answer(overview.facets(view, asked))
