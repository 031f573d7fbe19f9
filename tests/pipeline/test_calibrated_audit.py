"""Audits of enough labels to calibrate on: what the user ends with, what a second batch changes, and the self-test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pipeline_tools import NO_LIMITS, command, mistake, query

from label_quality.demo import Demo, make_demo


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo with enough labels."""
    return make_demo(tmp_path_factory.mktemp("large") / "batch", images=55)


@dataclass(frozen=True)
class Twice:
    """Two batches, audited one after the other, with the summary of each."""

    root: Path
    summaries: list[Any]
    outputs: list[str]
    versions: list[dict[str, str]]

    @property
    def database(self) -> Path:
        """What was published."""
        return self.root / "label_quality.duckdb"


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, large: Demo, home: Path) -> Twice:
    folder = tmp_path_factory.mktemp("twice")
    root = folder / "root"
    root.mkdir()
    (root / "label_quality.toml").write_text(NO_LIMITS)
    document = json.loads(large.annotations.read_text("utf-8"))
    kept = [a for k, a in enumerate(document["annotations"]) if k % 8]  # an eighth is missing
    document["annotations"] = kept
    worse = folder / "worse.json"
    worse.write_text(json.dumps(document), "utf-8")
    found = Twice(root, [], [], [])
    for name, labels in (("good", large.annotations), ("worse", worse)):
        file = folder / f"{name}.summary.json"
        done = command(
            *("audit", "--annotations", labels, "--batch", name, "--root", root, "--json", file),
            *(a for p in large.predictions.values() for a in ("--predictions", p)),
            home=home,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        found.summaries.append(json.loads(file.read_text("utf-8")))
        found.outputs.append(done.stdout)
        found.versions.append(
            dict(
                query(
                    found.database,
                    "select batch, any_value(calibration_version) from findings group by all",
                )
            )
        )
    return found


def test_one_audit_ends_with_calibrated_findings(twice: Twice) -> None:
    summary = twice.summaries[0]
    assert summary["calibration"].startswith("calibrated on planted errors until 50 verdicts exist")
    assert summary["calibration"] in " ".join(twice.outputs[0].split())
    assert "not calibrated" not in twice.outputs[0]
    assert summary["seconds"]["calibration"] > 0


def test_its_checks_are_of_the_calibrated_rates(twice: Twice) -> None:
    summary = twice.summaries[1]
    checks = {c["name"]: c["description"] for c in summary["checks"]}
    rate = summary["rates"]["missing"]["rate"]
    assert f": {rate:.1%} of the labels" in checks["missing_rate"]
    assert "not calibrated" not in checks["missing_rate"]
    assert "before this one" not in checks["error_rate_jump"]


def test_a_batch_that_changes_the_data_brings_all_batches_in_step(twice: Twice) -> None:
    first, second = twice.versions
    assert set(second) == {"good", "worse"}
    assert len(set(second.values())) == 1
    assert first["good"] != second["good"]
    ((version,),) = query(twice.database, "select distinct version from calibration")
    assert set(second.values()) == {version}


def test_rates_and_drift_follow(twice: Twice) -> None:
    sums = """select r.batch, r.expected_errors, f.p from error_rates r
              join (select batch, sum(p_error) as p from findings group by 1) f using (batch)
              where r.error_type = 'any' and r.category_id is null"""
    rows = query(twice.database, sums)
    assert len(rows) == 2
    for _, expected, p in rows:
        assert expected == pytest.approx(p)
    rates = dict(
        query(
            twice.database,
            "select batch, rate from error_rates where error_type = 'missing' and category_id is null",
        )
    )
    assert rates["worse"] > 2 * rates["good"]
    ((value, before),) = query(
        twice.database,
        "select value, before from drift where batch = 'worse' and measure = 'error_rate' and error_type = 'missing'",
    )
    assert (value, before) == (pytest.approx(rates["worse"]), pytest.approx(rates["good"]))


def test_tables_and_report_say_what_it_rests_on(twice: Twice, home: Path) -> None:
    assert query(twice.database, "select count(*) > 0 from expected_recall") == [(True,)]
    assert query(
        twice.database, "select min(default_cut) between 0.25 and 0.5 from calibration"
    ) == [(True,)]
    file = twice.root / "report.html"
    assert (
        command(
            "report", "--root", twice.root, "--output", file, home=home, cwd=twice.root
        ).returncode
        == 0
    )
    page = file.read_text("utf-8")
    assert "How far to trust p_error" in page
    assert "until 50 verdicts exist" in page


def test_what_was_left_behind_is_brought_in_step_by_the_next_refresh(
    twice: Twice, large: Demo, home: Path, tmp_path: Path
) -> None:
    """As after a refresh that was killed when it had kept its calibration and derived nothing."""
    root = tmp_path / "root"
    shutil.copytree(twice.root, root)
    latest = root / "calibrations" / "latest.json"
    version = json.loads(latest.read_text())["version"]
    other = next(p.stem for p in latest.parent.iterdir() if p.stem not in ("latest", version))
    kept = json.loads((latest.parent / f"{other}.json").read_text())
    kept["fitted_on"] = json.loads((latest.parent / f"{version}.json").read_text())["fitted_on"]
    (latest.parent / f"{other}.json").write_text(json.dumps(kept))
    latest.write_text(json.dumps({"version": other}))
    done = command(
        *("audit", "--annotations", large.annotations, "--batch", "small", "--root", root),
        home=home,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    database = root / "label_quality.duckdb"
    found = query(
        database, "select distinct calibration_version from findings where batch <> 'small'"
    )
    ((now,),) = query(database, "select distinct version from calibration")
    assert found == [(now,)]


def selftest(demo: Demo, home: Path, folder: Path, *more: object) -> Any:
    predictions = [a for p in demo.predictions.values() for a in ("--predictions", p)]
    return command(
        *("selftest", "--annotations", demo.annotations, *predictions, *more), home=home, cwd=folder
    )


def test_the_selftest_says_what_would_be_found(large: Demo, home: Path, tmp_path: Path) -> None:
    done = selftest(
        large, home, tmp_path, "--json", tmp_path / "out" / "self.json", "--root", tmp_path / "root"
    )
    assert done.returncode == 0, done.stderr
    assert "known errors were planted into" in done.stdout
    for words in (
        "missing",
        "wrong class",
        "inaccurate",
        "duplicate",
        "spurious",
        "Planted errors are not real ones",
    ):
        assert words in done.stdout
    told = json.loads((tmp_path / "out" / "self.json").read_text())
    recall = {(b["error_type"], b["budget"]): b["recall"] for b in told["recall"]}
    assert recall["duplicate", 0.2] > 0.5
    assert recall["missing", 0.01] <= recall["missing", 0.2]
    assert not (tmp_path / "root").exists()  # nothing is kept


def test_a_selftest_that_cannot_be_made_is_told_in_one_line(
    large: Demo, demo: Demo, home: Path, tmp_path: Path
) -> None:
    assert "too few" in mistake(selftest(demo, home, tmp_path))
    gone = command(
        *("selftest", "--annotations", tmp_path / "none.json", "--predictions", large.annotations),
        home=home,
        cwd=tmp_path,
    )
    assert "none.json is not a file" in mistake(gone)
    first = next(iter(large.predictions.values()))
    both = ["--annotations", large.annotations, "--predictions", first, "--predictions", first]
    assert "carry the model name" in mistake(command("selftest", *both, home=home, cwd=tmp_path))
    unreadable = ["--annotations", large.annotations, "--predictions", large.annotations]
    assert mistake(command("selftest", *unreadable, home=home, cwd=tmp_path))
