"""What a model says about a label's own box changes what is found of that label, and nothing else; who saw the labels is marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers import batch
from helpers.scenes import APPLE, CAT, CATEGORIES, DOG, image, ordinary

from label_quality.schema import TABLES

IMAGES, LABELS, SEEN = ordinary(40)
BOX = (200.0, 200.0, 110.0, 90.0)
SUSPECT = 1  # the id of the label that each test is about


def probe(label: dict[str, Any], **said: Any) -> dict[str, Any]:
    """An answer of ``det``: all is well, but for what is `said`."""
    x, y, width, height = label["bbox"]
    fine = {"given_probability": 0.95, "other_category_id": None, "other_probability": 0.02}
    other = {"background_probability": 0.03, "box_iou": 0.95, "x": x, "y": y, "width": width}
    row = {**fine, **other, "height": height, "annotation_id": label["id"], **said}
    return {
        n: row.get(n, {"batch": batch.BATCH, "model": "det"}.get(n))
        for n in TABLES["label_probes"].column_names
    }


def found(
    label: dict[str, Any],
    seen: list[dict[str, Any]],
    said: dict[str, Any] | None,
    saw: bool = False,
    model: str = "det",
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Findings about the label, and all others. Without `said` no label was asked about."""
    labels = [*LABELS, {"id": SUSPECT, "image_id": 1, **label}]
    predictions = {"det": SEEN["det"] + [{"image_id": 1, **p} for p in seen]}
    with batch.database([*IMAGES, image(1)], labels, predictions, CATEGORIES) as con:
        con.execute("update models set saw_labels = ?", [saw])
        if said is not None:
            random = np.random.default_rng(0)
            rows = [
                probe(
                    a,
                    model=model,
                    box_iou=random.uniform(0.9, 1),
                    **(said if a["id"] == SUSPECT else {}),
                )
                for a in labels
                if not (a["id"] == SUSPECT and "box_iou" in said)
            ]
            rows += [probe(labels[-1], model=model, **said)] if "box_iou" in said else []
            table = pa.Table.from_pylist(rows, schema=TABLES["label_probes"].arrow_schema())
            con.register("_probes", table)
            con.execute("insert into label_probes by name from _probes")
        batch.audit(con)
        every = batch.findings(con)
    mine = [f for f in every if f["annotation_id"] == SUSPECT]
    return mine, [f for f in every if f["annotation_id"] != SUSPECT]


def score(findings: list[dict[str, Any]], error_type: str) -> float:
    return max([f["score"] for f in findings if f["error_type"] == error_type], default=0.0)


def test_a_label_that_the_model_grants_an_object_is_not_spurious() -> None:
    """Its detection was lost, to suppression or to the limit: asked about the very box, the model sees something."""
    label = {"category_id": CAT, "bbox": BOX}
    alone, _ = found(label, [], None)
    granted, _ = found(label, [], {"background_probability": 0.02})
    nothing, _ = found(label, [], {"background_probability": 0.99})
    assert score(alone, "spurious") > 0.4
    assert score(granted, "spurious") < 0.05
    assert score(nothing, "spurious") >= score(alone, "spurious") - 0.05


def test_an_answer_names_the_class_where_no_prediction_does() -> None:
    label = {"category_id": CAT, "bbox": BOX}
    said = {"given_probability": 0.02, "other_category_id": DOG, "other_probability": 0.95}
    assert score(found(label, [], None)[0], "wrong_class") == 0
    (finding,) = found(label, [], said)[0]
    assert finding["error_type"] == "wrong_class"
    assert finding["suggested_category_id"] == DOG
    assert finding["prediction_id"] is finding["iou"] is None
    assert finding["confidence"] == pytest.approx(0.95)
    assert finding["reason"] == (
        "Labelled cat, but det sees a dog at this place (probability 0.95 when asked about this box)."
    )


def test_an_answer_for_the_label_speaks_against_a_prediction_of_another_class() -> None:
    label = {"category_id": CAT, "bbox": BOX}
    seen = [{"category_id": DOG, "bbox": BOX, "score": 0.9}]
    alone = score(found(label, seen, None)[0], "wrong_class")
    assert alone > 0.4
    assert score(found(label, seen, {"given_probability": 0.97})[0], "wrong_class") < 0.05
    # With a prediction at hand, that is what the finding rests on.
    both = {"given_probability": 0.02, "other_category_id": DOG, "other_probability": 0.95}
    (finding,) = found(label, seen, both)[0]
    assert finding["prediction_id"] is not None
    assert finding["score"] > 0.4


def test_a_box_that_the_model_would_rather_have_elsewhere_is_inaccurate() -> None:
    label = {"category_id": CAT, "bbox": BOX}
    seen = [{"category_id": CAT, "bbox": (205.0, 203.0, 100.0, 92.0), "score": 0.95}]
    alone = score(found(label, seen, None)[0], "inaccurate")
    off = score(found(label, seen, {"box_iou": 0.6})[0], "inaccurate")
    fine = score(found(label, seen, {"box_iou": 0.95})[0], "inaccurate")
    assert fine < alone < off


def test_answers_of_a_class_that_the_model_does_not_know_say_nothing_about_it() -> None:
    """The given class is unknown: neither that nor another class is held against the label."""
    label = {"category_id": APPLE, "bbox": BOX}
    unknown = dict.fromkeys(("given_probability", "x", "y", "width", "height", "box_iou"))
    said = unknown | {"other_category_id": DOG, "other_probability": 0.9}
    assert score(found(label, [], said)[0], "wrong_class") == 0


def test_a_model_without_predictions_still_grants_objects() -> None:
    """Its name is not among those of the predictions."""
    label = {"category_id": CAT, "bbox": BOX}
    granted, _ = found(label, [], {"background_probability": 0.02}, model="other")
    assert score(granted, "spurious") < 0.05


@pytest.mark.parametrize("saw", [False, True])
def test_what_rests_on_a_model_that_saw_the_labels_is_marked(saw: bool) -> None:
    seen = [
        {"category_id": DOG, "bbox": BOX, "score": 0.9},
        {"category_id": CAT, "bbox": (9, 300, 80, 80), "score": 0.9},
    ]
    mine, others = found({"category_id": CAT, "bbox": BOX}, seen, None, saw)
    alone, _ = found({"category_id": CAT, "bbox": BOX}, [], None, saw)
    marks = {f["error_type"]: f["saw_labels"] for f in [*mine, *others, *alone]}
    assert marks["wrong_class"] is marks["missing"] is marks["spurious"] is saw
