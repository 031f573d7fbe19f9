"""The Summary's answers: totals and rates are those of the tables, what people decided counts, charts hold what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from helpers.published import own_root
from measured_batches import NASTY, ask, rows
from review_tools import client_of, decide, decision, findings

ERRORS, KIND = "/api/summary/errors", "/api/summary/kind"


def test_totals_and_rates_are_those_of_the_tables(
    measured: TestClient, measured_root: Path
) -> None:
    found = ask(measured, ERRORS)
    ((images, labels, predictions, all_findings),) = rows(
        measured_root,
        """select (select count(*) from images), (select count(*) from annotations),
                  (select count(*) from predictions), (select count(*) from findings)""",
    )
    totals = found["totals"]
    assert (totals["images"], totals["labels"]) == (images, labels)
    assert (totals["predictions"], totals["findings"]) == (predictions, all_findings)
    assert (totals["batches"], totals["models"], totals["categories"]) == (2, 2, 4)
    assert found["simulated"] == ["model", "other"]
    assert found["calibrated"] is False
    published = rows(
        measured_root,
        "select error_type, rate, rate_low, rate_high from overall_error_rates where category_name is null",
    )
    assert {(r["error_type"], r["rate"], r["rate_low"], r["rate_high"]) for r in found["rates"]} == set(published)  # fmt: skip
    drawn = found["rates_figure"]["data"][0]
    assert drawn["x"][0] == next(r["rate"] for r in found["rates"] if r["error_type"] == "any")
    for x, above, below in zip(
        drawn["x"], drawn["error_x"]["array"], drawn["error_x"]["arrayminus"], strict=True
    ):
        assert above >= 0
        assert 0 <= below <= x + 1e-12


def test_one_batch_has_its_own_rates(measured: TestClient, measured_root: Path) -> None:
    found = ask(measured, ERRORS, batch="second")
    assert found["totals"]["images"] == 4
    published = rows(
        measured_root,
        "select error_type, rate from error_rates where batch = 'second' and category_id is null",
    )
    assert {(r["error_type"], r["rate"]) for r in found["rates"]} == set(published)


@pytest.mark.parametrize("error_type", ["any", "missing", "duplicate"])
@pytest.mark.parametrize("batch", ["", "first"])
def test_categories_come_by_expected_errors_with_their_intervals(
    measured: TestClient, measured_root: Path, batch: str, error_type: str
) -> None:
    figure = ask(measured, ERRORS, type=error_type, batch=batch)["categories_figure"]
    table = f"error_rates where batch = '{batch}' and" if batch else "overall_error_rates where"
    published = rows(
        measured_root,
        f"""select category_name, rate from {table} category_name is not null and error_type = ? and expected_errors > 0
            order by expected_errors desc, category_name""",
        error_type,
    )
    assert figure["data"][0]["x"] == [rate for _, rate in published]
    links = [d["category"] for d in figure["data"][0]["customdata"]]
    assert links == [name for name, _ in published]


def test_what_people_decided_is_counted(measured_root: Path, tmp_path: Path) -> None:
    own = own_root(measured_root, tmp_path / "root")
    with client_of(own) as client:
        before = {r["error_type"]: r for r in ask(client, ERRORS)["rates"]}
        assert {r["reviewed"] for r in before.values()} == {0}
        first, second, third = findings(client, type="missing")[:3]
        assert decide(client, decision(first), decision(second, "reject")).status_code == 200
        after = {r["error_type"]: r for r in ask(client, ERRORS)["rates"]}
        assert (after["missing"]["reviewed"], after["missing"]["accepted"]) == (2, 1)
        assert (after["any"]["reviewed"], after["any"]["accepted"]) == (2, 1)
        assert after["duplicate"]["reviewed"] == 0
        # A second opinion is no second finding; one of the other batch counts only there.
        assert decide(client, decision(first, "reject"), author="Ben").status_code == 200
        again = {r["error_type"]: r for r in ask(client, ERRORS)["rates"]}
        assert again["missing"]["reviewed"] == 2
        batches = {f["batch"] for f in (first, second)}
        counted = [
            r["reviewed"]
            for b in ("first", "second")
            for r in ask(client, ERRORS, batch=b)["rates"]
            if r["error_type"] == "missing"
        ]
        assert sum(counted) == 2
        assert sum(n > 0 for n in counted) == len(batches)
        assert third["finding_id"] not in (first["finding_id"], second["finding_id"])


@pytest.mark.parametrize("kind", ["image", "annotation", "prediction"])
def test_outliers_and_categories_of_each_kind(
    measured: TestClient, measured_root: Path, kind: str
) -> None:
    found = ask(measured, KIND, kind=kind)
    published = rows(
        measured_root,
        "select metric, severe, moderate from outlier_summary where rule = 'robust' and kind = ? and metric is not null",
        kind,
    )
    unusual = {(m, s, d) for m, s, d in published if s + d}
    figure = found["outliers_figure"]
    drawn = set()
    if figure:
        severe, moderate = figure["data"]
        names = [link["outlier"] for link in severe["customdata"]]
        drawn = set(zip(names, severe["x"], moderate["x"], strict=True))
        assert {link["severity"] for link in moderate["customdata"]} == {"moderate"}
    assert drawn == unusual
    assert (found["outliers"] is None) == (not published)
    counts = found["per_category_figure"]["data"][0]
    named = {d["category"]: n for d, n in zip(counts["customdata"], counts["y"], strict=True)}
    table = {"image": "annotations", "annotation": "annotations", "prediction": "predictions"}[kind]
    thing = {"image": "distinct (batch, image_id)", "annotation": "*", "prediction": "*"}[kind]
    ((cats,),) = rows(
        measured_root,
        f"select count({thing}) from {table} join categories using (batch, category_id) where name = 'cat'",
    )
    assert named["cat"] == cats
    assert set(named) == {"cat", "dog", "bird", NASTY}
    assert named["bird"] == 0


def test_a_distribution_has_its_quartiles(measured: TestClient, measured_root: Path) -> None:
    found = ask(
        measured, "/api/summary/distribution", kind="prediction", metric="confidence", batch="first"
    )
    ((quartiles, n),) = rows(
        measured_root,
        "select quantile_cont(confidence, [.25, .5, .75]), count(*) from prediction_metrics where batch = 'first'",
    )
    assert found["quartiles"] == pytest.approx(quartiles, abs=0.03)
    assert sum(found["figure"]["data"][0]["y"]) == found["valued"] == found["objects"] == n
    assert len(found["figure"]["layout"]["shapes"]) == 3


def test_a_metric_without_values_has_no_figure(measured: TestClient) -> None:
    found = ask(
        measured,
        "/api/summary/distribution",
        kind="annotation",
        metric="same_class_mask_iou",
        batch="second",
    )
    assert found["valued"] < found["objects"]
    whole = ask(measured, "/api/summary/scatter", x="area", y="area")
    assert whole["correlation"] == pytest.approx(1.0) or whole["correlation"] is None


def test_two_metrics_and_their_trend(measured: TestClient, measured_root: Path) -> None:
    found = ask(
        measured, "/api/summary/scatter", kind="prediction", x="area_relative", y="confidence"
    )
    points, line = found["figure"]["data"]
    stored = rows(measured_root, "select area_relative, confidence from prediction_metrics")
    assert sorted(zip(points["x"], points["y"], strict=True)) == sorted(stored)
    assert found["shown"] == found["objects"] == len(stored)
    assert points["customdata"][0].split("/")[0] in ("first", "second")
    ((slope, intercept),) = rows(
        measured_root,
        "select regr_slope(confidence, ln(area_relative)), regr_intercept(confidence, ln(area_relative)) from prediction_metrics",
    )
    import math

    for x, y in zip(line["x"], line["y"], strict=True):
        assert y == pytest.approx(slope * math.log(x) + intercept)


def test_names_from_the_data_are_escaped_in_charts(measured: TestClient) -> None:
    """plotly takes some HTML in texts; data must not bring any."""
    answers = [
        measured.get(ERRORS, params={"type": "any", "batch": "second"}).json()["categories_figure"],
        measured.get(KIND, params={"kind": "prediction"}).json()["per_category_figure"],
    ]
    for figure in filter(None, answers):
        shown: list[Any] = [figure["layout"], *[d.get("text") for d in figure["data"]]]
        assert "<img" not in str(shown)
    assert any("&lt;img" in str(f) for f in answers if f)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        (ERRORS, {"type": "nope"}),
        ("/api/summary/distribution", {"metric": "nope"}),
        ("/api/summary/scatter", {"x": "area", "y": "area; drop"}),
    ],
)
def test_what_is_unknown_is_refused(
    measured: TestClient, path: str, parameters: dict[str, Any]
) -> None:
    answer = measured.get(path, params=parameters)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_root_without_metrics_and_results_over_all_batches(client: TestClient) -> None:
    """What the audit publishes before `refresh` ran: sentences, no tracebacks."""
    found = ask(client, ERRORS)
    assert found["totals"]["images"] == 8
    assert found["rates"]
    kind = ask(client, KIND, kind="annotation")
    assert kind["outliers"] is None
    assert kind["outliers_figure"] is None
    assert ask(client, "/api/explorer/items", kind="annotation")["items"] == []
    assert ask(client, "/api/explorer/overview", kind="annotation")["figure"] is None
    models = ask(client, "/api/performance/models")
    assert models["metrics"] == []
