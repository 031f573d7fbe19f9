"""The page of model performance: what the slider says is what `counts_at` says, of all batches and of one; links add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from helpers.published import pictures, publish, refresh
from helpers.review_batch import document
from measured_batches import NASTY, ask, database, models, rows
from review_tools import client_of

from label_quality.performance import counts_at

COUNTS, CURVES = "/api/performance/counts", "/api/performance/curves"


def subject(model: str = "model", batch: str = "") -> str:
    return json.dumps([model, batch])


def columns(found: dict[str, Any], name: str) -> list[Any]:
    return [np.nan if v is None else v for v in found[name]]


@pytest.mark.parametrize("by", ["bbox", "segm"])
@pytest.mark.parametrize(
    ("iou", "score"), [(0.1, 0.0), (0.5, 0.0), (0.53, 0.9), (0.75, 0.5), (0.95, 0.0)]
)
def test_the_slider_says_what_the_evaluation_says(
    measured: TestClient, measured_root: Path, iou: float, score: float, by: str
) -> None:
    (found,) = ask(measured, COUNTS, subject=subject(), iou=iou, score=score, by=by)["subjects"]
    with database(measured_root) as con:
        truth = counts_at(con, iou, model="model", iou_type=by, min_score=score)
    for name in ("labels", "tp", "fp", "fn", "precision", "recall", "f1", "ap", "ar"):
        np.testing.assert_array_equal(columns(found, name), truth[name].to_numpy())


def test_one_batch_alone_is_as_if_there_were_no_other(measured: TestClient, tmp_path: Path) -> None:
    made = document()
    images = pictures(tmp_path / "images", [i["file_name"] for i in made["images"]])
    few = {
        "images": made["images"][:4],
        "annotations": [a for a in made["annotations"] if a["image_id"] <= 4],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": NASTY}],
    }
    store = publish(
        tmp_path / "root", few, models(4), batch="second", images=images, metrics=True
    )  # fmt: skip
    refresh(store)
    asked = {"iou": 0.5, "score": 0.3}
    with client_of(store.root) as alone:
        for model in ("model", "other"):
            (truth,) = ask(alone, COUNTS, subject=subject(model), **asked)["subjects"]
            (found,) = ask(measured, COUNTS, subject=subject(model, "second"), **asked)["subjects"]
            assert found == truth
            scores = ask(measured, "/api/performance/scores", subject=subject(model, "second"))
            published = ask(alone, "/api/performance/scores", subject=subject(model))
            for a, b in zip(scores["scores"][0], published["scores"][0], strict=True):
                assert (a is None) == (b is None)
                assert a is None or a == pytest.approx(b, abs=1e-12)
            matrices = [
                ask(c, "/api/performance/confusion", subject=subject(model, b))["figures"]
                for c, b in ((alone, ""), (measured, "second"))
            ]
            assert matrices[0] == matrices[1]
            reasons = [
                ask(c, "/api/performance/reasons", subject=subject(model, b))["subjects"][0]
                for c, b in ((alone, ""), (measured, "second"))
            ]
            for kind in ("prediction", "annotation"):
                one, two = ({(r["outcome"], r["reason"]): r["n"] for r in found[kind]} for found in reasons)  # fmt: skip
                assert one == two


def test_two_subjects_are_answered_together(measured: TestClient) -> None:
    first, second = subject("model"), subject("other", "first")
    both = ask(measured, COUNTS, subject=[first, second])["subjects"]
    assert both[0] == ask(measured, COUNTS, subject=first)["subjects"][0]
    assert both[1] == ask(measured, COUNTS, subject=second)["subjects"][0]
    figures = ask(measured, "/api/performance/confusion", subject=[first, second])["figures"]
    axes = [[f["layout"][a]["ticktext"] for a in ("xaxis", "yaxis")] for f in figures]
    assert axes[0] == axes[1]  # the same classes, so that the two can be compared


def test_the_area_under_a_curve_is_the_ap(measured: TestClient) -> None:
    asked = {"subject": subject(), "iou": 0.5}
    (counted,) = ask(measured, COUNTS, **asked)["subjects"]
    of_all = ask(measured, CURVES, **asked)["figure"]["data"]
    assert len(of_all) == 1
    assert np.mean(of_all[0]["y"]) == pytest.approx(counted["ap"][0])
    drawn = ask(measured, CURVES, **asked, category=["cat", "dog", "unknown"])["figure"]["data"]
    assert [line["name"] for line in drawn] == ["cat", "dog"]
    for line in drawn:
        place = counted["category_name"].index(line["name"])
        assert len(line["x"]) == 101
        assert np.mean(line["y"]) == pytest.approx(counted["ap"][place])


def test_a_class_without_labels_has_no_curve(measured: TestClient) -> None:
    assert ask(measured, CURVES, subject=subject(), category=["bird"])["figure"] is None


def test_scores_over_all_batches_are_those_published(
    measured: TestClient, measured_root: Path
) -> None:
    found = ask(measured, "/api/performance/scores", subject=subject("other"))["scores"][0]
    ((ap,),) = rows(
        measured_root,
        """select value from performance where model = 'other' and metric = 'AP' and area = 'all' and iou_type = 'bbox'
           and category_name is null""",
    )
    assert found[0] == ap


def test_reasons_lead_to_as_many_cases(measured: TestClient) -> None:
    (found,) = ask(measured, "/api/performance/reasons", subject=subject("other"))["subjects"]
    for kind in ("prediction", "annotation"):
        assert len(found[kind]) >= 2
        for row in found[kind]:
            reason = {"reason": row["reason"]} if row["reason"] else {}
            shown = ask(
                measured,
                "/api/explorer/overview",
                kind=kind,
                model="other",
                outcome=row["outcome"],
                **reason,
            )
            assert shown["total"] == row["n"], row


def test_reasons_of_one_class_and_from_a_confidence_on(
    measured: TestClient, measured_root: Path
) -> None:
    asked = {"subject": subject("other", "first"), "category": "cat", "score": 0.6}
    (found,) = ask(measured, "/api/performance/reasons", **asked)["subjects"]
    stored = rows(
        measured_root,
        """select outcome, reason, count(*) from prediction_outcomes o join predictions p using (batch, model, prediction_id)
           where batch = 'first' and model = 'other' and category_id = 1 and score >= 0.6 and iou_type = 'bbox' group by all""",
    )
    assert {(r["outcome"], r["reason"], r["n"]) for r in found["prediction"]} == set(stored)
    assert sum(r["n"] for r in found["annotation"]) == 14


def test_importance_by_metric_and_gains(measured: TestClient, measured_root: Path) -> None:
    (questions,) = ask(measured, "/api/performance/importance", subject=subject("other"))[
        "subjects"
    ]
    assert {q["target"] for q in questions} <= {"prediction", "annotation"}
    stored = rows(
        measured_root,
        "select max(importance) from metric_importance where model = 'other' and target = 'prediction'",
    )
    prediction = next(q for q in questions if q["target"] == "prediction")
    assert prediction["importance"]["data"][0]["x"][0] == stored[0][0]
    links = prediction["importance"]["data"][0]["customdata"]
    (charts,) = ask(measured, "/api/performance/by_metric", subject=subject("other"), **links[0])[
        "subjects"
    ]
    assert charts
    assert charts[0]["measure"] == "precision"
    (gains,) = ask(measured, "/api/performance/gains", subject=subject("other"))["subjects"]
    assert len(gains["data"][0]["x"]) > 3
    assert min(gains["data"][0]["x"]) >= 0


def test_names_are_escaped_in_the_matrix(measured: TestClient) -> None:
    figure = ask(measured, "/api/performance/confusion", subject=subject("other", "second"))[
        "figures"
    ][0]
    ticks = figure["layout"]["xaxis"]["ticktext"]
    assert "<img" not in str(ticks) + str(figure["data"][0]["hovertext"])
    assert NASTY in str(figure["data"][0]["customdata"])  # what a click opens is the name itself


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"subject": "model"}, 400),
        ({"subject": '["model"]'}, 400),
        ({"subject": '["nope", ""]'}, 404),
        ({"subject": '["other", ""]', "by": "segm"}, 404),  # it has no masks
        ({"subject": '["model", "nope"]'}, 404),
        ({"subject": '["model", ""]', "iou": 0.05}, 422),
        ({"subject": '["model", ""]', "iou": 0.99}, 422),
        ({"subject": '["model", ""]', "score": 2}, 422),
        ({"subject": [subject()] * 3}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_asked_is_refused(
    measured: TestClient, parameters: dict[str, Any], status: int
) -> None:
    answer = measured.get(COUNTS, params=parameters)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def test_the_models_and_what_is_known_of_them(measured: TestClient) -> None:
    found = ask(measured, "/api/performance/models")
    assert found["by"] == {"bbox": ["model", "other"], "segm": ["model"]}
    assert all(m["simulated"] for m in found["models"])
    assert found["slider"] == [0.1, 0.95]
    assert measured.get("/performance").status_code == 200
