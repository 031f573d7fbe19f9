"""What holds whatever the data: ids, order of rows, empty tables, federated labels."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from helpers import batch
from helpers.scenes import CAT, CATEGORIES, DOG, Box, image, ordinary

A: Box = (100, 100, 120, 100)


def faulty() -> tuple[list[Any], list[Any], dict[str, list[Any]]]:
    """A batch with errors of every type, exact ties among them."""
    images, labels, seen = ordinary(30, ("one", "two"))
    seen = {m: [{**p, "prediction_id": k} for k, p in enumerate(ps)] for m, ps in seen.items()}
    rng = random.Random(4)
    for k, label in enumerate(rng.sample(labels, 60)):
        kind = k % 5
        x, y, width, height = label["bbox"]
        if kind == 0:
            labels.remove(label)
        elif kind == 1:
            label["category_id"] = CAT if label["category_id"] == DOG else DOG
        elif kind == 2:
            label["bbox"] = (x + width / 4, y, width, height)
        else:  # three exact copies; and boxes where nothing is
            copies = 2 if kind == 3 else 1
            place = label["bbox"] if kind == 3 else (x, y + 300, width, height / 2)
            labels += [{**label, "id": 10_000 + 10 * k + c, "bbox": place} for c in range(copies)]
    # The same prediction of both models, and twice of one: nothing but the names tells them apart.
    for image_id, model in itertools.product(range(1000, 1010), ("one", "two")):
        twin = {
            "image_id": image_id,
            "category_id": CAT,
            "bbox": (400.0, 330.0, 60.0, 60.0),
            "score": 0.9,
        }
        seen[model] += [{**twin, "prediction_id": 5000 + 2 * image_id + c} for c in (0, 1)]
    return images, labels, seen


def queue(*args: Any, **fields: Any) -> dict[str, dict[str, Any]]:
    con = batch.audit(batch.database(*args, **fields))
    return {f["finding_id"]: f for f in batch.findings(con)}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal, but for the last digits of sums that are made in another order."""
    return all(
        v == pytest.approx(other[k], rel=1e-9) if isinstance(v, float) else v == other[k]
        for k, v in one.items()
    )


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    return queue(*faulty(), CATEGORIES)


def test_the_batch_holds_errors_of_every_type(found: dict[str, Any]) -> None:
    types = {f["error_type"] for f in found.values() if f["score"] > 0.1}
    assert types == {"missing", "wrong_class", "inaccurate", "duplicate", "spurious"}


def test_ids_differ(found: dict[str, Any]) -> None:
    con = batch.audit(batch.database(*faulty(), CATEGORIES))
    count = batch.rows(
        con, "select count(*) as n, count(distinct finding_id) as ids from findings"
    )[0]
    assert count["n"] == count["ids"] == len(found)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_changes_nothing(found: dict[str, Any], seed: int) -> None:
    images, labels, seen = faulty()
    rng = random.Random(seed)
    for records in (images, labels, *seen.values()):
        rng.shuffle(records)
    other = queue(images, labels, dict(reversed(seen.items())), CATEGORIES[::-1])
    assert other.keys() == found.keys()
    assert all(same(f, other[k]) for k, f in found.items())


def test_other_image_ids_change_nothing_but_ids(found: dict[str, Any]) -> None:
    images, labels, seen = faulty()

    def renumber(record: dict[str, Any], key: str) -> dict[str, Any]:
        return {**record, key: 7 * (5000 - record[key])}

    other = queue(
        [renumber(i, "id") for i in images],
        [renumber(a, "image_id") for a in labels],
        {m: [renumber(p, "image_id") for p in ps] for m, ps in seen.items()},
        CATEGORIES,
    )

    def kept(finding: dict[str, Any]) -> tuple[Any, ...]:
        what = (
            "error_type",
            "annotation_id",
            "other_annotation_id",
            "model",
            "prediction_id",
            "reason",
        )
        return (*(str(finding[k]) for k in what), round(finding["score"], 9))

    assert sorted(map(kept, other.values())) == sorted(map(kept, found.values()))


def test_an_image_more_changes_what_is_said_of_others_only_by_its_share_in_the_figures(
    found: dict[str, Any],
) -> None:
    images, labels, seen = faulty()
    images.append(image(9))
    labels.append({"id": 9, "image_id": 9, "category_id": CAT, "bbox": A})
    seen["one"].append(
        {"image_id": 9, "category_id": CAT, "bbox": A, "score": 0.9, "prediction_id": 90_000}
    )
    other = queue(images, labels, seen, CATEGORIES)
    for key in found.keys() | other.keys():
        before, after = (f[key]["score"] if key in f else 0.05 for f in (found, other))
        assert after == pytest.approx(before, abs=0.03)


# A lone label without support is not spurious: nothing says that the model can find its like.
LABEL = {"id": 1, "image_id": 1, "category_id": CAT, "bbox": A}
SEEN = {"image_id": 1, "category_id": CAT, "bbox": A, "score": 0.9}


@pytest.mark.parametrize(
    ("images", "labels", "seen", "types"),
    [
        pytest.param([], [], {}, [], id="nothing at all"),
        pytest.param([image(1)], [], {}, [], id="an image alone"),
        pytest.param([image(1)], [LABEL], {}, [], id="no model"),
        pytest.param([image(1)], [LABEL, {**LABEL, "id": 2}], {}, ["duplicate"], id="no model, two labels"),
        pytest.param([image(1)], [], {"m": [SEEN]}, ["missing"], id="no labels"),
        pytest.param([image(1)], [LABEL], {"m": [SEEN]}, [], id="one of each"),
        pytest.param([image(1)], [LABEL], {"m": []}, [], id="a model that sees nothing"),
        pytest.param([image(1)], [{**LABEL, "iscrowd": 1}], {}, [], id="crowds only"),
        pytest.param([image(1)], [{**LABEL, "iscrowd": 1}], {"m": [SEEN]}, [], id="crowds only, and a model"),
        pytest.param([image(1), image(2)], [LABEL], {"m": [{**SEEN, "image_id": 2}]}, ["missing"],
                     id="label and prediction in different images"),
        pytest.param([image(1)], [LABEL], {"m": [{**SEEN, "score": 0.0}]}, [], id="a score of 0"),
        pytest.param([image(1)], [LABEL], {"m": [{**SEEN, "score": 1.0}]}, [], id="a score of 1"),
    ],
)  # fmt: skip
def test_small_batches(
    images: list[Any], labels: list[Any], seen: dict[str, list[Any]], types: list[str]
) -> None:
    con = batch.audit(batch.database(images, labels, seen, CATEGORIES))
    assert [
        r["error_type"] for r in batch.rows(con, "select error_type from findings order by 1")
    ] == types
    assert len(batch.rows(con, "select * from error_rates")) == 6 * (1 + len(CATEGORIES))


def test_one_label_per_image() -> None:
    seen = [{**SEEN, "image_id": k, "score": 0.8} for k in range(50)]
    labels = [{**LABEL, "id": k, "image_id": k} for k in range(50)]
    assert queue([image(k) for k in range(50)], labels, {"m": seen}, CATEGORIES) == {}


def test_federated_labels_are_missing_only_where_they_were_looked_for() -> None:
    """LVIS: cats are known to be absent from 1, not exhaustive in 2, unknown in 3; 4 is no federated image."""
    images, labels, seen = ordinary(30)
    images += [
        image(1, neg_category_ids=[CAT], not_exhaustive_category_ids=[]),
        image(2, neg_category_ids=[], not_exhaustive_category_ids=[CAT]),
        image(3, neg_category_ids=[DOG], not_exhaustive_category_ids=[DOG]),
        image(4),
        image(5, neg_category_ids=[], not_exhaustive_category_ids=[]),
    ]
    # In 2 and 5 another cat is labelled, so cats were looked for there; in 2 not all of them.
    labels += [{**LABEL, "id": k, "image_id": k} for k in (2, 5)]
    far = (400.0, 300.0, 90.0, 90.0)
    seen["det"] += [{**SEEN, "image_id": k} for k in (2, 5)]
    seen["det"] += [{**SEEN, "image_id": k, "bbox": far, "score": 0.95} for k in range(1, 6)]
    found = queue(images, labels, seen, CATEGORIES).values()
    assert sorted(
        f["image_id"] for f in found if f["error_type"] == "missing" and f["score"] > 0.2
    ) == [1, 4, 5]
