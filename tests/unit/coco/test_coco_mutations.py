"""Every kind of bad record: it is quarantined with its reason and its text, and the rest of the file is taken."""

from __future__ import annotations

import json

import pytest
from coco_documents import Document, documents, fuzz, read, read_results, small
from hypothesis import assume, given
from hypothesis import strategies as st

NAN, INF, HUGE = float("nan"), float("inf"), 10**400
SQUARE = [[1, 1, 9, 1, 9, 9]]

BAD_ANNOTATIONS = [  # changes to a sound label (... removes a key), and words of the reason
    ({"id": ...}, "id is missing"),
    ({"id": None}, "id is null, not a whole number or a text"),
    ({"id": True}, "id is true or false"),
    ({"id": 1.5}, "id is 1.5, which is not a whole number"),
    ({"id": NAN}, "id is nan"),
    ({"id": 2**63}, "id is too large a number"),
    ({"id": HUGE}, "id is too large a number"),
    ({"id": [1]}, "id is a list"),
    ({"id": ""}, "id is an empty text"),
    ({"image_id": ...}, "image_id is missing"),
    ({"image_id": 99}, "image_id 99 names no image"),
    ({"image_id": "99"}, "image_id 99 names no image"),
    ({"image_id": "x"}, "image_id x names no image"),
    ({"image_id": {}}, "image_id is an object"),
    ({"category_id": ...}, "category_id is missing"),
    ({"category_id": -1}, "category_id -1 names no category"),
    ({"category_id": 0.5}, "category_id is 0.5"),
    ({"bbox": ...}, "neither a bbox nor a segmentation"),
    ({"bbox": None}, "neither a bbox nor a segmentation"),
    ({"bbox": []}, "bbox has 0 values, not 4"),
    ({"bbox": [1, 2, 3]}, "bbox has 3 values, not 4"),
    ({"bbox": [1, 2, 3, 4, 5]}, "bbox has 5 values, not 4"),
    ({"bbox": "1,2,3,4"}, "bbox is a text, not a list"),
    ({"bbox": [1, 2, "3", 4]}, "bbox[2] is a text, not a number"),
    ({"bbox": [1, 2, None, 4]}, "bbox[2] is null, not a number"),
    ({"bbox": [1, 2, True, 4]}, "bbox[2] is true or false, not a number"),
    ({"bbox": [1, 2, NAN, 4]}, "bbox [1, 2, nan, 4] holds a number that is not finite"),
    ({"bbox": [-INF, 2, 3, 4]}, "not finite"),
    ({"bbox": [1, 2, 3, HUGE]}, "bbox[3] is too large a number"),
    ({"bbox": [1, 2, 3, 1e300]}, "too large a number"),
    ({"bbox": [1, 2, 0, 4]}, "the box is 0 × 4 pixels"),
    ({"bbox": [1, 2, 3, -4]}, "the box is 3 × -4 pixels"),
    ({"bbox": [1, 2, 1e-200, 1e-200]}, "the box is 1e-200 × 1e-200 pixels"),
    ({"bbox": [100, 2, 5, 5]}, "lies outside the image of 100 × 80 pixels"),
    ({"bbox": [1, 90, 5, 5]}, "lies outside the image"),
    ({"bbox": [-9, 2, 9, 5]}, "lies outside the image"),
    ({"bbox": [1, -9, 5, 8]}, "lies outside the image"),
    ({"area": "12"}, "area is a text"),
    ({"area": NAN}, "area is nan"),
    ({"area": INF}, "area is inf"),
    ({"area": -1}, "area -1 is negative"),
    ({"area": 1e200}, "is too large"),
    ({"iscrowd": 2}, "iscrowd is 2, not 0 or 1"),
    ({"iscrowd": 0.5}, "iscrowd is 0.5, not 0 or 1"),
    ({"iscrowd": "0"}, "iscrowd is a text"),
    ({"iscrowd": NAN}, "iscrowd is nan"),
    ({"segmentation": "x"}, "segmentation is a text"),
    ({"segmentation": 5}, "segmentation is a whole number, not"),
    ({"segmentation": True}, "segmentation is true or false"),
    ({"segmentation": [1, 1, 9, 1, 9, 9]}, "segmentation[0] is a whole number, not a list"),
    ({"segmentation": [[[1, 1], [9, 1], [9, 9]]]}, "segmentation[0][0] is a list, not a number"),
    ({"segmentation": [[1, 1, 9, 1, 9, "9"]]}, "segmentation[0][5] is a text, not a number"),
    ({"segmentation": [[1, 1, 9, 1, 9, None]]}, "segmentation[0][5] is null"),
    ({"segmentation": [None]}, "segmentation[0] is null"),
    ({"segmentation": [[]]}, "a polygon has 0 points, fewer than three"),
    ({"segmentation": [[1, 1]]}, "a polygon has 1 point, fewer than three"),
    ({"segmentation": [*SQUARE, [1, 1, 9, 9]]}, "a polygon has 2 points, fewer than three"),
    ({"segmentation": [[1, 1, 9, 1, 9, 9, 5]]}, "a polygon has an odd number of coordinates"),
    ({"segmentation": [[1, 1, 9, 1, 9, NAN]]}, "a polygon holds a number that is not finite"),
    ({"segmentation": [[1, 1, 9, 1, 9, HUGE]]}, "segmentation[0][5] is too large a number"),
    ({"segmentation": [[1, 1, 9, 1, 9, 5000]]}, "a polygon reaches to 5000, far outside the image"),
    ({"segmentation": [[1, 1, 9, 1, -1e9, 5]]}, "far outside the image"),
    ({"segmentation": [[5, 5, 5, 9, 5, 7]], "bbox": ...}, "the box is 0 × 4 pixels"),
    ({"segmentation": {}}, "segmentation has no size"),
    ({"segmentation": {"size": [80, 100]}}, "segmentation has no counts"),
    ({"segmentation": {"size": [80], "counts": [8000]}}, "segmentation.size has 1 values, not 2"),
    ({"segmentation": {"size": [100, 80], "counts": [8000]}}, "a mask of 80 × 100 pixels (width × height), the image has 100 × 80"),
    ({"segmentation": {"size": [80, 100], "counts": [8001]}}, "add up to 8001 pixels, the image has 8000"),
    ({"segmentation": {"size": [80, 100], "counts": []}}, "add up to 0 pixels"),
    ({"segmentation": {"size": [80, 100], "counts": [-1, 8001]}}, "cannot be decoded"),
    ({"segmentation": {"size": [80, 100], "counts": [2**70]}}, "cannot be decoded"),
    ({"segmentation": {"size": [80, 100], "counts": [1.5]}}, "segmentation.counts[0] is a number, not a whole number"),
    ({"segmentation": {"size": [80, 100], "counts": 8000}}, "segmentation.counts is a whole number"),
    ({"segmentation": {"size": [80, 100], "counts": ""}}, "cannot be decoded"),
    ({"segmentation": {"size": [80, 100], "counts": "PP"}}, "cannot be decoded"),
    ({"segmentation": {"size": [80, 100], "counts": "~~~"}}, "cannot be decoded"),
    ({"segmentation": {"size": [80, 100], "counts": "\u00e9"}}, "cannot be decoded"),
    ({"segmentation": {"size": [80, 100], "counts": "o" * 30 + "0"}}, "cannot be decoded"),
    ({"segmentation": {"size": [80, 100], "counts": "55"}}, "add up to 10 pixels"),
    ({"segmentation": {"size": [80, 100], "counts": [8000]}, "bbox": ...}, "the mask is empty"),
    ({"note": "\ud800"}, "half a character"),
    ({"segmentation": {"size": [80, 100], "counts": "\udfff"}}, "half a character"),
]  # fmt: skip

BAD_IMAGES = [
    ({"id": ...}, "id is missing"),
    ({"id": 2}, "the id 2 stands already in record #1"),
    ({"width": ...}, "width is missing"),
    ({"width": "100"}, "width is a text, not a number"),
    ({"width": None}, "width is null"),
    ({"width": 0}, "width is 0"),
    ({"height": -80}, "height is -80"),
    ({"height": 80.5}, "height 80.5 is not a whole number"),
    ({"height": NAN}, "height is nan"),
    ({"height": HUGE}, "height is too large a number"),
    ({"height": 10**10}, "too large a number"),
    ({"file_name": ...}, "file_name is missing"),
    ({"file_name": 5}, "file_name is a whole number, not a text"),
    ({"file_name": ""}, "file_name is missing"),
    ({"file_name": ..., "coco_url": "http://[broken"}, "file_name is missing"),
    ({"neg_category_ids": 5}, "neg_category_ids is a whole number, not a list"),
    ({"neg_category_ids": [0.5]}, "neg_category_ids is 0.5"),
]

BAD_CATEGORIES = [
    ({"id": ...}, "id is missing"),
    ({"id": 2}, "the id 2 stands already in record #1"),
    ({"name": ...}, "name is missing"),
    ({"name": None}, "name is null, not a text"),
    ({"supercategory": 3}, "supercategory is a whole number, not a text"),
]

NOT_OBJECTS = [
    ("5", "the record is a whole number, not an object"),
    ("null", "the record is null"),
    ('"x"', "the record is a text"),
    ("[1, 2]", "the record is a list, not an object"),
    ("NaN", "the record is a number"),
]


def _changed(record: dict, changes: dict) -> dict:
    return {k: v for k, v in (record | changes).items() if v is not ...}


def _only_reason(document: Document, kind: str, text: str) -> str:
    found, slow = read(document), read(document, "tolerant")
    assert found.same_tables(slow)
    rows = found.rows("quarantined_labels")
    (row,) = [r for r in rows if r["record_type"] == kind]
    assert row["original"] == text
    assert (row["batch"], row["file"]) == ("b", "file.json")
    return row["reason"]


@pytest.mark.parametrize(("changes", "reason"), BAD_ANNOTATIONS)
def test_a_bad_label(changes, reason):
    document = small(**changes)
    assert reason in _only_reason(document, "annotation", document.text_of(document.annotations[0]))
    assert [r["annotation_id"] for r in read(document).rows("annotations")] == [2]


@pytest.mark.parametrize(("changes", "reason"), BAD_ANNOTATIONS)
@fuzz(3)
@given(document=documents(), place=st.integers(0, 8))
def test_a_bad_label_among_others(changes, reason, document, place):
    # A copy of the bad record of the table, put in anywhere, with an image of its own to refer to.
    other = small(**changes)
    assume(all(i["id"] != 1 for i in document.images + document.categories))
    document.images.append(other.images[0])
    document.categories.append(other.categories[0])
    document.annotations = [a for a in document.annotations if a["id"] != 1]
    before = read(document)
    document.annotations.insert(place, other.annotations[0])
    after = read(document)
    assert after.rows("annotations") == before.rows("annotations")
    (row,) = after.rows("quarantined_labels")
    assert row["original"] == document.text_of(other.annotations[0])


@pytest.mark.parametrize(("changes", "reason"), BAD_IMAGES)
def test_a_bad_image_and_the_labels_that_lose_it(changes, reason):
    document = small()
    document.images.append(document.images.pop(0))  # the image of the first label comes last
    document.images[1] = _changed(document.images[1], changes)
    expected = reason.replace("#1", "#0")
    text = document.text_of(document.images[1])
    assert expected in _only_reason(document, "image", text)
    reasons = read(document).reasons()
    known = isinstance(document.images[1].get("id"), int) and document.images[1]["id"] == 1
    assert reasons["annotation", "1"] == (
        "its image 1 was itself quarantined"
        if known
        else "image_id 1 names no image of the annotation file"
    )


@pytest.mark.parametrize(("changes", "reason"), BAD_CATEGORIES)
def test_a_bad_category_and_the_labels_that_lose_it(changes, reason):
    document = small()
    document.categories.reverse()
    document.categories[1] = _changed(document.categories[1], changes)
    text = document.text_of(document.categories[1])
    assert reason.replace("#1", "#0") in _only_reason(document, "category", text)
    assert "category" in read(document).reasons()["annotation", "1"]


@pytest.mark.parametrize(("text", "reason"), NOT_OBJECTS)
@pytest.mark.parametrize("kind", ["images", "categories", "annotations"])
def test_a_record_that_is_no_object(kind, text, reason):
    document = small()
    getattr(document, kind).append(text)
    singular = {"images": "image", "categories": "category", "annotations": "annotation"}[kind]
    assert reason in _only_reason(document, singular, text)
    row = read(document).rows("quarantined_labels")[0]
    assert row["record_id"] == "#2"


def test_all_but_the_first_of_one_id_are_quarantined_even_if_the_first_is_bad():
    document = small()
    twin = document.annotations[0] | {"bbox": [3, 3, 3, 3]}
    document.annotations += [twin, twin | {"id": "1"}]
    found = read(document)
    assert [r["record_id"] for r in found.rows("quarantined_labels")] == ["1", "1"]
    assert found.rows("annotations")[0]["x"] == 10
    document.annotations[0]["area"] = -1
    assert len(read(document).rows("quarantined_labels")) == 3


def test_a_number_of_thousands_of_digits_is_a_bad_number_and_no_crash():
    document = small()
    for key in ("id", "area", "note"):
        document.annotations.append(
            f'{{"id": 7{len(document.annotations)}, "image_id": 1, "category_id": 1, "bbox": [1,1,5,5], "{key}": {"9" * 5000}}}'
            if key != "id"
            else f'{{"id": -{"9" * 5000}, "image_id": 1, "category_id": 1, "bbox": [1,1,5,5]}}'
        )
    found = read(document)
    assert len(found.rows("quarantined_labels")) == 2
    assert found.labels.counts["annotations"] == (5, 3, 2)


PREDICTION = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.5}
BAD_PREDICTIONS = [
    ({"image_id": 9}, "image_id 9 names no image"),
    ({"category_id": ...}, "category_id is missing"),
    ({"score": ...}, "score is missing"),
    ({"score": None}, "score is null, not a number"),
    ({"score": "0.5"}, "score is a text"),
    ({"score": True}, "score is true or false"),
    ({"score": 1.01}, "score 1.01 is not between 0 and 1"),
    ({"score": -0.1}, "score -0.1 is not between 0 and 1"),
    ({"score": NAN}, "score is nan"),
    *[(c, r) for c, r in BAD_ANNOTATIONS if not c.keys() & {"id", "image_id", "category_id", "area", "iscrowd"}],
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason"), BAD_PREDICTIONS)
def test_a_bad_prediction(changes, reason):
    labels = read(small()).labels
    bad = _changed(PREDICTION, changes)
    results = [PREDICTION, PREDICTION | {"segmentation": SQUARE}, bad, PREDICTION]
    found, rows, masks = read_results(results, labels)
    slow = read_results(results, labels, "tolerant")
    assert (found.reader, found.quarantined.equals(slow[0].quarantined)) == ("tolerant", True)
    assert rows.equals(slow[1])
    assert masks.equals(slow[2])
    (row,) = found.quarantined.to_pylist()
    assert reason in row["reason"]
    assert (row["record_id"], row["record_type"]) == ("#2", "prediction")
    assert row["original"] == json.dumps(bad)
    assert rows["prediction_id"].to_pylist() == [0, 1, 3]
    assert masks["prediction_id"].to_pylist() == [1]
