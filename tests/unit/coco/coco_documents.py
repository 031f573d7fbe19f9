"""COCO documents for tests: made by hand or by hypothesis, written out record by record so that each text is known."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from label_quality.coco import Labels, Predictions, read_labels, read_predictions
from label_quality.schema import TABLES

_FOLDER = tempfile.TemporaryDirectory()
LABEL_TABLES = ("images", "categories", "annotations", "ingest_warnings", "quarantined_labels")


def fuzz(examples: int) -> settings:
    """Settings of a property test: the same examples on every run.

    ``LABEL_QUALITY_FUZZ=20`` runs twenty times as many, and others each time.
    """
    factor = int(os.environ.get("LABEL_QUALITY_FUZZ", "1"))
    return settings(
        max_examples=examples * factor,
        derandomize=factor == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def write(content: bytes) -> Path:
    """A file with this content; the next one takes its place."""
    path = Path(_FOLDER.name) / "file.json"
    path.write_bytes(content)
    return path


@dataclass
class Read:
    """What came out of an annotation file."""

    labels: Labels
    masks: pa.Table

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of one of the tables."""
        return getattr(self.labels, table).to_pylist()

    def reasons(self) -> dict[tuple[str, str], str]:
        """Reason by record type and id of what was quarantined."""
        return {
            (r["record_type"], r["record_id"]): r["reason"] for r in self.rows("quarantined_labels")
        }

    def issues(self) -> list[tuple[str, int, str]]:
        """Record type, id and issue of each warning."""
        return [
            (r["record_type"], r["record_id"], r["issue"]) for r in self.rows("ingest_warnings")
        ]

    def same_tables(self, other: Read) -> bool:
        """Whether all tables are the same to the last bit."""
        pairs = [(getattr(self.labels, t), getattr(other.labels, t)) for t in LABEL_TABLES]
        pairs.append((self.masks, other.masks))
        return all(a.equals(b) for a, b in pairs) and self.labels.counts == other.labels.counts


def read(content: bytes | Document, reader: str = "auto", **options: Any) -> Read:
    """Reads an annotation file with this content, and checks what always has to hold."""
    path = write(content if isinstance(content, bytes) else content.render())
    chunks: list[pa.Table] = []
    labels = read_labels(path, "b", write_masks=chunks.append, reader=reader, **options)
    schema = TABLES["annotation_masks"].arrow_schema()
    masks = pa.concat_tables([schema.empty_table(), *chunks]).combine_chunks()
    found = Read(labels, masks)
    reconcile(found)
    return found


def reconcile(found: Read) -> None:
    """In = kept + quarantined, tables as in the schema, ids unique, a mask for each label that says so."""
    labels = found.labels
    kinds = {"images": "image", "categories": "category", "annotations": "annotation"}
    quarantined = labels.quarantined_labels["record_type"].to_pylist()
    for plural, kind in kinds.items():
        total, kept, out = labels.counts[plural]
        assert total == kept + out
        assert kept == getattr(labels, plural).num_rows
        assert out == quarantined.count(kind)
    for name in LABEL_TABLES:
        table = getattr(labels, name)
        assert table.schema.equals(TABLES[name].arrow_schema())
        table.validate(full=True)
        for column in TABLES[name].columns:
            assert column.nullable or table[column.name].null_count == 0, (name, column.name)
    for name, key in (
        ("images", "image_id"),
        ("categories", "category_id"),
        ("annotations", "annotation_id"),
    ):
        ids = getattr(labels, name)[key].to_pylist()
        assert len(set(ids)) == len(ids)
    masked = [
        a["annotation_id"] for a in found.rows("annotations") if a["segmentation_type"] != "none"
    ]
    assert found.masks["annotation_id"].to_pylist() == masked
    for name in ("x", "y", "width", "height", "area"):
        assert np.isfinite(labels.annotations[name].to_numpy()).all()


@dataclass
class Style:
    """How a document is written down."""

    separators: tuple[str, str] = (", ", ": ")
    between: str = ", "  # records
    ascii: bool = True
    bom: bool = False
    order: tuple[str, ...] = ("info", "images", "annotations", "categories")


@dataclass
class Document:
    """A COCO document; a record is a dict, or its text."""

    images: list[Any] = field(default_factory=list)
    categories: list[Any] = field(default_factory=list)
    annotations: list[Any] = field(default_factory=list)
    info: Any = field(default_factory=lambda: {"description": 'a "test", [of] {things}'})
    style: Style = field(default_factory=Style)

    def text_of(self, record: Any) -> str:
        """The text of a record in the document."""
        if isinstance(record, str):
            return record
        text = json.dumps(record, separators=self.style.separators, ensure_ascii=self.style.ascii)
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            return json.dumps(record, separators=self.style.separators)
        return text

    def render(self) -> bytes:
        """The file."""
        parts = []
        for key in self.style.order:
            value = getattr(self, key)
            if isinstance(value, list):
                text = "[" + self.style.between.join(self.text_of(r) for r in value) + "]"
            else:
                text = self.text_of(value)
            parts.append(f'"{key}"{self.style.separators[1]}{text}')
        text = "{" + self.style.separators[0].join(parts) + "}"
        return (b"\xef\xbb\xbf" if self.style.bom else b"") + text.encode("utf-8")


def small(**changes: Any) -> Document:
    """Two images of 100 × 80 pixels, two categories, two labels; `changes` go to the first label (None removes)."""
    first = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10.0, 10.0, 20.0, 20.0]} | changes
    first = {k: v for k, v in first.items() if v is not ...}
    return Document(
        images=[
            {"id": 1, "file_name": "a.png", "width": 100, "height": 80},
            {"id": 2, "file_name": "b.png", "width": 100, "height": 80},
        ],
        categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog", "supercategory": "animal"}],
        annotations=[
            first,
            {
                "id": 2,
                "image_id": 2,
                "category_id": 2,
                "bbox": [5.0, 5.0, 30.0, 30.0],
                "iscrowd": 0,
            },
        ],
    )


def read_results(
    content: bytes | list[Any], labels: Labels, reader: str = "auto"
) -> tuple[Predictions, pa.Table, pa.Table]:
    """Reads a results file: what was said about it, its predictions and its masks."""
    path = write(content if isinstance(content, bytes) else json.dumps(content).encode())
    rows: list[pa.Table] = []
    masks: list[pa.Table] = []
    found = read_predictions(
        path, "b", "m", images=labels.images, categories=labels.categories,
        write=rows.append, write_masks=masks.append, reader=reader,
    )  # fmt: skip
    tables = [
        pa.concat_tables([TABLES[name].arrow_schema().empty_table(), *chunks]).combine_chunks()
        for name, chunks in (("imported_predictions", rows), ("prediction_masks", masks))
    ]
    assert found.read == found.kept + found.quarantined_count
    assert (found.kept, found.quarantined_count) == (tables[0].num_rows, found.quarantined.num_rows)
    assert found.quarantined.schema.equals(TABLES["quarantined_predictions"].arrow_schema())
    return found, tables[0], tables[1]


# hypothesis strategies ------------------------------------------------------------------------------------------

_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_awkward = st.sampled_from(
    ["},{", '"},{"id":1', "], [", "\\", '"', "\u00e9\u4e2d\U0001f600", "id", "\\u0069d"]
)
_extra = st.dictionaries(
    st.sampled_from(["attributes", "score", "date", "licence", "note"]),
    st.one_of(
        st.integers(), _text, _awkward, st.none(), st.booleans(),
        st.lists(st.dictionaries(st.sampled_from(["id", "bbox", "a"]), st.integers(), max_size=2), max_size=3),
        st.lists(_awkward, max_size=2),
    ),
    max_size=2,
)  # fmt: skip
_ids = st.one_of(st.integers(0, 50), st.integers(-(2**63), 2**63 - 1))
_styles = st.builds(
    Style,
    separators=st.sampled_from([(", ", ": "), (",", ":"), (" ,\n ", "\t: ")]),
    between=st.sampled_from([",", ", ", ",\n  ", " ,"]),
    ascii=st.booleans(),
    bom=st.booleans(),
    order=st.permutations(["info", "images", "annotations", "categories"]).map(tuple),
)


def _shuffled(draw: Any, record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in draw(st.permutations(list(record)))}


@st.composite
def boxes(draw: Any, width: int, height: int) -> list[float]:
    """A box that lies at least partly in the image."""
    x = draw(st.floats(-width / 2, width - 0.5).map(lambda v: round(v, 2)))
    y = draw(st.floats(-height / 2, height - 0.5).map(lambda v: round(v, 2)))
    w, h = draw(st.floats(0.01, width)), draw(st.integers(1, 2 * height))
    return [x, y, max(0, -x) + w, max(0, -y) + h]


@st.composite
def segmentations(draw: Any, width: int, height: int) -> Any:
    """Polygons, compressed or uncompressed run lengths; the mask is never empty."""
    kind = draw(st.sampled_from(["polygon", "rle", "counts"]))
    if kind == "polygon":
        point = st.tuples(st.floats(0, width), st.floats(0, height) | st.integers(0, height))
        corners = [0, 0, width, 0, width / 3, height]
        part = st.lists(point, min_size=3, max_size=6).map(lambda ps: [v for p in ps for v in p])
        return [corners, *draw(st.lists(part, max_size=2))]
    mask = np.zeros((height, width), dtype=np.uint8, order="F")
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    mask[y : draw(st.integers(y + 1, height)), x : draw(st.integers(x + 1, width))] = 1
    mask[0, :: draw(st.integers(1, 5))] = 1
    if kind == "rle":
        found = coco_mask.encode(mask)
        return {"size": found["size"], "counts": found["counts"].decode()}
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=0))
    counts = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    return draw(
        st.sampled_from(
            [
                {"size": [height, width], "counts": counts},
                {"counts": counts, "size": [height, width]},
            ]
        )
    )


@st.composite
def documents(draw: Any, awkward: bool = True) -> Document:
    """A valid document; an `awkward` one has further keys that look like what the fast reader searches for."""
    extra = _extra if awkward else st.just({})
    sides = st.integers(1, 60)
    images = [
        _shuffled(
            draw,
            {"id": i, "width": draw(sides), "height": draw(sides), "file_name": draw(_text)}
            | draw(extra),
        )
        for i in draw(st.lists(_ids, min_size=1, max_size=4, unique=True))
    ]
    categories = [
        _shuffled(
            draw,
            {"id": i, "name": draw(_text)}
            | draw(st.sampled_from([{}, {"supercategory": "s"}]))
            | draw(extra),
        )
        for i in draw(st.lists(_ids, min_size=1, max_size=3, unique=True))
    ]
    annotations = []
    for i in draw(st.lists(_ids, max_size=8, unique=True)):
        image = draw(st.sampled_from(images))
        size = image["width"], image["height"]
        record = {
            "id": i,
            "image_id": image["id"],
            "category_id": draw(st.sampled_from(categories))["id"],
        }
        shape = draw(st.sampled_from(["box", "mask", "both", "null"]))
        if shape != "mask":
            record["bbox"] = draw(boxes(*size))
        if shape in ("mask", "both"):
            record["segmentation"] = draw(segmentations(*size))
        elif shape == "null":
            record["segmentation"] = draw(st.sampled_from([None, []]))
        record |= draw(
            st.sampled_from(
                [{}, {"iscrowd": 0}, {"iscrowd": 1}, {"iscrowd": False}, {"iscrowd": True}]
            )
        )
        record |= draw(st.sampled_from([{}, {"area": 12.5}, {"area": 7}]))
        annotations.append(_shuffled(draw, record | draw(extra)))
    return Document(images, categories, annotations, style=draw(_styles))
