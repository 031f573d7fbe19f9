"""COCO as it occurs in the wild: what is taken, and as what."""

from __future__ import annotations

import json

import pytest
from coco_documents import Document, Style, read, read_results, small

TRIANGLE = [[10, 10, 30, 10, 10, 50]]
SQUARE = [[10, 10, 30, 10, 30, 50, 10, 50]]


def first(**changes):
    found = read(small(**changes))
    assert found.same_tables(read(small(**changes), "tolerant"))
    assert found.labels.quarantined_labels.num_rows == 0
    return found.rows("annotations")[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"segmentation_type": "none", "area": 400, "iscrowd": False, "mask_area": None, "parts": None}),
        ({"segmentation": None}, {"segmentation_type": "none"}),
        ({"segmentation": []}, {"segmentation_type": "none"}),
        ({"iscrowd": 0}, {"iscrowd": False}),
        ({"iscrowd": 1}, {"iscrowd": True}),
        ({"iscrowd": True}, {"iscrowd": True}),
        ({"iscrowd": False}, {"iscrowd": False}),
        ({"iscrowd": None}, {"iscrowd": False}),
        ({"iscrowd": 1.0}, {"iscrowd": True}),
        ({"area": 7}, {"area": 7}),
        ({"area": None}, {"area": 400}),
        ({"id": 5.0, "image_id": 1.0}, {"annotation_id": 5, "image_id": 1, "original_id": None}),
        ({"id": "5", "image_id": "1", "category_id": "1"}, {"annotation_id": 5, "original_id": None, "category_id": 1}),
        ({"id": -7}, {"annotation_id": -7}),
        ({"id": "007"}, {"annotation_id": 1, "original_id": "007"}),
        ({"id": "x"}, {"annotation_id": 1, "original_id": "x"}),
        ({"id": str(2**63)}, {"annotation_id": 1, "original_id": str(2**63)}),
        ({"segmentation": TRIANGLE, "bbox": ...}, {"x": 10, "y": 10, "width": 20, "height": 40, "area": 400, "mask_area": 400}),
        ({"segmentation": TRIANGLE, "bbox": None}, {"width": 20, "height": 40, "parts": 1, "segmentation_type": "polygon"}),
        ({"segmentation": [*TRIANGLE, [50, 50, 60, 50, 60, 60]]}, {"parts": 2, "mask_area": 450, "area": 450}),
        ({"segmentation": {"size": [80, 100], "counts": [80, 5, 75, 5, 7835]}, "bbox": ...},
         {"x": 1, "y": 0, "width": 2, "height": 5, "area": 10, "mask_area": 10, "parts": None, "segmentation_type": "rle"}),
        ({"segmentation": {"counts": [0, 8000], "size": [80, 100], "more": {"a": "b:c"}}, "bbox": ...}, {"area": 8000, "width": 100}),
        ({"segmentation": {"size": [80, 100], "counts": [80, 0, 3, 5, 7912]}}, {"mask_area": 5}),
    ],
)  # fmt: skip
def test_forms_of_a_label(changes, expected):
    row = first(**changes)
    assert {key: row[key] for key in expected} == expected


def test_extra_keys_with_numbers_that_are_none_are_ignored_and_masks_kept_to_the_letter():
    text = (
        '{"id": 1, "image_id": 1, "category_id": 1, "area_ratio": NaN, "x": [Infinity, {"id": 3}],'
        ' "segmentation" : [ [10,10.50,  30,1e1,\t10,50] ] }'
    )
    document = small()
    document.annotations[0] = text
    found = read(document)
    assert found.labels.quarantined_labels.num_rows == 0
    assert found.masks.to_pylist() == [
        {"batch": "b", "annotation_id": 1, "segmentation": "[ [10,10.50,  30,1e1,\t10,50] ]"}
    ]


def test_text_ids_get_the_smallest_unused_integers_in_the_order_of_the_file():
    document = Document(
        images=[
            {"id": "b", "file_name": "b.png", "width": 9, "height": 9},
            {"id": 1, "file_name": "1.png", "width": 9, "height": 9},
            {"id": "a", "file_name": "a.png", "width": 9, "height": 9},
        ],
        categories=[{"id": "cat", "name": "cat"}, {"id": "2", "name": "dog"}],
        annotations=[
            {"id": k, "image_id": i, "category_id": c, "bbox": [1, 1, 5, 5]}
            for k, i, c in [
                ("u", "a", "cat"),
                ("v", "b", 2),
                (2, 1, "2"),
                ("w", 3, "cat"),
                ("x", "1", 1),
            ]
        ],
    )
    found = read(document)
    assert found.labels.reader == "tolerant"
    images = [(r["image_id"], r["original_id"]) for r in found.rows("images")]
    assert images == [(2, "b"), (1, None), (3, "a")]
    categories = [(r["category_id"], r["original_id"]) for r in found.rows("categories")]
    assert categories == [(1, "cat"), (2, None)]
    rows = [
        tuple(r[k] for k in ("annotation_id", "original_id", "image_id", "category_id"))
        for r in found.rows("annotations")
    ]
    assert rows == [(1, "u", 3, 1), (3, "v", 2, 2), (2, None, 1, 2)]
    # 3 and 1 are numbers that we gave, not names that the file knows.
    assert found.reasons()["annotation", "w"] == "image_id 3 names no image of the annotation file"
    assert (
        found.reasons()["annotation", "x"]
        == "category_id 1 names no category of the annotation file"
    )

    results = [
        {"image_id": i, "category_id": c, "score": 0.5, "bbox": [1, 1, 5, 5]}
        for i, c in [("a", "cat"), (1, "2"), ("1", 2), (3, 2)]
    ]
    predictions, kept, _ = read_results(results, found.labels)
    assert list(
        zip(kept["image_id"].to_pylist(), kept["category_id"].to_pylist(), strict=True)
    ) == [(3, 1), (1, 2), (1, 2)]
    assert [r["record_id"] for r in predictions.quarantined.to_pylist()] == ["#3"]


def test_lvis():
    image = {
        "id": 4,
        "width": 100,
        "height": 80,
        "coco_url": "http://x.org/train2017/00%204.jpg?size=1",
    }
    document = Document(
        images=[image | {"neg_category_ids": [7, 9], "not_exhaustive_category_ids": []}, image | {"id": 5, "file_name": "5.jpg"}],
        categories=[{"id": 7, "name": "a", "frequency": "r", "synset": "a.n.01", "synonyms": ["a", "b"]}, {"id": 9, "name": "b"}],
        annotations=[{"id": 1, "image_id": 4, "category_id": 7, "area": 400.0, "segmentation": TRIANGLE, "bbox": [10, 10, 20, 40]}],
    )  # fmt: skip
    found = read(document, "fast")
    assert found.same_tables(read(document, "tolerant"))
    four, five = found.rows("images")
    assert (four["file_name"], five["file_name"]) == ("00 4.jpg", "5.jpg")
    assert (four["neg_category_ids"], four["not_exhaustive_category_ids"]) == ([7, 9], [])
    assert (five["neg_category_ids"], five["not_exhaustive_category_ids"]) == (None, None)
    document.images[1]["neg_category_ids"] = [9, 8]
    found = read(document, "fast")
    assert found.same_tables(read(document, "tolerant"))
    assert found.rows("images")[1]["neg_category_ids"] == [9]
    assert (
        found.rows("ingest_warnings")[0]["detail"]
        == "neg_category_ids names categories that the file does not have: 8"
    )


@pytest.mark.parametrize(
    "style", [Style(bom=True), Style(separators=(",\n    ", ": ")), Style(ascii=False)]
)
def test_forms_of_a_file(style):
    document = small(segmentation=SQUARE)
    document.categories[0]["name"] = "Äpfel 中"
    document.style = style
    found = read(document, "fast")
    assert found.same_tables(read(document, "tolerant"))
    assert found.rows("categories")[0]["name"] == "Äpfel 中"


def test_a_file_without_records():
    found = read(Document())
    assert found.labels.counts == {
        "images": (0, 0, 0),
        "categories": (0, 0, 0),
        "annotations": (0, 0, 0),
    }
    assert found.labels.reader == "fast"
    assert found.same_tables(read(Document(), "tolerant"))
    images_only = small()
    images_only.annotations = []
    assert read(images_only).labels.counts["annotations"] == (0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "issue", "detail"),
    [
        ({"bbox": [-1.5, 1, 5, 5]}, "box_outside_image", "leaves the image of 100 × 80 pixels by 1.5 px"),
        ({"bbox": [-1, 1, 5, 5]}, None, ""),
        ({"bbox": [90, 1, 11, 80]}, None, ""),
        ({"bbox": [90, 1, 10, 81]}, "box_outside_image", "by 2.0 px"),
        ({"segmentation": SQUARE, "bbox": [8, 10, 22, 40]}, None, ""),
        ({"segmentation": SQUARE, "bbox": [7.9, 10, 22, 40]}, "box_differs_from_mask", "is 2.1 px away"),
        ({"segmentation": SQUARE, "bbox": [10, 10, 20, 60]}, "box_differs_from_mask", "is 20.0 px away"),
        ({"segmentation": SQUARE, "bbox": [10, 10, 20, 40], "area": 790}, None, ""),
        ({"segmentation": SQUARE, "bbox": [10, 10, 20, 40], "area": 400}, "area_differs_from_mask", "area is 400, that of the mask 800 px²"),
        ({"segmentation": SQUARE, "bbox": [10, 10, 20, 40], "area": 0}, "area_differs_from_mask", "area is 0"),
        ({"segmentation": [[1, 1, 5, 5, 9, 9]], "bbox": [1, 1, 8, 8]}, "empty_mask", "covers no area"),
        ({"segmentation": {"size": [80, 100], "counts": [8000]}}, "empty_mask", "covers no area"),
    ],
)  # fmt: skip
def test_labels_that_are_taken_with_a_warning(changes, issue, detail):
    document = small(**changes)
    found = read(document, "fast")
    assert found.same_tables(read(document, "tolerant"))
    rows = found.rows("ingest_warnings")
    assert [r["issue"] for r in rows] == ([issue] if issue else [])
    if issue:
        assert detail in rows[0]["detail"]
        assert (rows[0]["record_type"], rows[0]["record_id"], rows[0]["image_id"]) == (
            "annotation",
            1,
            1,
        )


def test_names_that_stand_twice():
    document = small()
    document.categories.append({"id": 3, "name": "cat"})
    document.images.append(document.images[0] | {"id": 3})
    found = read(document, "fast")
    assert found.same_tables(read(document, "tolerant"))
    assert found.issues() == [
        ("image", 3, "duplicate_file_name"),
        ("category", 3, "duplicate_category_name"),
    ]
    details = [r["detail"] for r in found.rows("ingest_warnings")]
    assert details == [
        "the file 'a.png' is also that of image 1",
        "the name 'cat' is also that of category 1",
    ]


RECORD = {"image_id": 1, "category_id": 2, "score": 0.25, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize("wrap", [lambda r: r, lambda r: {"annotations": r}, lambda r: {"info": {}, "predictions": r},
                                  lambda r: {"annotations": r, "images": [], "categories": []}])  # fmt: skip
def test_forms_of_a_results_file(wrap):
    labels = read(small()).labels
    content = json.dumps(
        wrap([RECORD, RECORD | {"bbox": None, "segmentation": SQUARE}, RECORD | {"id": "x"}])
    ).encode()
    found, rows, masks = read_results(content, labels)
    assert (found.read, found.kept, found.reader) == (3, 3, "fast")
    assert [rows[k].to_pylist()[1] for k in ("x", "y", "width", "height", "score")] == [
        10,
        10,
        20,
        40,
        0.25,
    ]
    assert rows["has_mask"].to_pylist() == [False, True, False]
    assert rows["mask_area"].to_pylist() == [None, 20 * 40, None]
    assert masks.to_pylist() == [
        {"batch": "b", "model": "m", "prediction_id": 1, "segmentation": json.dumps(SQUARE)}
    ]
    slow = read_results(content, labels, "tolerant")
    assert rows.equals(slow[1])
    assert masks.equals(slow[2])


def test_an_empty_results_file():
    found, rows, _ = read_results([], read(small()).labels)
    assert (found.read, found.kept, found.reader, rows.num_rows) == (0, 0, "fast", 0)
