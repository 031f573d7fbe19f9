"""What the Dagster UI shows beside the tables: right numbers, short enough to be drawn inline, nothing where there is nothing."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET

import pytest
from helpers import cocoeval
from performance_tools import boxes, matched

from label_quality.assets import performance as shown
from label_quality.assets.metadata import curves
from label_quality.performance import build_performance

FUNCTIONS = {
    "performance": shown.performance_metadata,
    "precision_recall": shown.precision_recall_metadata,
    "confusion": shown.confusion_metadata,
    "performance_gains": shown.performance_gains_metadata,
}


def metadata(document, results):
    con = matched(document, results, "a|model](x)")
    for table, sql in build_performance(con).items():
        con.execute(f"insert into {table} by name {sql}")
    return {table: dict(function(con, 0)) for table, function in FUNCTIONS.items()}


def test_numbers_tables_and_curves():
    document, results = cocoeval.scene(6)
    found = metadata(document, results)
    theirs = cocoeval.evaluated(document, results).stats
    numbers = [found["performance"][f"a|model](x) {name}"] for name in ("AP", "AP50", "AR")]
    assert numbers == pytest.approx([theirs[0], theirs[1], theirs[8]], abs=1e-4)
    for values in found.values():
        texts = [v.value for v in values.values() if hasattr(v, "value")]
        assert texts
        assert all(0 < len(text) < 1000 for text in texts)
    table = found["performance"]["worst categories"].value.splitlines()
    assert table[0] == "| model | category | AP |"
    assert len(table) == 2 + 3  # the fourth category has no labels
    assert "poor_location" in found["performance_gains"]["gains"].value


def test_four_curves_are_a_short_picture():
    text = curves(
        {"x" * 300: [1.0] * 101, "![](y)": [0.0] * 101, "b": [0.51] * 101, "c": [1.0, 0.0]}
    ).value
    assert len(text) < 1000
    picture = ET.fromstring(base64.b64decode(text.partition("base64,")[2].partition(")")[0]))
    lines = [path.attrib["d"] for path in picture][1:]
    assert len(lines) == 4
    assert lines[0].startswith("M0 0L10 0")
    assert lines[1].endswith("L100 60")
    assert "![](y)" not in text


def test_nothing_was_predicted():
    found = metadata(*boxes([(1, [0, 0, 9, 9])], []))
    assert found["precision_recall"] == {}
    assert set(found["performance"]) == {"worst categories"}
