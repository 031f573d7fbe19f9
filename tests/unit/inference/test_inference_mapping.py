"""Classes of a model are the dataset's categories by name."""

from __future__ import annotations

import numpy as np
import pytest

from label_quality.inference.mapping import map_categories

CASES = {
    "by name": (("cat", "dog"), {}, {5: "dog", 2: "cat"}, [2, 5], (), ()),
    "case and separators": (("Traffic_Light",), {}, {1: "traffic light"}, [1], (), ()),
    "renamed": (("person",), {"Person": "pedestrian"}, {4: "pedestrian"}, [4], (), ()),
    "a renamed class no longer goes by its old name": (
        *(("person",), {"person": "pedestrian"}, {4: "person"}),
        *([-1], ("person",), ("person",)),
    ),
    "unknown on either side": (
        ("cat", "cow"),
        {},
        {1: "dog", 2: "cat"},
        [2, -1],
        ("cow",),
        ("dog",),
    ),
    "a label without a class": (("cat", "", "dog"), {}, {1: "dog", 2: "cat"}, [2, -1, 1], (), ()),
    "two categories of a name": (("cat",), {}, {9: "cat", 4: "cat"}, [4], (), ("cat",)),
    "two classes of a name": (("cat", "Cat"), {}, {4: "cat"}, [4, -1], ("Cat",), ()),
    "no category": (("cat",), {}, {}, [-1], ("cat",), ()),
}


@pytest.mark.parametrize("case", CASES)
def test_mapping(case: str) -> None:
    classes, rename, categories, ids, of_model, of_dataset = CASES[case]
    found = map_categories(classes, rename, categories)
    assert found.category_id.tolist() == [-1, *ids]
    assert (found.of_model, found.of_dataset) == (of_model, of_dataset)


def test_labels_are_the_way_back() -> None:
    found = map_categories(("cat", "", "dog"), {}, {8: "dog", 3: "cat", 5: "cow"})
    assert found.labels(np.array([3, 8, 5, 3])).tolist() == [1, 3, 0, 1]
    assert map_categories(("cat",), {}, {1: "dog"}).labels(np.array([1])).tolist() == [0]
