"""Clusters of predictions on one object are those of greedy non-maximum suppression."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from label_quality.findings.missing import cluster


def greedy(rank: list[int], edges: set[tuple[int, int]]) -> list[int]:
    """Non-maximum suppression as it is written everywhere: take the best, drop its neighbours, go on."""
    leader = [-1] * len(rank)
    for node in sorted(range(len(rank)), key=lambda n: rank[n]):
        if leader[node] < 0:
            leader[node] = node
            for a, b in edges:
                other = b if a == node else a if b == node else node
                if leader[other] < 0:
                    leader[other] = node
    return leader


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], set[tuple[int, int]]]:
    count = draw(st.integers(1, 25))
    rank = draw(st.permutations(range(count)))
    node = st.integers(0, count - 1)
    pairs = draw(st.sets(st.tuples(node, node).filter(lambda e: e[0] < e[1]), max_size=60))
    return list(rank), pairs


@settings(max_examples=300, deadline=None)
@given(graph=graphs())
@example(graph=([0], set()))
# A chain in falling order: 0 takes 1, which frees 2, which takes 3.
@example(graph=(list(range(30)), {(k, k + 1) for k in range(29)}))
# Everything is on everything.
@example(graph=([2, 0, 1], {(0, 1), (0, 2), (1, 2)}))
def test_same_leaders_as_greedy_suppression(graph: tuple[list[int], set[tuple[int, int]]]) -> None:
    rank, edges = graph
    ends = np.array(sorted(edges), np.int64).reshape(-1, 2)
    flip = np.arange(len(ends)) % 2 == 0  # an edge may be given from either end
    a, b = np.where(flip, ends[:, 0], ends[:, 1]), np.where(flip, ends[:, 1], ends[:, 0])
    assert cluster(np.array(rank), a, b).tolist() == greedy(rank, edges)


def test_nothing_to_cluster() -> None:
    empty = np.empty(0, np.int64)
    assert cluster(empty, empty, empty).tolist() == []
