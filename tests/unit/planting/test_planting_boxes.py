"""The closed forms of wrong boxes, with pycocotools' IoU as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from label_quality.planting import boxes

sides = st.floats(2, 500)
corners = st.floats(-200, 200)
shares = st.floats(0, 1)


def oracle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of each two boxes."""
    return np.array(
        [mask_api.iou([x], [y], [0])[0, 0] for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    )


@given(corners, corners, sides, sides, st.floats(0.05, 0.99), shares, shares)
def test_closed_forms_have_the_iou_that_was_asked_for(
    x: float, y: float, width: float, height: float, iou: float, share: float, anchor: float
) -> None:
    box, target = np.array([[x, y, width, height]]), np.array([iou])
    split, both = np.array([share]), np.array([[anchor, 1 - anchor]])
    made = {
        "shift": boxes.shifted(box, target, split, np.array([[-1.0, 1.0]])),
        "tight": boxes.scaled(box, target, split, both),
        "loose": boxes.scaled(box, 1 / target, split, both),
        "edge": boxes.with_one_edge(box, target, np.array([1.0]), np.array([1.0])),
        "longer edge": boxes.with_one_edge(box, 1 / target, np.array([0.0]), np.array([0.0])),
    }
    for kind, changed in made.items():
        assert oracle(box, changed) == pytest.approx(target, rel=1e-6), kind


@pytest.mark.parametrize("kind", boxes.KINDS)
def test_distorted_boxes_lie_in_the_band_and_in_the_image(kind: str) -> None:
    rng = np.random.default_rng(3)
    size = np.tile([640.0, 480.0], (300, 1))
    corner = rng.random((300, 2)) * (size - 40)
    box = np.concatenate([corner, np.minimum(rng.uniform(4, 300, (300, 2)), size - corner)], 1)
    out, iou, good = boxes.distorted(kind, box, (0.4, 0.7), size, rng)
    assert good.mean() > 0.8
    assert iou[good] == pytest.approx(oracle(box[good], out[good]), abs=1e-9)
    assert ((iou[good] >= 0.4) & (iou[good] <= 0.7)).all()
    assert (out[good, :2] >= 0).all()
    assert (out[good, :2] + out[good, 2:] <= size[good] + 1e-9).all()


def test_each_kind_is_what_its_name_says() -> None:
    rng = np.random.default_rng(0)
    box = np.tile([200.0, 150.0, 80.0, 60.0], (50, 1))
    size = np.tile([640.0, 480.0], (50, 1))

    def outward(kind: str) -> np.ndarray:
        """How far each edge moved outwards."""
        changed = boxes.distorted(kind, box, (0.5, 0.7), size, rng)[0]
        low = box[:, :2] - changed[:, :2]
        high = (changed - box)[:, :2] + (changed - box)[:, 2:]
        return np.round(np.concatenate([low, high], 1), 9)

    assert (outward("loose") > 0).all()
    assert (outward("tight") < 0).all()
    assert ((outward("edge") != 0).sum(1) == 1).all()
    shifted = outward("shift")
    assert (shifted[:, :2] == -shifted[:, 2:]).all()
    assert (shifted != 0).any(1).all()


def test_a_place_that_allows_none_is_said() -> None:
    whole = np.array([[0.0, 0.0, 100.0, 100.0]])
    good = boxes.distorted("loose", whole, (0.4, 0.7), whole[:, 2:], np.random.default_rng(0))[2]
    assert not good.any()


@given(st.lists(st.tuples(corners, corners, sides, sides), min_size=2, max_size=6))
def test_ious_and_covers_are_those_of_pycocotools(made: list[tuple[float, ...]]) -> None:
    a, b = np.array(made[1:]), np.array(made[:-1])
    assert boxes.ious(a, b) == pytest.approx(oracle(a, b), abs=1e-9)
    crowd = [mask_api.iou([x], [y], [1])[0, 0] for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert boxes.covers(a, b) == pytest.approx(crowd, abs=1e-9)
