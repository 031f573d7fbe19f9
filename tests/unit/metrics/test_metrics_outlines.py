"""Geometry of outlines: properties, and agreement with Qhull and with what pycocotools draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, QhullError

from label_quality.coco.masks import areas, to_rles
from label_quality.metrics import hulls
from label_quality.metrics.annotation.polygon import compactness, convexity
from label_quality.metrics.outlines import Outlines

# Whole numbers: many points of one x, many on one line.
point = st.tuples(st.integers(0, 12), st.integers(0, 12))
polygon = st.lists(point, min_size=3, max_size=25)
label = st.lists(polygon, min_size=1, max_size=3)


def outlines(labels: list[list[list[tuple[float, float]]]]) -> Outlines:
    parts = [part for one in labels for part in one]
    sizes = np.array([len(part) for part in parts])
    xy = np.array([p for part in parts for p in part], dtype=np.float64)
    row = np.repeat(np.arange(len(labels)), [len(one) for one in labels])
    return Outlines(xy[:, 0].copy(), xy[:, 1].copy(), np.cumsum(sizes) - sizes, row)


def qhull(points: Any) -> float:
    try:
        return float(ConvexHull(np.array(points, dtype=np.float64)).volume)
    except QhullError:
        return 0.0


@given(st.lists(label, min_size=1, max_size=6))
def test_hulls_are_those_of_qhull(labels: list[list[list[tuple[int, int]]]]) -> None:
    found = outlines(labels).hull_area
    assert found == pytest.approx(
        [qhull([p for part in one for p in part]) for one in labels], abs=1e-9
    )


def test_a_hull_that_needs_many_rounds_is_left_to_qhull(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an arc one point sinks in each round when a high point stands near its end."""
    x = np.linspace(0, 10, 200)
    y = np.sqrt(x)
    y[-2:] = 30, 0
    asked = []
    monkeypatch.setattr(hulls, "_by_qhull", lambda *xy: asked.append(1) or qhull(np.stack(xy, 1)))
    found = hulls.hull_areas(np.tile(x, 2), np.r_[y, np.zeros(200)], np.array([0, 200]))
    assert asked == [1]
    assert found == pytest.approx([qhull(np.stack([x, y], 1)), 0])


def test_far_apart_coordinates_are_sorted_exactly() -> None:
    x = np.array([0.0, 1e-3, 2e-3, 1e9, 0.0, 1.0, 1.0])
    y = np.array([0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    found = hulls.hull_areas(x, y, np.array([0, 4]))
    assert found == pytest.approx([qhull(np.stack([x[:4], y[:4]], 1)), 0.5])


@given(label, st.floats(0.01, 100), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_shape_does_not_change_with_size_and_place(
    one: list[list[tuple[int, int]]], scale: float, dx: float, dy: float
) -> None:
    """Of outlines that do not cross themselves: what is drawn of the others depends on where the pixels lie."""
    moved = [[(x * scale + dx, y * scale + dy) for x, y in part] for part in one]
    before, after = outlines([one]), outlines([moved])
    if not before.turns_once[0]:
        return
    assert after.area[0] == pytest.approx(before.area[0] * scale**2, rel=1e-5, abs=1e-4)
    assert after.perimeter[0] == pytest.approx(before.perimeter[0] * scale, rel=1e-6)
    for value in (compactness, convexity):
        if before.hull_area[0] > 1:
            assert value(after)[0] == pytest.approx(value(before)[0], rel=1e-3, abs=1e-6)


@given(st.lists(label, min_size=1, max_size=5))
def test_shares_are_shares(labels: list[list[list[tuple[int, int]]]]) -> None:
    some = outlines(labels)
    for value in (compactness(some), convexity(some)):
        given_ = value[~np.isnan(value)]
        assert ((given_ >= 0) & (given_ <= 1)).all()


@given(st.lists(label, min_size=1, max_size=4))
def test_labels_do_not_mix(labels: list[list[list[tuple[int, int]]]]) -> None:
    together = outlines(labels)
    for place, one in enumerate(labels):
        alone = outlines([one])
        for name in ("points", "perimeter", "area", "hull_area", "turns_once"):
            assert getattr(together, name)[place] == pytest.approx(getattr(alone, name)[0])


@given(st.lists(st.floats(0.3, 1), min_size=8, max_size=60))
def test_a_star_turns_once_and_its_area_is_what_pycocotools_draws(radii: list[float]) -> None:
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    x, y = 200 + 150 * np.array(radii) * np.cos(angle), 200 + 150 * np.array(radii) * np.sin(angle)
    some = outlines([[list(zip(x, y, strict=True))]])
    assert some.turns_once.all()
    text = json.dumps([np.stack([x, y], 1).ravel().tolist()])
    drawn = areas(to_rles([text], [400], [400]))[0]
    assert abs(some.area[0] - drawn) <= some.perimeter[0]


def test_one_crossing_is_seen_and_drawn() -> None:
    eight = [(0, 0), (50, 50), (50, 0), (0, 50)]
    inside = [(0, 0), (60, 0), (60, 60), (20, 20), (20, 40), (60, 10), (0, 60)]
    some = outlines([[eight], [[(0, 0), (9, 0), (9, 9)]], [inside]])
    assert some.turns_once.tolist()[:2] == [False, True]
    text = json.dumps([[float(v) for p in eight for v in p]])
    assert some.area[0] == areas(to_rles([text], [51], [51]))[0]


def test_areas_of_real_labels_are_what_pycocotools_draws(shared: Path) -> None:
    file = json.loads((shared / "data/coco_val2017_subset/instances.json").read_text("utf-8"))
    size = {i["id"]: (i["height"], i["width"]) for i in file["images"]}
    chosen = [a for a in file["annotations"] if isinstance(a["segmentation"], list)]
    polygons = [
        [list(zip(p[0::2], p[1::2], strict=True)) for p in a["segmentation"]] for a in chosen
    ]
    some = outlines(polygons)
    heights, widths = zip(*(size[a["image_id"]] for a in chosen), strict=True)
    drawn = areas(to_rles([json.dumps(a["segmentation"]) for a in chosen], heights, widths))
    # Pixels along the outline fall to either side; parts that overlap count twice, and few do.
    off = np.abs(some.area - drawn) > some.perimeter / 2 + 2
    assert len(chosen) == 1672 and off.sum() <= 3
    simple = some.turns_once
    assert (some.area <= some.hull_area * (1 + 1e-9))[simple].mean() > 0.999
    assert simple.sum() >= 1665
