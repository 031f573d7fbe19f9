"""What an audit by the command leaves in Dagster's history: materialisations, their metadata, and checks."""

from __future__ import annotations

import base64
import re
from typing import Any

import dagster as dg
import pytest
from conftest import Audited
from pipeline_tools import query

from label_quality.schema import ERROR_TYPES, TABLES

INLINE = 1000  # characters of markdown that the UI draws inline
LARGEST = 100_000  # bytes: pictures stay in the event log for ever


def materialisations(instance: dg.DagsterInstance, audited: Audited) -> dict[str, Any]:
    """Asset name -> metadata, of the audit's run and of the refresh after it."""
    out = {}
    for name in [*(n for n, t in TABLES.items() if not t.from_log), "publish"]:
        records = instance.fetch_materializations(dg.AssetKey(name), limit=50).records
        mine = [
            r.asset_materialization
            for r in records
            if not TABLES.get(name, TABLES["findings"]).per_batch
            or r.run_id == audited.summary["run_id"]
        ]
        assert mine, name
        out[name] = {k: v.value for k, v in mine[0].metadata.items()}
    return out


def test_every_table_is_materialised_with_its_number_of_rows(
    instance: dg.DagsterInstance, within: Audited
) -> None:
    found = materialisations(instance, within)
    for name, table in TABLES.items():
        if table.from_log:  # what people decided, no run makes it
            continue
        rows = found[name]["dagster/row_count"]
        if table.published and table.per_batch:
            assert query(within.database, f"select count(*) from {name}") == [(rows,)], name
        else:
            assert rows >= 0
    assert found["publish"]["batches"] == 1


def test_metadata_keeps_to_what_the_ui_draws(
    instance: dg.DagsterInstance, within: Audited, exceeded: Audited, unjudged: Audited
) -> None:
    for audited in (within, exceeded, unjudged):
        for asset, metadata in materialisations(instance, audited).items():
            for label, value in metadata.items():
                if isinstance(value, float):
                    assert round(value, 4) == value, (asset, label)
                elif isinstance(value, str) and "data:image/jpeg" in value:
                    assert len(value) < LARGEST, (asset, label)
                elif isinstance(value, str):
                    assert len(value) < INLINE, (asset, label)


def test_metrics_are_summed_up_and_drawn(
    instance: dg.DagsterInstance, within: Audited, unjudged: Audited
) -> None:
    found = materialisations(instance, within)
    assert found["image_metrics"]["pixels"] == found["annotation_metrics"]["pixels"] == "8 measured"
    assert "\n| brightness | 0." in found["image_metrics"]["metrics"]
    assert 0 < found["prediction_metrics"]["median confidence"] <= 1
    for table, name in (
        ("image", "sharpness"),
        ("annotation", "area_relative"),
        ("prediction", "iou"),
    ):
        svg = re.search(r"base64,([^)]+)", found[f"{table}_metrics"][name])
        assert svg
        bars = base64.b64decode(svg[1])
        assert bars.startswith(b"<svg") and bars.count(b"M") >= 2
    nothing = materialisations(instance, unjudged)
    assert nothing["image_metrics"]["pixels"] == "not done: the batch came without images"
    assert "sharpness" not in nothing["image_metrics"]
    assert "object_count" in nothing["image_metrics"]
    assert not any("problems" in metadata for metadata in found.values())


def test_worst_categories_bars_and_contact_sheet(
    instance: dg.DagsterInstance, within: Audited, unjudged: Audited
) -> None:
    found = materialisations(instance, within)
    lines = found["error_rates"]["worst categories"].splitlines()
    assert lines[0] == "| category | labels | expected errors | rate |"
    worst = within.summary["worst_categories"]
    assert lines[2].startswith(f"| {worst[0]['category_name']} | {worst[0]['labels']} | ")
    svg = re.search(r"data:image/svg\+xml;base64,([^)]+)", found["error_rates"]["rates by type"])
    assert svg
    assert base64.b64decode(svg[1]).startswith(b"<svg")
    assert {k: found["findings"][k] for k in ERROR_TYPES} == within.summary["findings"]
    sheet = re.search(r"data:image/jpeg;base64,([^)]+)", found["findings"]["contact sheet"])
    assert sheet
    assert base64.b64decode(sheet[1])[:2] == b"\xff\xd8"
    assert "contact sheet" not in materialisations(instance, unjudged)["findings"]  # no images


def checks(instance: dg.DagsterInstance, audited: Audited) -> dict[str, dg.AssetCheckEvaluation]:
    """asset.check -> evaluation, of the audit's run."""
    logs = instance.all_logs(
        audited.summary["run_id"], of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    found = [log.asset_check_evaluation for log in logs]
    return {f"{e.asset_key.to_user_string()}.{e.check_name}": e for e in found if e}


def test_checks_that_pass(instance: dg.DagsterInstance, within: Audited) -> None:
    found = checks(instance, within)
    assert len(found) == len(within.summary["checks"]) == 16
    assert all(e.passed for e in found.values())
    rate = found["error_rates.label_error_rate"]
    metadata = {k: v.value for k, v in rate.metadata.items()}
    assert metadata["rate"] == round(within.summary["rates"]["any"]["rate"], 4)
    assert metadata["rate low"] <= metadata["rate"] <= metadata["rate high"]
    assert (metadata["warn above"], metadata["error above"]) == (1.0, 1.0)
    assert metadata["batch"] == "Line_3_Marz"
    assert metadata["calibrated"] is False
    assert metadata["formula"]
    assert len(metadata["categories"]) < INLINE
    lost = found["batches.nothing_lost"].metadata
    assert (
        lost["annotations read"].value == lost["annotations kept"].value == within.summary["labels"]
    )


def test_checks_that_warn_and_fail(instance: dg.DagsterInstance, exceeded: Audited) -> None:
    found = checks(instance, exceeded)
    error, warning = found["error_rates.label_error_rate"], found["error_rates.missing_rate"]
    assert (error.passed, error.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (warning.passed, warning.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "error above 0.1%" in str(error.description)
    run = instance.get_run_by_id(exceeded.summary["run_id"])
    assert run
    assert run.status == dg.DagsterRunStatus.SUCCESS  # bad labels are no failure of the run


@pytest.mark.parametrize("kind", [*ERROR_TYPES, "any"])
def test_what_nobody_can_judge_warns(
    kind: str, instance: dg.DagsterInstance, unjudged: Audited
) -> None:
    name = "label_error_rate" if kind == "any" else f"{kind}_rate"
    check = checks(instance, unjudged)[f"error_rates.{name}"]
    if kind == "duplicate":  # needs no predictions
        assert "rate" in check.metadata
        return
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "not judged, there are no predictions to judge by" in str(check.description)
    assert "rate" not in check.metadata


def test_the_reviews_that_were_published_are_a_version_of_their_own(
    within: Audited, instance: dg.DagsterInstance
) -> None:
    for name in ("reviews", "tags"):
        record = instance.get_latest_data_version_record(dg.AssetKey(name))
        assert record is not None
        assert record.asset_observation is not None
        assert record.asset_observation.tags["dagster/data_version"] == "0"
