"""Model performance: its shell; and as JSON what the slider asks, curves, the confusion matrix, reasons, and metrics.

What is asked about are one or two subjects, each a model over all batches or over one: ``["model", "batch"]``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from label_quality.performance.average import RECALLS
from label_quality.performance.confusion import CONFUSION_IOU, CONFUSION_SCORE
from label_quality.performance.counts import SLIDER
from label_quality.performance.load import IOU_TYPES, models
from label_quality.report import read
from label_quality.review import charts, fields, outcomes, performance_data
from label_quality.review.answers import Database, Refused, answer
from label_quality.review.database import Published, View
from label_quality.review.judged import Subject, judged
from label_quality.review.kept import once
from label_quality.review.pages import render

router = APIRouter()

_MANY = 500_000  # predictions from which matching takes seconds

By = Literal["bbox", "segm"]
Subjects = Annotated[list[str], Query(min_length=1, max_length=2)]
Iou = Annotated[float, Query(ge=float(SLIDER[0]), le=float(SLIDER[-1]))]
Score = Annotated[float, Query(ge=0, le=1)]


@router.get("/performance")
def performance(request: Request) -> Response:
    """The shell of the page."""
    return render(request, "performance")


@router.get("/api/performance/models")
def which(db: Database) -> Response:
    """What can be asked about: models by boxes and by masks, batches; COCO's figures as published; metrics."""
    with db.view() as view:
        return answer(once(view, "judged models", lambda: _known(view)))


def _known(view: View) -> dict[str, Any]:
    categories = view.rows("select distinct name from categories order by name")
    batches = view.rows("select batch from batches order by batch")
    return {
        "models": read.models(view.rows),
        "by": {by: models(view.con, by) for by in IOU_TYPES},
        "batches": [r["batch"] for r in batches],
        "categories": [r["name"] for r in categories],
        "scores": [f"{m}{'' if area == 'all' else f' {area}'}" for m, area in read.SCORES],
        "metrics": performance_data.judged_metrics(view),
        "slider": [float(SLIDER[0]), float(SLIDER[-1])],
        "confusion": {"iou": CONFUSION_IOU, "score": CONFUSION_SCORE},
        "generation": view.generation,
    }


@router.get("/api/performance/scores")
def scores(subject: Subjects, db: Database, by: By = "bbox") -> Response:
    """COCO's figures of each subject, equal to pycocotools'."""
    with db.view() as view:
        return answer(
            {"scores": [performance_data.scores(view, s) for s in _subjects(subject, by)]}
        )


@router.get("/api/performance/counts")
def counts(
    subject: Subjects, db: Database, by: By = "bbox", iou: Iou = 0.5, score: Score = 0.0
) -> Response:
    """mAP, mAR, TP, FP, FN … of each subject at one IoU: of all categories, then of each. What the slider asks for."""
    with db.view() as view:
        found = [
            judged(view, s).evaluation.counts_at(_stop(iou), min_score=score)
            for s in _subjects(subject, by)
        ]
    columns = ("category_name", "labels", "tp", "fp", "fn", "precision", "recall", "f1", "ap", "ar")
    parts = [{c: frame[c].tolist() for c in columns} for frame in found]
    return answer({"iou": iou, "subjects": parts})


@router.get("/api/performance/curves")
def curves(
    subject: Subjects,
    db: Database,
    by: By = "bbox",
    iou: Iou = 0.5,
    score: Score = 0.0,
    category: Annotated[list[str], Query(max_length=6)] = [],  # noqa: B006  FastAPI copies it
) -> Response:
    """Precision over recall at one IoU: the mean of all categories, or of each that is named."""
    series = []
    with db.view() as view:
        for number, one in enumerate(asked := _subjects(subject, by)):
            evaluation = judged(view, one).evaluation
            found = evaluation.curves_at(_stop(iou), min_score=score)
            names = evaluation.category_names
            for k, (name, curve) in enumerate(_chosen(found, names, category)):
                title = _named(one, name, several=len(asked) > 1)
                colour = charts.SERIES[(k if len(category) > 1 else number) % len(charts.SERIES)]
                series.append((title, RECALLS.tolist(), curve, colour, number == 1))
    figure = charts.lines(
        [s[:4] for s in series], x_name="recall", y_name="precision", dashed=[s[4] for s in series]
    )
    return answer({"figure": figure if series else None})


@router.get("/api/performance/confusion")
def confusion(
    subject: Subjects, db: Database, by: By = "bbox", most: Annotated[int, Query(ge=2, le=400)] = 12
) -> Response:
    """What is taken for what, among the categories that are confused most, for each subject."""
    with db.view() as view:
        found = performance_data.confusion(view, _subjects(subject, by), most)
    return answer(
        {
            "figures": [
                f and fields.matrix(f.names, f.names, f.counts, background="background")
                for f in found
            ],
            "categories": max((f.categories for f in found if f), default=0),
        }
    )


@router.get("/api/performance/reasons")
def reasons(
    subject: Subjects, db: Database, by: By = "bbox", category: str = "", score: Score = 0.0
) -> Response:
    """How many predictions and labels have which outcome and reason at IoU 0.50, for each subject."""
    with db.view() as view:
        found = [performance_data.reasons(view, s, category, score) for s in _subjects(subject, by)]
    return answer({"subjects": found})


@router.get("/api/performance/importance")
def importance(subject: Subjects, db: Database) -> Response:
    """How much each metric tells about right and wrong, of each subject's model over all batches."""
    with db.view() as view:
        found = [performance_data.importance(view, s.model) for s in _subjects(subject, "bbox")]
    return answer({"subjects": found})


@router.get("/api/performance/by_metric")
def by_metric(
    subject: Subjects, db: Database, metric: str = "confidence", kind: str = "prediction"
) -> Response:
    """Precision and false-negative rate over the bins of a metric, of each subject's model over all batches."""
    with db.view() as view:
        found = [
            performance_data.by_metric(view, s.model, kind, metric)
            for s in _subjects(subject, "bbox")
        ]
    return answer({"subjects": found})


@router.get("/api/performance/gains")
def gains(subject: Subjects, db: Database, by: By = "bbox") -> Response:
    """What AP50 each subject's model would gain if one kind of error were fixed."""
    with db.view() as view:
        found = [performance_data.gains(view, s.model, by) for s in _subjects(subject, by)]
    return answer({"subjects": found})


def warm(published: Published) -> None:
    """What would keep the first one waiting, where there are many predictions: outcomes beside metrics, and the matching."""
    with published.view() as view:
        model = outcomes.first_model(view)
        row = view.row("select count(*) as n from predictions")
        if not model or row is None or row["n"] < _MANY:
            return
        for kind in outcomes.OUTCOMES:
            outcomes.with_outcomes(view, kind, "bbox", "")
        judged(view, Subject(model))
        once(view, "judged models", lambda: _known(view))


def _subjects(texts: list[str], by: By) -> list[Subject]:
    try:
        return [Subject(*msgspec.json.decode(t, type=tuple[str, str]), by) for t in texts]
    except msgspec.MsgspecError:
        raise Refused('a subject is ["model", "batch"]; the batch "" stands for all') from None


def _stop(iou: float) -> float:
    """The stop of the slider that is nearest."""
    return float(SLIDER[round(iou * 100) - round(SLIDER[0] * 100)])


def _named(subject: Subject, category: str, several: bool) -> str:
    where = f" in {subject.batch}" if subject.batch else ""
    model = f"{subject.model}{where}"
    return f"{model}: {category}" if several and category else category or model


def _chosen(
    found: np.ndarray[Any, Any], names: list[str], wanted: list[str]
) -> list[tuple[str, list[float]]]:
    """Name and curve of each wanted category with labels; the mean of all, without a name, where none is wanted."""
    known = ~np.isnan(found).any(axis=1)
    if not wanted:
        return [("", found[known].mean(axis=0).tolist())] if known.any() else []
    place = {name: k for k, name in enumerate(names)}
    return [(n, found[place[n]].tolist()) for n in wanted if n in place and known[place[n]]]
