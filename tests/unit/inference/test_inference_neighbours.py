"""Neighbours by cosine similarity, and whether they are called the same: against the plain way and by hand."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from helpers.networks import needs_torch

from label_quality.inference import neighbours
from label_quality.inference.neighbours import Index, agreement, build_neighbours, project
from label_quality.schema import TABLES
from label_quality.store.conform import conform_arrow

RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(12, 32))
FEATURES = (CENTRES[RANDOM.integers(0, 12, 600)] + 0.5 * RANDOM.normal(size=(600, 32))).astype(
    np.float32
)


def brute(features: np.ndarray, count: int) -> np.ndarray:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :count]


@needs_torch
@pytest.mark.parametrize(("exact", "recall"), [(10_000, 1.0), (0, 0.97)])
def test_the_index_finds_the_nearest(
    exact: int, recall: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_EXACT", exact)
    found, similarity = Index(FEATURES).nearest(np.arange(600), 10)
    wanted = brute(FEATURES, 10)
    shared = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found, wanted, strict=True)])
    assert shared >= recall
    assert (found != np.arange(600)[:, None]).all()
    assert (np.diff(similarity, axis=1) <= 1e-6).all()
    assert similarity.max() <= 1 + 1e-5


@needs_torch
def test_equals_and_few_rows() -> None:
    """Of equal rows each is the other's neighbour and never its own; with few rows there are few neighbours."""
    features = np.repeat(FEATURES[:2], 3, axis=0)
    found, _ = Index(features).nearest(np.arange(6), 2)
    assert [set(row) for row in found.tolist()] == [{1, 2}, {0, 2}, {0, 1}, {4, 5}, {3, 5}, {3, 4}]
    assert Index(FEATURES[:3]).nearest(np.arange(3), 10)[0].shape == (3, 2)
    assert Index(FEATURES[:1]).nearest(np.arange(1), 10)[0].shape == (1, 0)
    Index(np.zeros((4, 8), np.float32)).nearest(np.arange(4), 2)  # rows of zeros are like nothing


def test_agreement_by_hand() -> None:
    # Row 0 is of category 5, its neighbours of 5 and 8 at distances 0.1 and 0.3; 5 has 3 labels, 8 has 1.
    category = np.array([5, 5, 8, 5])
    found = np.array([[1, 2], [0, 3], [0, 1], [1, 0]])
    similarity = np.array([[0.9, 0.7], [1, 1], [0.5, 0.5], [0.8, 0.2]], np.float32)
    share, voted = agreement(category, found, similarity)
    own, other = np.exp(-0.1 / 0.2) / (3 - 1 + 10), np.exp(-0.3 / 0.2) / (1 + 10)
    assert share[0] == pytest.approx(own / (own + other), abs=1e-5)
    assert share.tolist()[1:] == [1, 0, 1]
    assert voted.tolist() == [5, 5, 5, 5]


def test_a_rare_category_is_no_worse_off_for_being_rare() -> None:
    """Two of four neighbours agree; a hundred times more labels of the other category make their votes weigh less."""
    found, similarity = np.array([[1, 2, 3, 4]]), np.full((1, 4), 0.9, np.float32)
    even = np.r_[[1, 1, 1, 2, 2], np.full(10, 2), np.full(10, 1)]
    rare = np.r_[[1, 1, 1, 2, 2], np.full(1000, 2)]
    shares = []
    for category in (even, rare):
        padded = np.r_[found, np.zeros((len(category) - 1, 4), np.int64)]
        near = np.r_[similarity, np.zeros((len(category) - 1, 4), np.float32)]
        shares.append(agreement(category, padded, near)[0][0])
    assert shares[0] == pytest.approx(0.5, abs=0.03)
    assert shares[1] > 0.95


def test_one_category_agrees_with_nothing() -> None:
    share, _ = agreement(
        np.ones(3, np.int64), np.array([[1], [2], [0]]), np.ones((3, 1), np.float32)
    )
    assert np.isnan(share).all()


def test_the_map_keeps_groups_apart() -> None:
    group = RANDOM.integers(0, 2, 300)
    vectors = np.where(group[:, None] == 1, 1.0, -1.0) * CENTRES[0] + RANDOM.normal(size=(300, 32))
    place = project(vectors.astype(np.float32))
    assert place.shape == (300, 2)
    first = np.sign(place[:, 0]) == np.sign(place[np.flatnonzero(group)[0], 0])
    assert (first == (group == 1)).mean() > 0.99
    assert np.allclose(place, project(vectors.astype(np.float32)))
    assert project(FEATURES[:1]).tolist() == [[0, 0]]


@needs_torch
def test_the_table_takes_the_rows() -> None:
    ids = np.arange(1000, 1600)
    listed = pa.FixedSizeListArray.from_arrays(pa.array(FEATURES.ravel()), 32)
    category = np.where(np.arange(600) % 3 == 0, 4, 7)
    with duckdb.connect() as con:
        con.register(
            "label_features",
            pa.table({"model": ["m"] * 600, "annotation_id": ids, "features": listed}),
        )
        con.register(
            "annotations",
            pa.table({"annotation_id": ids, "image_id": ids // 10, "category_id": category}),
        )
        (rows,) = build_neighbours(con, "b")
    table = conform_arrow(rows, TABLES["label_neighbours"], "b")
    assert table["annotation_id"].to_pylist() == ids.tolist()
    near = [set(r) for r in table["neighbours"].to_pylist()]
    assert near == [set(r) for r in ids[brute(FEATURES, 10)].tolist()]
    assert table["agreement"].null_count == 0
