from __future__ import annotations

import json

import numpy as np
import pytest
from coco_documents import Document, documents, fuzz, read, small
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from label_quality.coco import Refused, labels_fast, tolerant


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    # Chunks of a few records, so that cuts, prefixes and the hand-over between the readers are exercised.
    monkeypatch.setattr(labels_fast, "CHUNK_BYTES", 150)
    monkeypatch.setattr(tolerant, "BATCH_SIZE", 3)


@fuzz(90)
@given(documents(awkward=False))
def test_both_readers_make_the_same_tables_of_a_valid_document(document: Document):
    fast, slow = read(document, "fast"), read(document, "tolerant")
    assert (fast.labels.reader, slow.labels.reader) == ("fast", "tolerant")
    assert fast.same_tables(slow)
    assert fast.labels.quarantined_labels.num_rows == 0


@fuzz(120)
@given(documents())
def test_keys_that_look_like_records_cannot_make_the_readers_differ(document: Document):
    quick, slow = read(document), read(document, "tolerant")
    assert quick.same_tables(slow)
    assert slow.labels.quarantined_labels.num_rows == 0


@fuzz(40)
@given(documents())
def test_the_tables_hold_what_the_document_says(document: Document):
    found = read(document)
    assert [r["image_id"] for r in found.rows("images")] == [r["id"] for r in document.images]
    assert [r["name"] for r in found.rows("categories")] == [r["name"] for r in document.categories]
    masks = {r["annotation_id"]: r["segmentation"] for r in found.masks.to_pylist()}
    sizes = {r["id"]: (r["height"], r["width"]) for r in document.images}
    for record, row in zip(document.annotations, found.rows("annotations"), strict=True):
        assert (row["annotation_id"], row["image_id"]) == (record["id"], record["image_id"])
        assert row["iscrowd"] == bool(record.get("iscrowd", 0))
        if "bbox" in record:
            assert [row[k] for k in ("x", "y", "width", "height")] == record["bbox"]
        segmentation = record.get("segmentation") or None
        assert (record["id"] in masks) == (segmentation is not None)
        if segmentation is None:
            assert (row["segmentation_type"], row["mask_area"], row["parts"]) == (
                "none",
                None,
                None,
            )
        elif isinstance(segmentation, list):
            assert json.loads(masks[record["id"]]) == segmentation
            assert (row["segmentation_type"], row["parts"]) == ("polygon", len(segmentation))
        else:
            assert masks[record["id"]] == document.text_of(segmentation)
            rle = segmentation
            if isinstance(rle["counts"], list):
                rle = coco_mask.frPyObjects(rle, *sizes[record["image_id"]])
            assert row["mask_area"] == coco_mask.area(rle)
            assert "bbox" in record or np.allclose(
                [row[k] for k in ("x", "y", "width", "height")], coco_mask.toBbox(rle)
            )


_damage = st.sampled_from(
    [
        {"bbox": [1.0, 1.0, 0.0, 5.0]}, {"image_id": "nowhere"}, {"category_id": 10**30}, {"area": float("nan")},
        {"iscrowd": 2}, {"segmentation": [[1, 2]]}, {"segmentation": "x"}, {"id": None}, {"id": "text"},
    ]
)  # fmt: skip


@fuzz(90)
@given(documents(), st.data())
def test_a_bad_record_late_in_the_file_leaves_nothing_twice_and_nothing_out(
    document: Document, data
):
    for record in document.annotations:
        if data.draw(st.integers(0, 4)) == 0:
            record.update(data.draw(_damage))
    assert read(document).same_tables(read(document, "tolerant"))


@pytest.mark.parametrize(
    "text",
    [
        '{"id": 1, "id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}',
        '{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "bbox": [2, 2, 5, 5]}',
        '{"id": 1, "i\\u0064": 3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}',
        '{"id" : 1, "id" :3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "note": "a:b"}',
        '{"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [80, 100], "size": [80, 100], "counts": [0, 8000]}}',
    ],
)
def test_a_key_that_stands_twice_is_never_settled_silently(text):
    document = small()
    document.annotations[0] = text
    with pytest.raises(Refused):
        read(document, "fast")
    row = read(document).rows("quarantined_labels")[0]
    assert "stands twice" in row["reason"]
    assert row["original"] == text


@pytest.mark.parametrize("kind", ["images", "categories"])
def test_a_key_that_stands_twice_in_an_image_or_a_category(kind):
    document = small()
    record = getattr(document, kind)[0]
    getattr(document, kind)[0] = document.text_of(record)[:-1] + ', "id": 1}'
    with pytest.raises(Refused):
        read(document, "fast")
    assert read(document).labels.counts[kind] == (2, 1, 1)


def test_extra_keys_do_not_make_the_fast_reader_refuse():
    document = small(attributes={"occluded": False, "track": "a:b"}, score=0.5, licence="x: y")
    assert read(document, "fast").labels.reader == "fast"


def test_rows_written_before_a_refusal_are_not_written_again():
    document = small()
    document.annotations = [
        {"id": k, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}
        for k in range(40)
    ]
    document.annotations[37]["category_id"] = 99
    found = read(document)
    assert found.labels.reader == "tolerant"
    assert found.masks["annotation_id"].to_pylist() == [k for k in range(40) if k != 37]
