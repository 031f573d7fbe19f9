from __future__ import annotations

import numpy as np
import pytest
from coco_documents import fuzz
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from label_quality.coco import rle


def decode_one(text: str) -> list[int] | None:
    """`rleFrString` of pycocotools, with the checks that it leaves out; None for a text that it must not be given."""
    counts: list[int] = []
    at = 0
    while at < len(text):
        value = shift = 0
        more = True
        while more:
            if at == len(text) or not 0 <= ord(text[at]) - 48 < 64 or shift >= 35:
                return None
            bits = ord(text[at]) - 48
            value |= (bits & 0x1F) << shift
            more = bool(bits & 0x20)
            at += 1
            shift += 5
            if not more and bits & 0x10:
                value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts if counts and min(counts) >= 0 else None


counts_texts = st.text(st.characters(min_codepoint=47, max_codepoint=112), max_size=12)
few_texts = st.text(st.sampled_from("0123456789`PO1N2"), min_size=1, max_size=10)


@fuzz(200)
@given(st.lists(counts_texts | few_texts | st.just("\u00e9")), st.randoms())
def test_sums_are_those_of_a_plain_decoder(texts, random):
    for _ in range(random.randint(0, 3)):
        mask = np.asfortranarray(
            np.random.default_rng(random.randint(0, 99)).random((9, 7)) > 0.6, np.uint8
        )
        texts.insert(random.randint(0, len(texts)), coco_mask.encode(mask)["counts"].decode())
    found = rle.compressed(texts)
    for text, total, sound in zip(texts, found.total.tolist(), found.sound.tolist(), strict=True):
        counts = decode_one(text)
        assert sound == (counts is not None), text
        assert counts is None or total == sum(counts), text


@pytest.mark.parametrize(
    ("counts", "total", "sound"),
    [([], 0, True), ([5], 5, True), ([0, 3, 0, 2], 5, True), ([3, -1, 3], 5, False), ([2**32], 2**32, False),
     ([1, 2**70], 0, False)],
)  # fmt: skip
def test_uncompressed_counts(counts, total, sound):
    found = rle.uncompressed([[7, 1], counts, [2]])
    assert found.total.tolist() == [8, total, 2]
    assert found.sound.tolist() == [True, sound, True]
