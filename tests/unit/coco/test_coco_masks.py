from __future__ import annotations

import json

import numpy as np
from coco_documents import fuzz, segmentations
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from label_quality.coco import to_rle, to_rles


@fuzz(60)
@given(st.lists(segmentations(40, 30), max_size=5))
def test_masks_are_those_of_the_coco_class(values):
    coco = COCO()
    coco.imgs = {1: {"height": 30, "width": 40}}
    found = to_rles([json.dumps(v) for v in values], [30] * len(values), [40] * len(values))
    assert len(found) == len(values)
    for value, rle in zip(values, found, strict=True):
        expected = coco.annToMask({"segmentation": value, "image_id": 1})
        assert np.array_equal(coco_mask.decode(rle), expected)


def test_parts_of_a_polygon_are_one_object():
    parts = [[0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 9, 6, 9, 9, 6, 9]]
    assert coco_mask.area(to_rle(json.dumps(parts), 10, 10)) == 16 + 9


def test_a_mask_is_what_pycocotools_takes():
    rle = to_rle('{"counts": "52b0", "size": [3, 3]}', 3, 3)
    assert rle == {"size": [3, 3], "counts": b"52b0"}
