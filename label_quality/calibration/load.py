"""Files as an audit would see them, without a store: labels and results read, matched and scored in one database in memory.

Only what planting and fitting ask for; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from label_quality.coco import read_labels, read_predictions
from label_quality.findings import build_finding_scores
from label_quality.matching import build_overlaps, build_pairs
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BUILT = (
    ("prediction_overlaps", build_overlaps),
    ("annotation_pairs", build_pairs),
    ("finding_scores", build_finding_scores),
)


def load_files(
    con: DuckDBPyConnection,
    annotations: Path,
    predictions: Sequence[tuple[str, Path]],
    say: Callable[[str], None] = lambda _: None,
    batch: str = "selftest",
) -> dict[str, tuple[int, int]]:
    """Read COCO files into tables of `con`, match and score them; raises `UnreadableFile`.

    Args:
        con: an empty database, which has the tables of one batch up to ``finding_scores`` afterwards.
        annotations: COCO annotation file.
        predictions: model and COCO results file of each.
        say: told how far it is.
        batch: what the batch is called in the tables.

    Returns:
        What ("labels", or a model) -> records kept, and not taken.
    """
    for schema in TABLES.values():
        con.execute(schema.ddl())
    say(f"reading {annotations.name}")
    labels = read_labels(annotations, batch, write_masks=_into(con, "annotation_masks"))
    for table in ("images", "categories", "annotations"):
        _into(con, table)(getattr(labels, table))
    taken = {"labels": _kept(labels.counts["annotations"])}
    for model, file in predictions:
        say(f"reading {file.name}")
        read = read_predictions(
            file,
            batch,
            model,
            images=labels.images,
            categories=labels.categories,
            write=_into(con, "predictions"),
            write_masks=_into(con, "prediction_masks"),
        )
        taken[model] = read.kept, read.quarantined_count
        _into(con, "models")(_model_row(batch, model, file, read.read, read.kept, read.reader))
    say("comparing labels with predictions")
    for name, build in _BUILT:
        build(con)
        con.execute(f"insert into {name} by name select * from new_{name}")
    return taken


def _kept(counts: tuple[int, int, int]) -> tuple[int, int]:
    return counts[1], counts[2]


def _into(con: DuckDBPyConnection, table: str) -> Callable[[pa.Table], None]:
    def insert(rows: pa.Table) -> None:
        con.register("_rows", rows)
        con.execute(f"insert into {table} by name select * from _rows")
        con.unregister("_rows")

    return insert


def _model_row(batch: str, model: str, file: Path, read: int, kept: int, reader: str) -> pa.Table:
    row: Mapping[str, object] = {
        "batch": batch,
        "model": model,
        "file": file.name,
        "sha256": "",
        "simulated": False,
        "saw_labels": False,
        "predictions_read": read,
        "predictions_kept": kept,
        "predictions_quarantined": read - kept,
        "reader": reader,
    }
    return pa.Table.from_pylist([row], schema=TABLES["models"].arrow_schema())
