"""How metrics are found: those of the package, those of plugins, and plugins that are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from label_quality import registry
from label_quality.registry import Metric
from label_quality.schema import TABLES

GIVEN: dict[str, Any] = {"name": "a", "kind": "image", "description": "A number", "sql": "1"}


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"name": "A b"}, "lower case"),
        ({"name": "image_id"}, "anyway"),
        ({"kind": "video"}, "one of image, annotation, prediction"),
        ({"bad": "left"}, "one of low, high, both, none"),
        ({"description": " "}, "description"),
        ({"needs": frozenset({"gpu"})}, "needs may hold"),
        ({"low": 2, "high": 1}, "in order"),
        ({"low": float("nan")}, "finite"),
        ({"scale": "log"}, "log scale"),
        ({"sql": None}, "exactly one"),
        ({"function": len}, "exactly one"),
        ({"sql": None, "function": len}, "needs pixels or masks"),
        ({"sql": None, "function": 3, "needs": frozenset({"pixels"})}, "is to be a function"),
        ({"sql": None, "function": len, "needs": frozenset({"masks"})}, "needs pixels"),
        ({"kind": "prediction", "sql": None, "function": len}, "given by sql"),
    ],
)
def test_what_is_no_metric_is_refused(change: dict[str, Any], mistake: str) -> None:
    Metric(**GIVEN)
    with pytest.raises(ValueError, match=mistake):
        Metric(**{**GIVEN, **change})


def test_every_metric_of_the_issue_is_there() -> None:
    assert registry.problems() == ()
    wanted = {
        "image": "width height area aspect_ratio brightness contrast sharpness red_share green_share blue_share "
        "object_count object_density uniqueness random",
        "annotation": "area area_relative aspect_ratio border_distance touches_border same_class_iou same_class_containment "
        "other_class_iou other_class_containment polygon_vertices compactness convexity polygon_parts mask_fill box_mask_iou "
        "brightness sharpness position_deviation shape_deviation random",
        "prediction": "confidence iou area_relative aspect_ratio border_distance random",
    }
    for kind, names in wanted.items():
        assert set(names.split()) <= set(registry.metrics(kind))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", registry.KINDS)
def test_a_table_has_a_column_for_each_metric(kind: registry.Kind) -> None:
    columns = {c.name: c for c in TABLES[f"{kind}_metrics"].columns}
    for name, metric in registry.metrics(kind).items():
        column = columns[name]
        assert (column.type, column.nullable, column.unit) == ("DOUBLE", True, metric.unit)
        assert column.description == metric.description
    assert set(columns) - set(registry.metrics(kind)) <= registry.TAKEN
    assert {m.control for m in registry.metrics(kind).values()} == {True, False}


# Plugins --------------------------------------------------------------------------------------------------------

GOOD = """
import numpy as np
from label_quality.registry import Metric

def redness(picture):
    return picture.rgb[..., 0].mean() / 255

def ends(outlines):
    return outlines.points * 10.0

def fails(picture, boxes):
    raise RuntimeError("no such crop")

PIXELS = frozenset({"pixels"})
METRICS = [
    Metric(name="redness", kind="image", description="Mean red", low=0, high=1, needs=PIXELS, function=redness),
    Metric(name="ends", kind="annotation", description="Ends | of it", needs=frozenset({"masks"}), function=ends),
    Metric(name="fails", kind="annotation", description="Fails", needs=PIXELS, function=fails),
    Metric(name="width", kind="annotation", description="Width of the box", unit="px", sql="width"),
    Metric(name="nonsense", kind="annotation", description="Not to be had", sql="no_such_column + 1"),
    Metric(name="endless", kind="annotation", description="Not finite", sql="1 / (x - x)"),
    Metric(name="sure", kind="prediction", description="Score squared", sql="score * score"),
]
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder that holds installed plugins: a good one, and some that are broken."""
    folder = tmp_path / "site"
    info = folder / "my_metrics-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "my_metrics.py").write_text(GOOD)
    (folder / "broken_metrics.py").write_text("import nowhere_to_be_found")
    (folder / "again_metrics.py").write_text(
        GOOD.replace("ends", "other_ends").replace('"width"', '"area"')
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-metrics\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[label_quality.metrics]\nmine = my_metrics\nwrong = broken_metrics\nz_again = again_metrics:METRICS\n"
        "nothing = json\nnumber = my_metrics:np\n"
    )
    return folder


def run(folder: Path, code: str, *arguments: str) -> Any:
    """What a fresh interpreter that sees the plugins prints as JSON."""
    path = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_plugin_is_found_and_broken_ones_are_named(plugin: Path) -> None:
    code = """
import json
import my_metrics  # before anything of the project
from label_quality import registry
from label_quality.schema import TABLES
from label_quality.schema.markdown import tables_markdown
from label_quality.metrics.markdown import metrics_markdown
from label_quality.definitions import defs
node = defs.get_repository_def().asset_graph.get(__import__("dagster").AssetKey("annotation_metrics"))
columns = [c.name for c in node.metadata["dagster/column_schema"].columns]
print(json.dumps([registry.problems(), list(TABLES["image_metrics"].column_names), columns, tables_markdown(), metrics_markdown()]))
"""
    problems, of_images, shown, tables, metrics = run(plugin, code)
    assert of_images[-1] == "redness"
    assert {"ends", "width"} <= set(shown)
    assert "| `ends` | DOUBLE |  | yes | Ends \\| of it |" in tables
    assert "| `ends` |" in metrics and "my_metrics" in metrics
    assert len(problems) == 4
    assert any("'wrong' of my-metrics" in p and "nowhere_to_be_found" in p for p in problems)
    assert any("'z_again'" in p and "'redness' of kind image already" in p for p in problems)
    assert sum("neither a metric nor a module" in p for p in problems) == 2


def test_a_plugin_is_computed_and_what_fails_is_said_and_null(plugin: Path, tmp_path: Path) -> None:
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from PIL import Image
from helpers.batch import database, rows
from label_quality.matching import build_overlaps, build_pairs
from label_quality.metrics.build import build_image_and_annotation_metrics, build_prediction_metrics
Image.new("RGB", (20, 10), (255, 0, 0)).save(Path(sys.argv[2]) / "1.png")
box = {"image_id": 1, "category_id": 1, "bbox": [2, 2, 6, 4]}
con = database([{"id": 1, "width": 20, "height": 10, "file_name": "1.png", "file_state": "ok"}],
               [{"id": 1, **box, "segmentation": [[2, 2, 8, 2, 8, 6, 2, 6]]}], {"m": [{**box, "score": 0.5}]})
for build, table in ((build_pairs, "annotation_pairs"), (build_overlaps, "prediction_overlaps")):
    build(con)
    con.execute(f"insert into {table} by name from new_{table}")
problems = build_image_and_annotation_metrics(con, Path(sys.argv[2])) + build_prediction_metrics(con)
names = "redness", "ends, width, fails, nonsense, endless, area, brightness", "sure, confidence"
found = [rows(con, f"select {n} from new_{k}_metrics")[0] for k, n in zip(("image", "annotation", "prediction"), names)]
print(json.dumps([problems, found]))
"""
    problems, (image, label, prediction) = run(
        plugin, code, str(Path(__file__).parents[1]), str(tmp_path)
    )
    assert image == {"redness": 1}
    assert prediction == {"sure": 0.25, "confidence": 0.5}
    nothing = {"fails": None, "nonsense": None, "endless": None}
    grey = pytest.approx(76 / 255)
    assert label == {"ends": 40, "width": 6, **nothing, "area": 24, "brightness": grey}
    assert [p.split(":")[0] for p in problems] == [
        "metric annotation.fails",
        "metric annotation.nonsense",
    ]
    assert "no such crop" in problems[0] and "no_such_column" in problems[1]
