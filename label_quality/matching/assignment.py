"""One-to-one assignment of predictions to labels with the greatest total weight, exactly, in array code.

An edge whose weight is at least the best other edge of its label plus the best other edge of its prediction belongs
to some assignment of greatest weight: taking it costs at most those two. Rounds of that rule settle nearly all edges;
what they leave (contested groups) goes to SciPy's sparse solver in one call. Nothing here knows what a label is.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 20
_EDGES_A_CALL = 2000
_SPREAD = 32  # numbers per edge up to which counting them is quicker than sorting them


def assign(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Mark the edges of a matching with the greatest total weight.

    Args:
        labels: (E,) label of each edge, any integers.
        predictions: (E,) prediction of each edge, likewise.
        weights: (E,) weight of each edge, > 0.

    Returns:
        (E,) True where the edge is taken; each label and each prediction is taken at most once. Equal weights are
        settled by the smaller number, so that the result does not depend on the order of the edges.

    Raises:
        ValueError: a weight that is not a finite number above zero.
    """
    taken = np.zeros(len(weights), bool)
    if not len(weights):
        return taken
    if not (np.isfinite(weights).all() and weights.min() > 0):
        raise ValueError("assignment weights must be finite and above zero")
    alive = np.arange(len(weights))
    for _ in range(_ROUNDS):
        labels, predictions = _renumbered(labels), _renumbered(predictions)
        sure = _dominant(labels, predictions, weights)
        if not sure.any():
            break
        taken[alive[sure]] = True
        rest = np.flatnonzero(_untouched(labels, sure) & _untouched(predictions, sure))
        if not len(rest):
            return taken
        alive, weights = alive[rest], weights[rest]
        labels, predictions = labels[rest], predictions[rest]
    taken[alive[_solve(labels, predictions, weights)]] = True
    return taken


def _renumbered(nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nodes numbered without gaps, in the same order, so that what is kept per node shrinks with each round."""
    low = int(nodes.min())
    span = int(nodes.max()) - low + 1
    if span > _SPREAD * len(nodes):
        return np.unique(nodes, return_inverse=True)[1]
    present = np.zeros(span, bool)
    present[nodes - low] = True
    return (np.cumsum(present) - 1)[nodes - low]


def _dominant(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Edges that are best on both sides and outweigh the two edges they displace; at most one per node."""
    best_of_label, second_l = _best_two(labels, predictions, weights)
    best_of_prediction, second_p = _best_two(predictions, labels, weights)
    return np.asarray(
        best_of_label & best_of_prediction & (weights >= second_l[labels] + second_p[predictions])
    )


def _best_two(
    nodes: NDArray[np.int64], others: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which edges are the best of their node (one each), and per node the weight of its second best (0: none)."""
    size = int(nodes.max()) + 1
    top = np.zeros(size)
    np.maximum.at(top, nodes, weights)
    is_best = weights == top[nodes]
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first, nodes[is_best], others[is_best])
    is_best &= first[nodes] == others
    second = np.zeros(size)
    np.maximum.at(second, nodes[~is_best], weights[~is_best])
    return is_best, second


def _untouched(nodes: NDArray[np.int64], sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    used = np.zeros(int(nodes.max()) + 1, bool)
    used[nodes[sure]] = True
    return ~used[nodes]


def _solve(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """The contested rest: whole connected groups, some hundred labels a call (the solver is quadratic in a call)."""
    # 0.3 s to import, and uncontested batches never come here.
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    names, rows = np.unique(labels, return_inverse=True)
    columns = np.unique(predictions, return_inverse=True)[1] + len(names)
    size = int(columns.max()) + 1
    links = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(size, size))
    group = connected_components(links, directed=False)[1][rows]
    order = np.lexsort((columns, rows, group))
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) != 0])
    chunk_of_group = starts // _EDGES_A_CALL
    cuts = np.r_[starts[np.flatnonzero(np.r_[True, np.diff(chunk_of_group) != 0])], len(order)]
    taken = np.zeros(len(weights), bool)
    for start, end in pairwise(cuts):
        part = order[start:end]
        taken[part] = _solve_chunk(rows[part], columns[part], weights[part])
    return taken


def _solve_chunk(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """One sparse problem: a column of its own lets each label stay unassigned."""
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching  # noqa: PLC0415

    rows = np.unique(labels, return_inverse=True)[1]
    names, columns = np.unique(predictions, return_inverse=True)
    count = int(rows.max()) + 1
    # One is added to every weight, so that an absent edge (0 in a sparse matrix) differs from "unassigned" (1).
    # Each row is matched exactly once, so the sum shifts by a constant and the optimum stays.
    graph = coo_array(
        (
            np.concatenate([weights + 1.0, np.ones(count)]),
            (
                np.concatenate([rows, np.arange(count)]),
                np.concatenate([columns, len(names) + np.arange(count)]),
            ),
        ),
        shape=(count, len(names) + count),
    ).tocsr()
    row_index, column_index = min_weight_full_bipartite_matching(graph, maximize=True)
    chosen = np.full(count, -1, np.int64)
    chosen[row_index] = column_index
    # Two edges between the same nodes cannot occur: a prediction overlaps a label once.
    return np.asarray(chosen[rows] == columns)
