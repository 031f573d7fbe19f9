"""Several models: findings about one object are one finding, agreement raises its score, silence lowers it."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import batch
from helpers.scenes import CAT, CATEGORIES, DOG, Box, image, ordinary

from label_quality.findings import build_finding_scores
from label_quality.matching import build_overlaps

A: Box = (100, 100, 120, 100)
NEAR: Box = (104, 98, 118, 104)
FAR: Box = (400, 300, 110, 90)

# Per image: labels, and what each of two models sees.
IMAGES: dict[int, tuple[list[tuple[int, Box]], dict[str, list[tuple[int, float, Box]]]]] = {
    1: ([], {"one": [(CAT, 0.95, FAR)], "two": [(CAT, 0.9, (403, 303, 112, 92))]}),
    2: ([], {"one": [(CAT, 0.95, FAR)]}),
    3: ([(DOG, A)], {"one": [(CAT, 0.95, A)], "two": [(CAT, 0.95, NEAR)]}),
    4: ([(DOG, A)], {"one": [(CAT, 0.95, A)]}),
    5: ([(CAT, (60, 60, 200, 180))], {"one": [(CAT, 0.95, A)], "two": [(CAT, 0.9, NEAR)]}),
    6: ([(CAT, (60, 60, 200, 180))], {"one": [(CAT, 0.95, A)], "two": [(CAT, 0.9, (61, 61, 198, 181))]}),
    7: ([(CAT, A)], {}),
    8: ([(CAT, A)], {"two": [(CAT, 0.95, A)]}),
    9: ([(CAT, A), (CAT, A)], {"one": [(CAT, 0.95, A)], "two": [(CAT, 0.95, NEAR)]}),
    10: ([(CAT, A)], {"one": [(CAT, 0.95, A)], "two": [(CAT, 0.95, NEAR)]}),
    11: ([(DOG, A)], {"one": [(CAT, 0.95, A), (CAT, 0.9, FAR)], "two": [(DOG, 0.95, A), (DOG, 0.9, FAR)]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> dict[int, list[dict[str, Any]]]:
    images, labels, seen = ordinary(models=("one", "two"))
    for number, (own, by_model) in IMAGES.items():
        images.append(image(number))
        labels += [
            {"id": 10 * number + k, "image_id": number, "category_id": c, "bbox": b}
            for k, (c, b) in enumerate(own)
        ]
        for model, results in by_model.items():
            seen[model] += [
                {"image_id": number, "category_id": c, "score": s, "bbox": b} for c, s, b in results
            ]
    con = batch.audit(batch.database(images, labels, seen, CATEGORIES))
    every = batch.findings(con, "score >= 0.2")
    return {n: [f for f in every if f["image_id"] == n] for n in IMAGES}


@pytest.mark.parametrize(
    ("both", "alone", "error_type"),
    [(1, 2, "missing"), (3, 4, "wrong_class"), (5, 6, "inaccurate")],
)
def test_what_two_models_say_is_one_finding_and_weighs_more_than_what_one_says(
    found: dict[int, Any], both: int, alone: int, error_type: str
) -> None:
    (agreed,), (single,) = found[both], found[alone]
    assert agreed["error_type"] == single["error_type"] == error_type
    assert (agreed["models_agreeing"], agreed["models_total"]) == (2, 2)
    assert (single["models_agreeing"], single["models_total"]) == (1, 2)
    assert agreed["score"] > single["score"] + 0.1
    assert agreed["reason"].count("2 of 2 models see") == 1
    assert single["reason"].count("one sees") == 1


def test_the_strongest_prediction_is_the_evidence(found: dict[int, Any]) -> None:
    (finding,) = found[1]
    assert finding["model"] == "one"
    assert [finding[f"suggested_{c}"] for c in ("x", "y", "width", "height")] == list(FAR)


def test_spurious_needs_the_silence_of_all_models(found: dict[int, Any]) -> None:
    (finding,) = found[7]
    assert (finding["error_type"], finding["models_agreeing"], finding["model"]) == (
        "spurious",
        2,
        None,
    )
    assert found[8] == []


def test_a_duplicate_rests_on_the_labels_alone(found: dict[int, Any]) -> None:
    (finding,) = found[9]
    assert (finding["error_type"], finding["models_agreeing"], finding["models_total"]) == (
        "duplicate",
        0,
        2,
    )


def test_nothing_to_say_where_all_agree(found: dict[int, Any]) -> None:
    assert found[10] == []


def test_models_that_contradict_each_other(found: dict[int, Any]) -> None:
    """One calls the object and the label by the same name, the other does not; both see an unlabelled object."""
    wrong = [f for f in found[11] if f["error_type"] == "wrong_class"]
    missing = [f for f in found[11] if f["error_type"] == "missing"]
    assert len(wrong) == len(missing) == 1
    assert wrong[0]["models_agreeing"] == 1
    # What it is they do not agree on, that it is there they do.
    assert missing[0]["models_agreeing"] == 2


def test_a_connection_can_score_again_when_a_model_was_added() -> None:
    labels = [{"id": 1, "image_id": 1, "category_id": DOG, "bbox": A}]
    first = {"one": [{"image_id": 1, "category_id": CAT, "score": 0.95, "bbox": A}]}
    con = batch.database([image(1)], labels, first, CATEGORIES)
    build_overlaps(con)
    build_finding_scores(con)
    con.execute("insert into predictions select * replace ('another' as model) from predictions")
    build_overlaps(con)
    con.execute("insert into prediction_overlaps by name from new_prediction_overlaps")
    build_finding_scores(con)
    found = con.execute("select model, models_total from new_finding_scores").fetchall()
    assert found == [("one", 2)]
