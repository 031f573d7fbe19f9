"""A bar is judged on runs that worked, and never met by absence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import report
import speed

SCORING = {"prediction_overlaps": 0.5, "finding_scores": 0.3, "findings": 0.2, "ingest": 3.0}


def run(wall: float, peak: float = 1e9, *, worked: bool = True, **more: Any) -> dict[str, Any]:
    kept = {"worked": worked, "exit_code": 0 if worked else 2, "wall": wall, "cpu": wall}
    return kept | {"peak": peak, "seconds": {}, "errors": "it broke"} | more


def section(**rows: list[dict[str, Any]]) -> dict[str, Any]:
    named = {
        n.replace("_", "-").replace("-x10", " x10"): {"images": 5000, "runs": r}
        for n, r in rows.items()
    }
    machine = {"cpu": "a processor", "cores": 2, "memory_gb": 8, "system": "Linux"}
    told = {"repeats": 1, "load": [0.0, 0.5], "date": "today", "command": "speed.py"}
    return told | {"rows": named, "files": ["val"], "machine": machine, "versions": {"duckdb": "2"}}


def sections(audit: float = 5.0, peak: float = 2e9, ten: float = 50.0) -> report.Sections:
    lab = run(30.0, seconds_per_image=0.03)
    own = run(audit, peak, seconds=SCORING)
    return {
        "val": section(audit=[own], faster_coco_eval=[run(6.0)], objectlab=[lab]),
        "train": section(audit=[own], hotcoco=[run(2.0)]),
        "scaling": section(audit=[own], audit_x10=[run(ten)]),
    }


@pytest.mark.parametrize(
    ("figures", "verdicts"),
    [
        ({}, ["met", "met", "met", "met", "met"]),
        ({"audit": 7.0}, ["met", "met", "NOT met", "met", "met"]),
        ({"audit": 8.1}, ["NOT met", "met", "NOT met", "met", "met"]),
        ({"peak": 3.01e9}, ["met", "NOT met", "met", "met", "met"]),
        ({"ten": 55.1}, ["met", "met", "met", "met", "NOT met"]),
    ],
)
def test_bars(figures: dict[str, float], verdicts: list[str]) -> None:
    assert [b.verdict for b in report.bars(sections(**figures))] == verdicts


def test_bars_are_judged_without_what_was_added_later() -> None:
    more = {"outliers": 2.0, "write outliers": 0.5, "write findings": 3.0}
    with_more = sections()
    for key in ("val", "train"):
        with_more[key]["rows"]["audit"]["runs"] = [run(8.5, seconds=SCORING | more)]
    train, _, val = report.bars(with_more)[:3]
    assert (train.value, val.value) == (pytest.approx(6.0 / 2.0), pytest.approx(6.0 / 6.0))
    assert (
        "6.00 s over 2.00 s; with metrics, outliers, performance and calibration 8.50 s"
        in train.detail
    )
    assert f"| {report.ADDED} | 2.50 s |" in report.page(with_more)


def test_scoring_against_objectlab() -> None:
    bar = report.bars(sections())[3]
    assert bar.value == pytest.approx((1.0 / 5000) / 0.03)
    slow = sections()
    slow["val"]["rows"]["audit"]["runs"] = [run(5.0, seconds=SCORING | {"findings": 10.0})]
    assert report.bars(slow)[3].verdict == "NOT met"
    untold = sections()
    untold["val"]["rows"]["audit"]["runs"] = [run(5.0, seconds={"prediction_overlaps": 0.1})]
    assert report.bars(untold)[3].verdict == "not judged"


def test_absent_and_failed_runs_are_not_judged() -> None:
    assert {b.verdict for b in report.bars({})} == {"not judged"}
    broken = sections()
    broken["train"]["rows"]["audit"]["runs"].append(run(0.1, worked=False))
    assert [b.verdict for b in report.bars(broken)[:2]] == ["not judged", "not judged"]
    text = report.page(broken)
    assert "1 of 2" in text
    assert "it broke" in text


def test_medians() -> None:
    row = {"images": 1, "runs": [run(w) for w in (9.0, 1.0, 2.0)]}
    assert report.middle(row, "wall") == 2.0


def test_page_tells_losses_and_conditions() -> None:
    text = report.page(sections(audit=7.0))
    for said in ("**NOT met**", "a processor", "today", "2 cores", "Load average", "duckdb 2"):
        assert said in text
    assert "audit takes 3.50 times as long as hotcoco" in text


def test_mask_cost() -> None:
    masks = section(audit=[run(5.0, seconds={"prediction_overlaps": 0.5})])
    masks["rows"]["audit with masks"] = {
        "images": 5000,
        "runs": [run(9.0, seconds={"prediction_overlaps": 3.0})],
    }
    assert "cost of mask overlaps: 2.50 s" in report.mask_lines({"masks": masks})[0]
    assert "not measured" in report.mask_lines({"masks": section(audit=[run(5.0)])})[0]


def test_audit_that_prints_no_summary_has_not_worked(tmp_path: Path) -> None:
    # `false` exits with 1, which an audit with a failed check also does: the summary decides.
    setting = speed.Setting("false", sys.executable, tmp_path, 10, 30.0)
    done = speed.audit(setting, tmp_path / "a.json", tmp_path / "p.json")
    assert not done["worked"]
    assert done["exit_code"] == 1
    # What is left is the history that all runs share.
    assert [left.name for left in tmp_path.iterdir()] == ["dagster_home"]


def test_audit_reads_the_summary(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text(
        '#!/bin/sh\nwhile [ $# -gt 1 ]; do [ "$1" = --json ] && file=$2; shift; done\n'
        'echo \'{"seconds": {"prediction_overlaps": 1.5}}\' > "$file"\nexit 1\n'
    )
    program.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    setting = speed.Setting(str(program), sys.executable, work, 10, 30.0)
    done = speed.audit(setting, tmp_path / "a.json", tmp_path / "p.json")
    assert done["worked"]
    assert done["seconds"] == {"prediction_overlaps": 1.5}


def test_what_was_added_is_named_as_the_audit_names_it() -> None:
    from label_quality.schema import TABLES

    assert set(report.ADDED_TABLES) <= set(TABLES)
