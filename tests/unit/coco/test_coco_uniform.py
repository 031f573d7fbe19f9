from __future__ import annotations

import json

import pytest
from coco_documents import fuzz
from hypothesis import given
from hypothesis import strategies as st

from label_quality.coco import uniform
from label_quality.coco.document import SEPARATOR

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
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.text('0123456789.-/eE+ ,:[]{}"n', max_size=2)).encode()
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 2)) :]
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
