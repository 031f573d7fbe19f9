"""Whatever a file holds: it is read and every record is accounted for, or one clear error names the place."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from coco_documents import documents, fuzz, read, read_results, small
from hypothesis import given
from hypothesis import strategies as st

from label_quality.coco import UnreadableFile, labels_fast, predictions_fast, tolerant

PLACE = re.compile(r"^file\.json, (line \d+, column \d+|byte \d+): [^\n]+$")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(labels_fast, "CHUNK_BYTES", 100)
    monkeypatch.setattr(predictions_fast, "CHUNK_BYTES", 100)
    monkeypatch.setattr(tolerant, "BATCH_SIZE", 3)


def read_or_refuse(content: bytes) -> Any:
    try:
        quick = read(content)
    except UnreadableFile as error:
        assert PLACE.match(str(error)), str(error)
        with pytest.raises(UnreadableFile):
            read(content, "tolerant")
        return None
    assert quick.same_tables(read(content, "tolerant"))
    return quick


@fuzz(150)
@given(st.binary(max_size=200))
def test_random_bytes(content):
    read_or_refuse(content)
    try:
        read_results(content, read(small()).labels)
    except UnreadableFile as error:
        assert PLACE.match(str(error)), str(error)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([1, 2, "1"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["images", "annotations", "categories", "id", "image_id", "category_id", "bbox", "segmentation", "size",
             "counts", "name", "file_name", "width", "height", "area", "iscrowd", "score", "predictions"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@fuzz(120)
@given(json_values, json_values, json_values, json_values)
def test_random_json(images, categories, annotations, anything):
    labels = read(small()).labels
    document = {"images": images, "categories": categories, "annotations": annotations}
    for content in (json.dumps(anything).encode(), json.dumps(document).encode()):
        read_or_refuse(content)
        try:
            read_results(content, labels)
        except UnreadableFile as error:
            assert PLACE.match(str(error)), str(error)


fragments = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"NaN", b"-Infinity", b"null", b"1e999", b"\xff", b"\x00", b"\n",
     b'"id"', b'"annotations"', b"},{", b"\\u", b"\\ud800", b"0", b"-", b"true", b"\xef\xbb\xbf", b'{"id":1},']
)  # fmt: skip


def mutated(data, content: bytes) -> bytes:
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        cut = data.draw(st.integers(0, 3))
        content = content[:at] + data.draw(fragments | st.binary(max_size=2)) + content[at + cut :]
    return content


@fuzz(150)
@given(documents(), st.data())
def test_a_document_with_bytes_changed(document, data):
    read_or_refuse(mutated(data, document.render()))


@fuzz(60)
@given(documents(), st.data())
def test_a_truncated_document_is_unreadable(document, data):
    content = document.render()
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    with pytest.raises(UnreadableFile, match=r"file\.json, line \d+, column \d+: |byte \d+: "):
        read(cut)


@st.composite
def result_files(draw):
    records = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "image_id": st.integers(1, 2),
                    "category_id": st.integers(1, 2),
                    "score": st.floats(0, 1),
                },
                optional={"segmentation": st.just([[1, 1, 9, 1, 9, 9]]), "note": st.just("},{")},
            ).map(lambda r: r | {"bbox": [1.5, 2, 3, 4]}),
            max_size=8,
        )
    )
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",\n", " : ")]))
    return json.dumps(records, separators=separators).encode()


@fuzz(150)
@given(result_files(), st.data())
def test_a_results_file_with_bytes_changed(content, data):
    labels = read(small()).labels
    if data.draw(st.booleans()):
        content = mutated(data, content)
    outcomes = []
    for reader in ("auto", "tolerant"):
        try:
            found, rows, masks = read_results(content, labels, reader)
            outcomes.append((found.quarantined.to_pylist(), rows.to_pylist(), masks.to_pylist()))
        except UnreadableFile as error:
            assert PLACE.match(str(error)), str(error)
            outcomes.append("unreadable")
    assert outcomes[0] == outcomes[1]
