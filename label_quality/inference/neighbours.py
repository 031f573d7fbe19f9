"""Which labels look alike to a model: an index over the features of their boxes, and whether neighbours are called the same.

agreement = share of the votes of the 10 nearest labels for the labelled category. A vote weighs exp(-distance / mean
distance of the ten), divided by the number of labels of its category (the label itself left out, 10 added): ten labels of a
rare category among a thousand others are no worse off for being few. Encord Active's "object annotation quality" is the
plain share, of CLIP features. The search is faiss's: exact up to 20,000 labels, a graph (HNSW) beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_quality.schema.rows import nan_as_null

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

NEIGHBOURS = 10
_EXACT = 20_000
_LINKS = 32  # of each node of the graph; recall 0.98 and more on features of 512 numbers
_SHRINK = 10.0  # labels added to each category, so that a vote of a category with two labels is not worth five hundred
_ROWS = 50_000  # labels whose votes are counted at once


@dataclass
class Index:
    """Vectors by cosine similarity, through faiss. Rows are numbered in the order that they came in."""

    vectors: NDArray[np.float32]  # (n, d), of length 1

    def __init__(self, features: NDArray[np.float32]) -> None:
        """`features` (n, d); a row of zeros is like nothing."""
        import faiss

        length = np.linalg.norm(features, axis=1, keepdims=True)
        self.vectors = np.divide(features, length, out=np.zeros_like(features), where=length > 0)
        count, size = features.shape
        self._index = (
            faiss.IndexFlatIP(size)
            if count <= _EXACT
            else faiss.IndexHNSWFlat(size, _LINKS, faiss.METRIC_INNER_PRODUCT)
        )
        if count:
            self._index.add(self.vectors)

    def nearest(
        self, rows: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The `count` rows most like each of `rows` (itself left out), nearest first, and their cosine similarities.

        Both (len(rows), count), count at most the number of other rows.
        """
        count = max(min(count, len(self.vectors) - 1), 0)
        similarity, found = self._index.search(self.vectors[rows], count + 1)
        # The row itself goes to the end, wherever among its equals it was found.
        order = np.argsort(found == rows[:, None], axis=1, kind="stable")[:, :count]
        return (
            np.take_along_axis(found, order, 1),
            np.take_along_axis(similarity, order, 1),
        )


def read_features(file: str, model: str | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Ids (n,) and features (n, d) of the labels in a file of ``label_features``, of `model` or of the first by name."""
    import pyarrow.parquet as pq

    names = sorted(set(pq.read_table(file, columns=["model"])["model"].to_pylist()))
    chosen = model or (names[0] if names else "")
    if chosen not in names:
        raise ValueError(
            f"no model {chosen} was asked about these labels; asked were: {', '.join(names) or 'none'}"
        )
    rows = pq.read_table(file, filters=[("model", "=", chosen)])
    return rows["annotation_id"].to_numpy(), _matrix(rows)


def build_neighbours(con: DuckDBPyConnection, batch: str) -> Iterator[pa.Table]:
    """The rows of ``label_neighbours``, model by model. `con` shows ``label_features`` and ``annotations``."""
    models = con.execute("select distinct model from label_features order by model").fetchall()
    for (model,) in models:
        rows = con.sql(
            """select f.annotation_id, a.image_id, a.category_id, f.features
               from label_features f join annotations a using (annotation_id) where f.model = ?
               order by f.annotation_id""",
            params=[model],
        ).to_arrow_table()
        yield _rows(batch, model, rows, _matrix(rows))


def _matrix(rows: pa.Table) -> NDArray[np.float32]:
    flat = rows["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(rows.num_rows, -1) if rows.num_rows else np.zeros((0, 1), np.float32)


def _rows(batch: str, model: str, rows: pa.Table, features: NDArray[np.float32]) -> pa.Table:
    index = Index(features)
    found, similarity = index.nearest(np.arange(len(features)), NEIGHBOURS)
    category = rows["category_id"].to_numpy()
    share, voted = agreement(category, found, similarity)
    place = project(index.vectors)
    ids = rows["annotation_id"].to_numpy()
    nearest = similarity[:, 0].astype(np.float64) if found.shape[1] else np.full(len(ids), np.nan)
    offsets = np.arange(len(ids) + 1) * found.shape[1]
    columns = {
        "batch": pa.repeat(batch, len(ids)),
        "model": pa.repeat(model, len(ids)),
        "annotation_id": ids,
        "image_id": rows["image_id"],
        "category_id": category,
        "neighbours": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), ids[found].ravel()),
        "similarity": nan_as_null(nearest),
        "agreement": nan_as_null(share),
        "voted_category_id": nan_as_null(voted, share),
        "map_x": place[:, 0],
        "map_y": place[:, 1],
    }
    return pa.table(columns)


def agreement(
    category: NDArray[np.int64], found: NDArray[np.int64], similarity: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Share of the votes for each row's own category, 0 to 1, and the category with most votes.

    `category` (n,), `found` (n, k) rows, `similarity` (n, k). NaN where there are no neighbours, or one category only.
    """
    _, code, size = np.unique(category, return_inverse=True, return_counts=True)
    share, voted = np.full(len(category), np.nan), category.copy()
    if len(size) < 2 or not found.shape[1]:
        return share, voted
    for start in range(0, len(category), _ROWS):
        some = slice(start, start + _ROWS)
        of, own = code[found[some]], code[some, None]
        distance = 1 - similarity[some].astype(np.float64)
        scale = np.maximum(distance.mean(1, keepdims=True), 1e-9)
        vote = np.exp(-distance / scale) / (size[of] - (of == own) + _SHRINK)
        share[some] = (vote * (of == own)).sum(1) / vote.sum(1)
        together = (vote[:, None, :] * (of[:, :, None] == of[:, None, :])).sum(2)
        best = together.argmax(1)[:, None]
        voted[some] = category[np.take_along_axis(found[some], best, 1)[:, 0]]
    return share, voted


def project(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """A map of vectors (n, d): their first two principal components, (n, 2). Its sign is fixed, so that it does not flip."""
    out = np.zeros((len(vectors), 2))
    if len(vectors) < 2:
        return out
    centred = vectors - vectors.mean(0)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    axes = axes[:, ::-1][:, :2]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    out[:, : axes.shape[1]] = centred @ axes
    return out
