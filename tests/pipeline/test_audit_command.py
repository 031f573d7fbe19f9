"""`label-quality audit` as a process: what it prints, writes and publishes, and its exit codes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import Audited
from pipeline_tools import command, mistake, query

from label_quality.demo import Demo
from label_quality.schema import ERROR_TYPES

NEED_PREDICTIONS = ["label_error_rate", "missing_rate", "wrong_class_rate", "inaccurate_rate", "spurious_rate"]  # fmt: skip


def test_within_limits_is_exit_0(within: Audited, demo: Demo) -> None:
    assert within.done.returncode == 0, within.done.stderr
    assert within.done.stderr.count("publishing") == 1  # progress, one line a step
    out = within.done.stdout
    assert out.startswith(f"\nLine_3_Marz: {demo.labels} labels in 8 images, 8 categories")
    assert "simulated" in out
    assert "ERROR" not in out
    assert "WARN" not in out
    assert str(within.database) in out
    assert max(map(len, out.splitlines())) > 80  # not wrapped to a terminal that is not there
    for kind in (*ERROR_TYPES, "any"):
        assert f"\n│ {kind.replace('_', ' ')} " in out


def test_the_json_summary_is_what_is_published(within: Audited, demo: Demo) -> None:
    summary = within.summary
    assert summary["batch"] == "Line_3_Marz"
    assert summary["exit_code"] == 0
    assert (summary["images"], summary["images_checked"]) == (8, True)
    assert summary["labels"] == demo.labels
    assert summary["quarantined"] == summary["warnings"] == 0
    assert summary["database"] == str(within.database)
    assert summary["dagster_home"] == str(within.home)
    assert summary["formula"] == "expected errors / (labels + expected missing)"
    models = dict(query(within.database, "select model, count(*) from predictions group by all"))
    assert summary["predictions"] == models
    assert set(models) == {"simulated-strong", "second"}  # FILE takes its stem, MODEL=FILE its name
    assert summary["simulated"] == ["simulated-strong"]
    counted = dict(query(within.database, "select error_type, count(*) from findings group by all"))
    assert summary["findings"] == {kind: counted.get(kind, 0) for kind in ERROR_TYPES}
    assert sum(summary["findings"].values()) > 0
    rates = query(
        within.database, "select error_type, rate from error_rates where category_id is null"
    )
    assert {kind: r["rate"] for kind, r in summary["rates"].items()} == dict(rates)
    assert summary["limits"]["any"] == {"warn": 1.0, "error": 1.0}
    expected = [w["expected_errors"] for w in summary["worst_categories"]]
    assert expected == sorted(expected, reverse=True)
    assert expected
    assert summary["seconds"]["publish"] > 0


def test_the_junit_summary_has_a_case_for_each_check(within: Audited, exceeded: Audited) -> None:
    for audited, failed in ((within, 0), (exceeded, 1)):
        suite = ElementTree.parse(audited.junit).getroot()
        checks = {(c["asset"], c["name"]): c for c in audited.summary["checks"]}
        assert int(suite.get("tests", "")) == len(checks) == len(suite)
        assert int(suite.get("failures", "")) == failed
        batch = audited.summary["batch"]
        for case in suite.iter("testcase"):
            asset = str(case.get("classname")).removeprefix(f"{batch}.")
            check = checks[asset, str(case.get("name"))]
            error = not check["passed"] and check["severity"] == "ERROR"
            assert (case.find("failure") is not None) == error, check


def test_a_check_that_is_an_error_is_exit_1_and_published(exceeded: Audited) -> None:
    assert exceeded.done.returncode == 1, exceeded.done.stderr
    assert exceeded.summary["exit_code"] == 1
    assert "ERROR label_error_rate: label errors of any type: " in exceeded.done.stdout
    assert "WARN missing_rate" in exceeded.done.stdout
    failed = [c["name"] for c in exceeded.summary["checks"] if not c["passed"]]
    assert sorted(failed) == ["label_error_rate", "missing_rate"]
    assert query(exceeded.database, "select batch from batches") == [
        ("batch",)
    ]  # the folder's name
    assert query(exceeded.database, "select count(*) from findings") > [(0,)]


def test_without_predictions_or_images_it_says_so_and_judges_nothing(unjudged: Audited) -> None:
    assert unjudged.done.returncode == 0, unjudged.done.stderr
    assert "second opinion: none" in unjudged.done.stdout
    assert "Image files: not checked (no --images)" in unjudged.done.stdout
    summary = unjudged.summary
    assert summary["images_checked"] is False
    assert summary["predictions"] == {}
    checks = {c["name"]: c for c in summary["checks"]}
    for name in NEED_PREDICTIONS:
        check = checks[name]
        assert (check["passed"], check["severity"], check["judged"]) == (False, "WARN", False), (
            check
        )
        assert f"WARN {name}: " in unjudged.done.stdout
    assert checks["duplicate_rate"]["judged"]
    for kind in ("missing", "wrong_class", "inaccurate", "spurious", "any"):
        assert summary["rates"][kind]["rate"] is None
    suite = ElementTree.parse(unjudged.junit).getroot()
    drift = {c["name"] for c in summary["checks"] if c["asset"] == "drift"}  # nothing came before
    not_judged = {c["name"] for c in summary["checks"] if not c["judged"]}
    assert not_judged == drift | set(NEED_PREDICTIONS)
    skipped = len(suite.findall("testcase/skipped"))
    assert int(suite.get("skipped", "")) == skipped == len(not_judged)


def test_image_files_are_not_looked_at_without_a_folder(within: Audited, unjudged: Audited) -> None:
    states = "select distinct file_state from images"
    assert query(within.database, states) == [("ok",)]
    assert query(unjudged.database, states) != [("ok",)]


# Wrong usage and input: exit code 2 and one line. Each case makes arguments from the demo's files and an empty folder.
Case = Callable[[Demo, Path], list[object]]


def _two_models_of_one_name(demo: Demo, folder: Path) -> list[object]:
    one, other = demo.predictions.values()
    return [
        "--annotations",
        demo.annotations,
        "--predictions",
        f"m={one}",
        "--predictions",
        f"m={other}",
    ]


def _root_below_a_file(demo: Demo, folder: Path) -> list[object]:
    (folder / "file").write_text("")
    return ["--annotations", demo.annotations, "--root", folder / "file" / "root"]


def _settings(text: str) -> Case:
    def case(demo: Demo, folder: Path) -> list[object]:
        (folder / "root").mkdir()
        (folder / "root" / "label_quality.toml").write_text(text)
        return ["--annotations", demo.annotations]

    return case


WRONG: dict[str, tuple[Case, str]] = {
    "no annotation file": (lambda d, f: ["--annotations", f / "no.json"], "annotation file .*no.json is not there"),
    "annotations are a folder": (lambda d, f: ["--annotations", d.images], "annotation file .* is a folder"),
    "no image folder": (
        lambda d, f: ["--annotations", d.annotations, "--images", f / "no"],
        "image folder .*/no is not there",
    ),
    "no results file": (
        lambda d, f: ["--annotations", d.annotations, "--predictions", f"m={f / 'no.json'}"],
        "results file of m .*no.json is not there",
    ),
    "two models of one name": (_two_models_of_one_name, "two results files are given for model m: "),
    "a batch name of no letters": (
        lambda d, f: ["--annotations", d.annotations, "--batch", "///"],
        "'///' holds no letter or digit",
    ),
    "an unknown setting": (_settings("limit = 3"), "label_quality.toml: .*unknown field `limit`"),
    "a limit above 1": (_settings("[limits]\nany = {warn = 2, error = 3}"), "0 <= warn <= error <= 1"),
    "settings that are no TOML": (_settings("limits = "), "label_quality.toml: Invalid value"),
    "a root that cannot be made": (_root_below_a_file, "file/root.*Not a directory"),
    "an option that is not there": (lambda d, f: ["--annotation", "x"], "No such option"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_exit_2_and_one_line(
    name: str, demo: Demo, home: Path, tmp_path: Path
) -> None:
    make, message = WRONG[name]
    args = make(demo, tmp_path)
    root = [] if "--root" in args else ["--root", tmp_path / "root"]
    line = mistake(command("audit", *args, *root, home=home, cwd=tmp_path))
    assert re.search(message, line), line
    assert not (tmp_path / "root" / "label_quality.duckdb").exists()


def test_a_file_that_cannot_be_parsed_is_exit_2_and_names_the_place(
    within: Audited, demo: Demo, home: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(within.root, root)
    broken = tmp_path / "broken.json"
    broken.write_bytes(demo.annotations.read_bytes()[:20_000])
    args = ["audit", "--annotations", broken, "--root", root]
    line = mistake(command(*args, "--json", tmp_path / "s.json", home=home, cwd=tmp_path))
    assert "batch broken could not be audited: broken.json, line 1, column 20001: " in line
    assert not (tmp_path / "s.json").exists()
    batches = query(root / "label_quality.duckdb", "select batch from batches")
    assert batches == [("Line_3_Marz",)]  # what was published before is as it was


def test_records_that_are_not_taken_are_counted(unjudged: Audited, demo: Demo) -> None:
    assert "Not taken: 2 records (table quarantine)" in unjudged.done.stdout
    assert "WARN quarantined_share: 2 of " in unjudged.done.stdout
    summary = unjudged.summary
    assert (summary["quarantined"], summary["labels"]) == (2, demo.labels - 2)
    reasons = query(unjudged.database, "select count(distinct reason) from quarantine")
    assert reasons == [(2,)]


@pytest.mark.slow
def test_real_labels_and_real_models(shared: Path, home: Path, tmp_path: Path) -> None:
    data = shared / "data" / "coco_val2017_subset"
    labels = json.loads((data / "instances.json").read_text("utf-8"))
    models = sorted((data / "predictions").glob("*.json"))
    args: list[object] = ["audit", "--annotations", data / "instances.json"]
    args += [
        "--images",
        data / "images",
        "--root",
        tmp_path / "root",
        "--json",
        tmp_path / "s.json",
    ]
    args += [part for file in models for part in ("--predictions", file)]
    done = command(*args, home=home, cwd=tmp_path)
    summary = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert done.returncode == summary["exit_code"] in (0, 1), done.stderr
    assert summary["batch"] == "coco_val2017_subset"
    assert (summary["images"], summary["images_checked"]) == (len(labels["images"]), True)
    assert summary["labels"] + summary["quarantined"] == len(labels["annotations"])
    results = {file.stem: json.loads(file.read_text("utf-8")) for file in models}
    assert summary["predictions"] == {model: len(rows) for model, rows in results.items()}
    assert summary["simulated"] == []
    assert all(summary["findings"][kind] > 0 for kind in ERROR_TYPES)
    assert all(0 < summary["rates"][kind]["rate"] < 0.5 for kind in ERROR_TYPES)
