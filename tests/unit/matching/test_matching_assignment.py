"""The assignment has the greatest total weight there is (SciPy's dense solver is the oracle), in any order of edges."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.batch import database, rows
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from label_quality.matching import assign

Edge = tuple[int, int, float]


def taken_of(edges: list[Edge]) -> set[Edge]:
    columns = [np.array([e[k] for e in edges]) for k in range(3)]
    taken = assign(
        columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.float64)
    )
    return {e for e, t in zip(edges, taken, strict=True) if t}


def best_total(edges: list[Edge]) -> float:
    """The weight of the best assignment; leaving a node out is worth 0, as an absent edge is."""
    size = 1 + max(max(e[0], e[1]) for e in edges)
    dense = np.zeros((size, size))
    for label, prediction, weight in edges:
        dense[label, prediction] = weight
    return float(dense[linear_sum_assignment(dense, maximize=True)].sum())


def check(edges: list[Edge]) -> set[Edge]:
    taken = taken_of(edges)
    assert len({e[0] for e in taken}) == len({e[1] for e in taken}) == len(taken)
    assert sum(e[2] for e in taken) == pytest.approx(best_total(edges), abs=1e-9)
    return taken


# Few different weights make ties; 12 nodes on either side make chains, cycles and stars.
_weights = st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(1e-6, 1.0)
graphs = st.dictionaries(
    st.tuples(st.integers(0, 11), st.integers(0, 11)), _weights, min_size=1, max_size=60
).map(lambda d: [(a, b, w) for (a, b), w in d.items()])


@settings(max_examples=150, deadline=None)
@given(edges=graphs, shuffle=st.randoms(use_true_random=False))
# Greedy takes .9 and ends with .9; the best is .8 + .8.
@example(edges=[(0, 0, 0.9), (0, 1, 0.8), (1, 0, 0.8)], shuffle=None)
# A chain, in which each edge is best for one of its ends only.
@example(edges=[(0, 0, 0.5), (1, 0, 0.6), (1, 1, 0.7), (2, 1, 0.8), (2, 2, 0.85)], shuffle=None)
# A cycle of ties.
@example(edges=[(a, b, 0.5) for a in range(4) for b in range(4)], shuffle=None)
# A star: everything wants one prediction.
@example(edges=[(a, 0, 0.5 + a / 100) for a in range(12)], shuffle=None)
def test_total_weight_is_the_greatest_and_the_order_of_edges_does_not_matter(
    edges, shuffle
) -> None:
    taken = check(edges)
    other_order = list(reversed(edges))
    if shuffle:
        shuffle.shuffle(other_order)
    assert taken_of(other_order) == taken


@pytest.mark.parametrize("seed", range(3))
def test_large_sparse_graphs_with_contested_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = {(int(a), int(b)) for a, b in rng.integers(0, 400, (3000, 2))}
    check(
        [
            (a, b, float(w))
            for (a, b), w in zip(sorted(keys), rng.random(len(keys)) + 1e-3, strict=True)
        ]
    )


def test_many_groups_at_once_are_each_solved_as_if_alone() -> None:
    """More edges than one call of the solver takes, in groups that no round of mutual best pairs settles."""
    group = [(0, 0, 0.9), (0, 1, 0.8), (1, 0, 0.8), (1, 2, 0.79), (2, 1, 0.79), (2, 2, 0.6)]
    alone = check(group)
    edges = [(a + 3 * k, b + 3 * k, w) for k in range(2000) for a, b, w in group]
    taken = taken_of(edges)
    assert taken == {(a + 3 * k, b + 3 * k, w) for k in range(2000) for a, b, w in alone}


def test_weights_that_differ_in_the_last_digits_are_told_apart() -> None:
    low, high = 0.5, float(np.nextafter(0.5, 1))
    assert taken_of([(0, 0, low), (1, 0, high)]) == {(1, 0, high)}


def test_ties_go_to_the_smaller_number() -> None:
    assert taken_of([(4, 7, 0.5), (2, 7, 0.5), (2, 5, 0.5), (4, 5, 0.5)]) == {
        (2, 5, 0.5),
        (4, 7, 0.5),
    }


def test_no_edges() -> None:
    empty = np.empty(0, np.int64)
    assert assign(empty, empty, np.empty(0)).tolist() == []


@pytest.mark.parametrize("weight", [0.0, -0.1, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="finite and above zero"):
        assign(np.array([0, 1]), np.array([0, 1]), np.array([0.5, weight]))


def assigned(
    annotations: list[dict], predictions: dict[str, list[dict]]
) -> set[tuple[str, int, int]]:
    from label_quality.matching import build_overlaps

    image = {"id": 1, "width": 200, "height": 200}
    con = database(
        [image],
        [{"image_id": 1, "category_id": 1, **a} for a in annotations],
        {m: [{"image_id": 1, "category_id": 1, **p} for p in ps] for m, ps in predictions.items()},
    )
    build_overlaps(con)
    found = rows(con, "select * from new_prediction_overlaps where assigned")
    return {(r["model"], r["annotation_id"], r["prediction_id"]) for r in found}


LEFT = {"id": 1, "bbox": (0, 0, 50, 100)}
RIGHT = {"id": 2, "bbox": (30, 0, 50, 100)}


def test_of_two_near_objects_each_gets_its_own_prediction() -> None:
    """The prediction of the left one overlaps both; taking the best pair first would leave the left without."""
    seen = [{"bbox": (22, 0, 50, 100), "score": 0.9}, {"bbox": (40, 0, 50, 100), "score": 0.9}]
    assert assigned([LEFT, RIGHT], {"m": seen}) == {("m", 1, 0), ("m", 2, 1)}


def test_each_model_has_an_assignment_of_its_own() -> None:
    seen = [{"bbox": LEFT["bbox"], "score": 0.9}]
    assert assigned([LEFT, RIGHT], {"a": seen, "b": seen}) == {("a", 1, 0), ("b", 1, 0)}


def test_the_category_does_not_decide() -> None:
    seen = [{"bbox": LEFT["bbox"], "score": 0.9, "category_id": 2}]
    assert assigned([LEFT], {"m": seen}) == {("m", 1, 0)}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_labels_on_one_place_the_one_of_the_predicted_category_gets_it(order) -> None:
    """Else the wrong one of two contradicting labels would look supported, by the order of the file."""
    own = [{"id": k, "bbox": (0, 0, 50, 50), "category_id": k} for k in order]
    seen = [{"bbox": (0, 0, 50, 50), "score": 0.9, "category_id": 2}]
    assert assigned(own, {"m": seen}) == {("m", 2, 0)}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_order_of_the_labels_does_not_decide(order) -> None:
    own = [{"id": k, "bbox": (0, 0, 50, 50)} for k in order]
    seen = [{"bbox": (0, 0, 50, 50), "score": 0.9}]
    assert assigned(own, {"m": seen}) == {("m", 1, 0)}


def test_of_two_predictions_on_one_place_the_surer_one_is_taken() -> None:
    seen = [{"bbox": LEFT["bbox"], "score": 0.3}, {"bbox": LEFT["bbox"], "score": 0.8}]
    assert assigned([LEFT], {"m": seen}) == {("m", 1, 1)}
