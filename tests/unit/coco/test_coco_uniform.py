from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from coco_documents import fuzz
from hypothesis import given
from hypothesis import strategies as st

from label_quality.coco import fast, labels_fast, segments, uniform
from label_quality.coco.columns import ImageSizes
from label_quality.coco.document import SEPARATOR
from label_quality.coco.errors import Refused
from label_quality.coco.ids import References
from label_quality.coco.sinks import Texts

NAMES = ("image_id", "category_id", "score", "x", "y", "w", "h")


def rows(text: bytes) -> list[tuple] | None:
    """What the records of a text say by the standard library, None unless each is a plain box with a score."""
    try:
        pairs = json.loads(b"[" + text + b"]", object_pairs_hook=list)
    except ValueError:
        return None
    out = []
    for record in pairs:
        found = dict(record) if type(record) is list and record else {}
        if len(record) != 4 or found.keys() != {"image_id", "category_id", "score", "bbox"}:
            return None
        values = (found["image_id"], found["category_id"], found["score"], *found["bbox"])
        if not all(type(v) in (int, float) for v in values) or {type(v) for v in values[:2]} != {
            int
        }:
            return None
        out.append(values)
    return out


def read(text: bytes) -> list[tuple] | None:
    found = SEPARATOR.search(text)
    table = uniform.read(text, found.group() if found else b"},{")
    return None if table is None else list(zip(*(table[n].to_pylist() for n in NAMES), strict=True))


def record(order: str = "icsb", style: tuple[str, str] = (", ", ": "), **values) -> str:
    values = {"i": 42, "c": 7, "s": 0.25, "b": [1.5, 0, 30.25, 4]} | values
    names = {"i": "image_id", "c": "category_id", "s": "score", "b": "bbox"}
    return json.dumps({names[k]: values[k] for k in order}, separators=style)


numbers = (
    st.integers(-(10**12), 10**12)
    | st.floats(0, 1000).map(lambda v: round(v, 3))
    | st.sampled_from([0, 0.5, -0.5])
)


@st.composite
def texts(draw) -> bytes:
    order = "".join(draw(st.permutations("icsb")))
    style = draw(st.sampled_from([(", ", ": "), (",", ":")]))
    values = st.fixed_dictionaries(
        {
            "i": st.integers(0, 10**7),
            "c": st.integers(0, 99),
            "s": numbers,
            "b": st.lists(numbers, min_size=4, max_size=4),
        }
    )
    return (
        style[0]
        .join(record(order, style, **v) for v in draw(st.lists(values, min_size=1, max_size=5)))
        .encode()
    )


def changed(text, data):
    """`text` with one or two places in which some bytes stand for others."""
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.text('0123456789.-/eE+ ,:[]{}"n', max_size=2)).encode()
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 2)) :]
    return text


@fuzz(100)
@given(texts())
def test_records_that_are_alike_are_read(text):
    expected = rows(text)
    if b"e" in text.translate(None, b"imag_dctoryscbx"):
        return  # an exponent: left to others
    assert read(text) == expected


@fuzz(400)
@given(texts(), st.data())
def test_a_changed_text_is_read_as_the_standard_library_does_or_not_at_all(text, data):
    text = changed(text, data)
    found = read(text)
    assert found is None or found == rows(text), text


@pytest.mark.parametrize(
    "odd",
    [
        record(i=1.5), record(i=True), record(c="7"), record(s=None), record(b=[1, 2, 3]), record(b=[1, 2, 3, 4, 5]),
        record()[:-1] + ', "id": 3}', record("icb"), record().replace("image_id", "image_5d"),
        record().replace("42", "042"), record().replace("42", "-"), record().replace("42", "4-2"),
        record().replace("42", "+42"), record().replace("42", "42."), record().replace("0.25", ".25"),
        record().replace("0.25", "0.2.5"), record().replace("0.25", "00.25"), record().replace("0.25", "2.5e-1"),
        record().replace('"score"', '"sco5re"'), record().replace('"score"', '5"score"'),
        record().replace('"score": 0.25', '"score"0.25: '), record().replace("[1.5, 0", "[1.5 0,"), record(i=2**63),
        record().replace("[", "[["), record().replace(": 42", ": 4 2"), record().replace("42,", "42 ,"),
    ],
)  # fmt: skip
def test_what_is_odd_is_left_to_others(odd):
    for text in (odd, f"{record()}, {odd}", f"{odd}, {record()}", f"{record()}, {odd}, {record()}"):
        assert read(text.encode()) is None


def test_odd_in_every_record_alike():
    text = ", ".join([record().replace("image_id", "image_5d")] * 3)
    assert read(text.encode()) is None
    assert read(", ".join([record()] * 3).encode()) is not None
    assert read((record() + record()).encode()) is None


# Labels: the same, with segmentations cut out.
LABEL = {
    "id": 3,
    "image_id": 42,
    "category_id": 7,
    "area": 12.5,
    "iscrowd": 0,
    "bbox": [1.5, 0, 30.25, 4],
}
RUNS = {"size": [2, 3], "counts": [0, 4, 2]}
SHAPES = (
    [[1.5, 2, -3.25, 4, 0, 0.5]],
    [[1, 2, 3, 4, 5, 6], [10, 20.75, 30, 40, 50, -0.5, 7, 8]],
    [],
    RUNS,
    {"counts": "o:]}[{x", "size": [2, 3]},
)


def label(
    shape, order: tuple[str, ...] = (*LABEL, "segmentation"), style=(", ", ": "), **values
) -> str:
    known = LABEL | {"segmentation": shape} | values
    return json.dumps({key: known[key] for key in order}, separators=style)


def says(text: bytes) -> list[tuple] | None:
    """What labels say by the standard library; None unless each is whole and holds numbers where they belong."""
    twice = []

    def once(pairs):
        twice.extend(pairs if len({k for k, _ in pairs}) < len(pairs) else ())
        return dict(pairs)

    try:
        records = json.loads(
            b"[" + text + b"]", object_pairs_hook=once, parse_constant=lambda _: None
        )
    except ValueError:
        return None
    if twice or not all(type(r) is dict and r.keys() == {*LABEL, "segmentation"} for r in records):
        return None
    out = []
    for r in records:
        whole = [r[k] for k in ("id", "image_id", "category_id", "iscrowd")]
        if type(r["bbox"]) is not list or len(r["bbox"]) != 4 or {type(v) for v in whole} != {int}:
            return None
        shape = r["segmentation"]
        flat = [v for part in shape for v in part] if type(shape) is list else []
        if not all(type(v) in (int, float) for v in (r["area"], *r["bbox"], *flat)):
            return None
        out.append((*whole, r["area"], *r["bbox"], shape))
    return out


def read_labels(text: bytes) -> list[tuple] | None:
    """What `uniform` and `segments` make of labels, None where they leave them to others."""
    parts = uniform.cut(text)
    if parts is None:
        return None
    found = SEPARATOR.search(text)
    table = uniform.read(parts[0], found.group() if found else b"},{", uniform.LABEL)
    if table is None or table.num_rows != len(parts[1]):
        return None
    texts = Texts(parts[1])
    try:
        shapes = segments.from_texts(texts, sound=False)
        fast.check_mask_keys(texts, shapes)
    except Refused:
        return None
    read: list = [[] for _ in parts[1]]
    at = 0
    for row, length in zip(shapes.part_row.tolist(), shapes.part_length.tolist(), strict=True):
        read[row].append(shapes.coordinates[at : at + length].tolist())
        at += length
    for row, one in zip(shapes.rle_row.tolist(), shapes.rles, strict=True):
        read[row] = {"size": list(one.size), "counts": one.counts}
    names = ("id", "image_id", "category_id", "iscrowd", "area", *"xywh")
    return [
        (*row, shape)
        for row, shape in zip(
            zip(*(table[n].to_pylist() for n in names), strict=True), read, strict=True
        )
    ]


@st.composite
def label_texts(draw) -> bytes:
    order = tuple(draw(st.permutations([*LABEL, "segmentation"])))
    style = draw(st.sampled_from([(", ", ": "), (",", ":")]))
    shapes = draw(st.lists(st.sampled_from(SHAPES[:4]), min_size=1, max_size=4))
    return style[0].join(label(s, order, style, area=draw(numbers)) for s in shapes).encode()


@fuzz(100)
@given(label_texts())
def test_labels_that_are_alike_are_read(text):
    expected = says(text)
    if b"e-" not in text:  # an exponent: left to others
        assert read_labels(text) == expected


@fuzz(300)
@given(label_texts(), st.data())
def test_changed_labels_are_read_as_the_standard_library_does_or_not_at_all(text, data):
    text = changed(text, data)
    found = read_labels(text)
    assert found is None or found == says(text), text


@pytest.mark.parametrize(
    "polygons",
    [
        "[[1,2,3,4,5,06]]", "[[1,2,3,4,5,-06]]", "[[1,2,3,4,5,6.]]", "[[1,2,3,4,5,.6]]", "[[1,2,3,4,5,-]]", "[[1,2,3,4,5,-.6]]",
        "[[1,2,3,4,5,6,]]", "[[,1,2,3,4,5,6]]", "[[1,,2,3,4,5,6]]", "[[1,2,3,4,5,6]],", "[[1,2,3,4,5,6],]", "[[1,2][3,4]]",
        "[[1,2,3,4,5 6]]", "[[1,2,3,4,5,6]1]", "[1,[2,3]]", "[[[1,2]]]", "[[1,2,3,4,5,nan]]", "[[1,2,3,4,5,6/7]]",
        '[[1,2,3,4,5,"6"]]', "[[1,2,3,4,5,1.2.3]]", "[[1,2,3,4,5,1-2]]", "[[]]", "[1,2]", "7", "null", '"x"',
        '{"size": [2, 3], "size": [2, 3], "counts": [0, 4, 2]}', '{"size": [2, 3], "counts": [0, 4, 2]', '{"size": [2, 3]}',
        '{"size": [2, 3], "counts": "]}"}, "x": "{[', '{"size": [2, 3], "counts": [0, 4.5, 2]}',
    ],
)  # fmt: skip
def test_odd_segmentations_are_left_to_others(polygons):
    plain = label(SHAPES[0])
    odd = plain.replace(json.dumps(SHAPES[0]), polygons)
    assert odd != plain
    for text in (
        odd,
        f"{plain}, {odd}",
        f"{odd}, {plain}",
        f"{plain}, {odd}, {plain}",
        f"{odd}, {odd}",
    ):
        assert read_labels(text.encode()) is None


@pytest.mark.parametrize(
    "odd", [b'"\xff": 1', b'"x": ' + b"[" * 9999 + b"]" * 9999, b'"x": ' + b"1" * 5000]
)
def test_what_cannot_be_decoded_is_no_traceback(odd):
    """Through the reader itself: an unknown key among run lengths, of no UTF-8, nested too deep, or too long a number."""
    runs = label(RUNS).encode()
    text = runs.replace(b'"size"', odd + b', "size"')
    ids = np.array([42, 7])
    found = References(ids, [None, None])
    rows = SimpleNamespace(references=found, ids=ids)
    taken = SimpleNamespace(images=rows, categories=rows)
    sizes = ImageSizes(np.array([3, 3]), np.array([2, 2]))
    assert labels_fast._alike(runs, taken, sizes) is not None
    assert labels_fast._alike(text, taken, sizes) is None


def test_labels_with_other_keys_are_left_to_others():
    order = ("segmentation", "area", "iscrowd", "image_id", "bbox", "category_id", "id")
    assert read_labels(label(SHAPES[0], order).encode()) is not None
    assert read_labels(label(SHAPES[0], order[:-1]).encode()) is None
    assert read_labels(label(SHAPES[0])[:-1].encode() + b', "note": 1}') is None
    assert read_labels(label(SHAPES[0], iscrowd=True).encode()) is None
    assert read_labels(label(SHAPES[4]).encode()) in (None, says(label(SHAPES[4]).encode()))
