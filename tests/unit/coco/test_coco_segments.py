from __future__ import annotations

import json

import numpy as np
import pytest
from coco_documents import fuzz
from hypothesis import given
from hypothesis import strategies as st

from label_quality.coco import segments
from label_quality.coco.errors import Refused
from label_quality.coco.ids import References
from label_quality.coco.segments import NONE, POLYGON
from label_quality.coco.sinks import Texts

numbers = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
polygons = st.lists(st.lists(numbers, max_size=9), max_size=4)
odd = st.recursive(
    st.none() | st.booleans() | numbers | st.text('[],"0 ', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


def is_polygons(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(part, list) and all(type(v) in (int, float) for v in part) for part in value
    )


def as_texts(values: list[object], separators: tuple[str, str]) -> Texts:
    return Texts([json.dumps(v, separators=separators).encode() for v in values])


@fuzz(200)
@given(st.lists(polygons, max_size=6), st.sampled_from([(",", ":"), (", ", ": "), ("\n ,\t", ":")]))
def test_polygons_are_those_of_a_json_reader(values, separators):
    found = segments.from_texts(as_texts(values, separators))
    parts = [(row, part) for row, value in enumerate(values) for part in value]
    assert found.kind.tolist() == [POLYGON if value else NONE for value in values]
    assert found.part_row.tolist() == [row for row, _ in parts]
    assert found.part_length.tolist() == [len(part) for _, part in parts]
    wanted = np.array([float(v) for _, part in parts for v in part], dtype=np.float64)
    assert found.coordinates.tobytes() == wanted.tobytes()


@fuzz(300)
@given(st.lists(polygons, max_size=2), st.lists(odd, max_size=3), st.lists(polygons, max_size=2))
def test_whatever_is_no_list_of_lists_of_numbers_is_refused(before, between, after):
    values = [*before, *(v for v in between if isinstance(v, list) and not is_polygons(v)), *after]
    if all(is_polygons(v) for v in values):
        assert len(segments.from_texts(as_texts(values, (",", ":"))).kind) == len(values)
    else:
        with pytest.raises(Refused):
            segments.from_texts(as_texts(values, (",", ":")))


@pytest.mark.parametrize(
    "text",
    [
        "[1,2,3,4,5,6]",
        "[[1,2],3]",
        "[3,[1,2]]",
        "[[[1,2]]]",
        "[[1,[2]]]",
        "[[1],[[2]]]",
        "[[1,null]]",
        "[null]",
        "[[true,1]]",
        '[["1",2]]',
        '["[1,2]"]',
        '["],["]',
        '[[""]]',
        '[{"a":[1]}]',
    ],
)
def test_a_record_of_another_shape_is_refused_among_sound_ones(text):
    sound = b"[[1,2,3,4,5,6],[7,8,9]]"
    with pytest.raises(Refused, match="polygons"):
        segments.from_texts(Texts([sound, text.encode(), sound]))


@fuzz(100)
@given(
    st.lists(st.integers(0, 40) | st.integers(-(2**63), 2**63 - 1), unique=True),
    st.lists(st.integers(-3, 45) | st.integers(-(2**63), 2**63 - 1)),
)
def test_references_are_found_however_far_apart_ids_are(ids, asked):
    rows = References(np.array(ids, dtype=np.int64), [None] * len(ids)).rows_of_integers(
        np.array([*asked, *ids], dtype=np.int64)
    )
    assert rows.tolist() == [ids.index(v) if v in ids else -1 for v in [*asked, *ids]]
