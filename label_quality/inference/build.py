"""Runs the configured models on one batch and writes what they say, streaming: predictions, their masks, probes, features.

Only this module knows both the models and the tables. Formulas are in ``probing`` and ``neighbours``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_quality.inference import loading
from label_quality.inference.chunks import Chunks, key_of
from label_quality.inference.errors import ModelAbsent
from label_quality.inference.mapping import UNMAPPED, CategoryMap, map_categories
from label_quality.inference.model_file import Model, find_model
from label_quality.inference.network import Network, choose_device, choose_precision
from label_quality.inference.pictures import Images, read_images
from label_quality.inference.probing import Labels, labels_key, masks_of, read_labels
from label_quality.inference.running import UNREADABLE, Chunk, Job, run
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.inference.loading import Weights
    from label_quality.settings import Settings

# What is lost at most when a run is killed; on a GPU enough to find images of one size for its batches.
_IMAGES_A_CHUNK = {"cpu": 16, "cuda": 1024}
Write = Callable[[pa.Table], None]


@dataclass
class Report:
    """What one model did: `note` says why it did not run, where it did not."""

    model: str
    note: str = ""
    weights: Weights | None = None
    predictions: int = 0
    probes: int = 0
    images: int = 0
    images_run: int = 0
    seconds: float = 0.0
    unmapped_predictions: int = 0
    mapped: CategoryMap | None = None
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass
class Place:
    """One batch: its name, where its images lie (None: it came without), where finished chunks are kept, whose results it has."""

    batch: str
    images: Path | None
    cache: Path
    imported: Collection[str] = ()


def build_inference(
    con: DuckDBPyConnection,
    place: Place,
    settings: Settings,
    write: dict[str, Write],
    say: Callable[[str], None],
) -> list[Report]:
    """Run every model of the settings on a batch.

    Args:
        con: shows ``images``, ``categories``, ``annotations`` and ``annotation_masks`` of the batch.
        place: the batch.
        settings: which models, and how.
        write: takes rows of ``inferred_predictions``, ``inferred_prediction_masks``, ``label_probes`` and ``label_features``.
        say: is told how far it is.

    Raises ModelError where a model file or weights are wrong. A model whose weights, or torch, are not here is reported.
    """
    batch = _Batch(con, place, settings, write, say)
    # Once each: a name that stands twice would give every prediction twice, with one id.
    reports = [batch.run(name) for name in dict.fromkeys(settings.inference.models)]
    batch.tidy()
    return reports


class _Batch:
    def __init__(
        self,
        con: DuckDBPyConnection,
        place: Place,
        settings: Settings,
        write: dict[str, Write],
        say: Callable[[str], None],
    ) -> None:
        self.con, self.place, self.settings, self.write, self.say = con, place, settings, write, say
        self.kept: dict[str, list[str]] = {"predictions": [], "probes": []}
        self.complete = True

    def tidy(self) -> None:
        """Remove finished chunks that nothing names any more, unless a model could not say which are its own."""
        for kind, keys in self.kept.items() if self.complete else ():
            Chunks(self.place.cache / kind).keep_only(keys)

    def run(self, name: str) -> Report:
        """Run one model, or say why not."""
        model = find_model(name, self.settings)
        try:
            loading.require_libraries()
            if self.place.images is None:
                raise ModelAbsent("the batch came without images")
            return self._run(model, read_images(self.con, self.place.images))
        except ModelAbsent as error:
            self.complete = False
            self.say(f"{name} was not run: {error}")
            return Report(name, str(error))

    def _run(self, model: Model, images: Images) -> Report:
        wanted = self.settings.inference
        weights = loading.weights_of(model)
        made_from = loading.fingerprint(model, weights, wanted.precision)
        names = dict(self.con.execute("select category_id, name from categories").fetchall())
        mapped = map_categories(loading.categories_of(model), model.file.rename, names)
        labels = read_labels(self.con, images, mapped) if wanted.probe else None
        detect = model.name not in self.place.imported
        predictions, probes = (Chunks(self.place.cache / kind) for kind in self.kept)
        device = choose_device(wanted.device)
        step = _IMAGES_A_CHUNK.get(device.partition(":")[0], _IMAGES_A_CHUNK["cpu"])
        groups = [np.arange(k, min(k + step, len(images))) for k in range(0, len(images), step)]
        planned = list(self._plan(made_from, groups, images, labels, mapped, detect))
        todo = [
            Chunk(
                c.rows,
                None if not c.detect or predictions.has(c.detect) else c.detect,
                None if not c.probe or probes.has(c.probe) else c.probe,
            )
            for c in planned
        ]
        report = Report(model.name, weights=weights, images=len(images), mapped=mapped)
        if not detect:
            report.note = (
                "its results were delivered: they stand, and it was asked about labels only"
            )
        report.images_run = sum(len(c.rows) for c in todo if c.detect or c.probe)
        if report.images_run:
            self.say(f"loading {model.name}")
            network = Network(
                loading.load(model), device, choose_precision(wanted.precision, device)
            )
            job = Job(
                *(model.name, network, images, predictions, probes, labels, mapped),
                *(self.con, self.say, wanted.batch_size, wanted.workers),
            )
            report.seconds = run(job, todo)
        self._write(report, planned, predictions, probes)
        self.kept["predictions"] += [c.detect for c in planned if c.detect]
        self.kept["probes"] += [c.probe for c in planned if c.probe]
        return report

    def _plan(
        self,
        made_from: str,
        groups: list[NDArray[np.int64]],
        images: Images,
        labels: Labels | None,
        mapped: CategoryMap,
        detect: bool,
    ) -> Iterator[Chunk]:
        """All chunks of the batch, with the names of what they make."""
        classes = mapped.category_id.tobytes()
        for rows in groups:
            stamps = [images.stamp(row) for row in rows.tolist()]
            seen = key_of(made_from, images.image_id[rows].tobytes(), stamps)
            probe = None
            if labels is not None:
                asked = labels_key(labels, masks_of(self.con, images, rows), rows)
                probe = key_of(seen, classes, asked)
            yield Chunk(rows, seen if detect else None, probe)

    def _write(
        self, report: Report, chunks: list[Chunk], predictions: Chunks, probes: Chunks
    ) -> None:
        for chunk in chunks:
            if chunk.detect:
                self._write_predictions(report, predictions.read(chunk.detect))
            if chunk.probe:
                self._write_probes(report, probes.read(chunk.probe))

    def _write_predictions(self, report: Report, rows: pa.Table) -> None:
        assert report.mapped is not None
        report.unreadable |= _unreadable(rows)
        category = report.mapped.category_id[rows["label"].to_numpy()]
        known = category != UNMAPPED
        report.unmapped_predictions += int((~known).sum())
        rows = rows.append_column("category_id", pa.array(category)).filter(pa.array(known))
        ids = np.arange(report.predictions, report.predictions + rows.num_rows)
        report.predictions += rows.num_rows
        rows = self._named(report, rows.append_column("prediction_id", pa.array(ids)))
        masked = pc.is_valid(rows["segmentation"])
        rows = rows.append_column("has_mask", masked)
        # A network gives a box with every mask: COCO takes the box's area.
        rows = rows.append_column("mask_area", pa.nulls(rows.num_rows, pa.float64()))
        self._put("inferred_predictions", rows)
        self._put("inferred_prediction_masks", rows.filter(masked))

    def _write_probes(self, report: Report, rows: pa.Table) -> None:
        report.unreadable |= _unreadable(rows)
        if not rows.num_rows:
            return
        report.probes += rows.num_rows
        rows = self._named(report, rows)
        self._put("label_probes", rows)
        self._put("label_features", rows)

    def _named(self, report: Report, rows: pa.Table) -> pa.Table:
        for name, value in (("batch", self.place.batch), ("model", report.model)):
            rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
        return rows

    def _put(self, table: str, rows: pa.Table) -> None:
        self.write[table](rows.select(list(TABLES[table].column_names)))


def _unreadable(rows: pa.Table) -> dict[str, str]:
    told = (rows.schema.metadata or {}).get(UNREADABLE, b"{}")
    return msgspec.json.decode(told, type=dict[str, str])
