"""Every finding has a sentence that reads well, whatever the categories and models are called."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pytest
from helpers import batch
from helpers.scenes import CATEGORIES, image, ordinary
from test_findings_scenes import SCENES

from label_quality.findings.reasons import SENTENCES, WITH_ARTICLE
from label_quality.schema import ERROR_TYPES

NAMES = {
    "quotes": 'cat\'s "meow"',
    "doubled quotes": "''",
    "braces": "{cat} {} {0:.2f} {{",
    "percent": "100 %s %d %",
    "backslash": "a\\b\\n",
    "unicode": "Straßenbahn 猫 🐈",
    "right to left": "חתול",
    "long": "x" * 2000,
    "line break": "two\nlines",
    "space": " cat ",
    "a number": "7",
    "null": "NULL",
}


def reasons(names: dict[int, str], model: str = "det") -> list[dict[str, Any]]:
    images, labels, seen = ordinary(40)
    for number, scene in enumerate(SCENES, start=1):
        images.append(image(number))
        labels += [
            {
                "id": 10 * number + k,
                "image_id": number,
                "category_id": c,
                "bbox": b,
                "iscrowd": int(bool(crowd)),
            }
            for k, (c, b, *crowd) in enumerate(scene.labels)
        ]
        seen["det"] += [
            {"image_id": number, "category_id": c, "score": s, "bbox": b} for c, s, b in scene.seen
        ]
    categories = [{**c, "name": names.get(c["id"], c["name"])} for c in CATEGORIES]
    con = batch.audit(batch.database(images, labels, {model: seen["det"]}, categories))
    return batch.findings(con)


@pytest.fixture(scope="module")
def plain() -> list[dict[str, Any]]:
    return reasons({})


def test_every_type_has_a_sentence() -> None:
    assert tuple(SENTENCES) == ERROR_TYPES


def test_sentences_are_whole(plain: list[dict[str, Any]]) -> None:
    assert {f["error_type"] for f in plain} == set(ERROR_TYPES)
    for f in plain:
        reason = f["reason"]
        assert re.fullmatch(r"[A-Zd].*\.", reason), (
            reason
        )  # a sentence, or it begins with the model's name, det
        assert not re.search(
            r"NULL|None|nan|inf\b|[{}]|-0\b|  |\ba [aeiou]|\ban [^aeiou]", reason
        ), reason


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_names_stand_in_the_sentence_as_they_are(name: str, plain: list[dict[str, Any]]) -> None:
    """Cats and dogs are called `name`: each sentence is the plain one with the name put in its place."""
    got = {f["finding_id"]: f["reason"] for f in reasons({1: name, 2: name})}
    wanted = {f["finding_id"]: f["reason"] for f in plain}
    assert got.keys() == wanted.keys()
    for key, reason in got.items():
        expected = re.sub(r"\b(cat|dog)\b", "\0", wanted[key]).replace("\0", name)
        # The article follows the name.
        others = [expected.replace(f" a {name}", f" {article}{name}") for article in ("an ", "")]
        assert reason in (expected, *others), wanted[key]


def test_a_model_may_be_called_anything() -> None:
    for f in reasons({}, model="{} %s 'x'"):
        if f["error_type"] in ("missing", "wrong_class"):
            assert "{} %s 'x' sees" in f["reason"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cat", "a cat"),
        ("apple", "an apple"),
        ("Elephant", "an Elephant"),
        ("umbrella", "an umbrella"),
        ("unicycle", "a unicycle"),
        ("uniform", "a uniform"),
        ("urn", "an urn"),
        ("utensil", "a utensil"),
        ("hourglass", "an hourglass"),
        ("house", "a house"),
        ("one-way sign", "a one-way sign"),
        ("ewer", "a ewer"),
        ("bus", "a bus"),
        ("wine glass", "a wine glass"),
        ("tennis racket", "a tennis racket"),
        ("scissors", "scissors"),
        ("skis", "skis"),
        ("Sunglasses", "Sunglasses"),
        ("7", "a 7"),
        ("", "a "),
    ],
)
def test_articles(name: str, said: str) -> None:
    assert duckdb.execute(f"select {WITH_ARTICLE} from (select ? as name)", [name]).fetchone() == (
        said,
    )


def test_numbers_of_the_sentence_are_those_of_the_evidence(plain: list[dict[str, Any]]) -> None:
    for f in plain:
        numbers = {
            "missing": [f["confidence"]],
            "wrong_class": [f["confidence"], f["iou"]],
            "inaccurate": [f["iou"], f["typical_iou"]],
            "duplicate": [f["iou"]],
            "spurious": [f["support"]],
        }[f["error_type"]]
        assert all(f"{n:.2f}" in f["reason"] for n in numbers), f["reason"]
