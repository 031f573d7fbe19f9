"""What holds for every finding, on random batches: ranges, references, fixes, one finding per label, sums of the rates."""

from __future__ import annotations

import math
from typing import Any

import pytest
from helpers import batch
from helpers.scenes import CATEGORIES, ellipse, image, ordinary
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from label_quality.findings.suspects import FLOOR

# A grid of few places and sizes, so that labels and predictions meet in all ways, equal ones among them.
boxes = st.tuples(
    st.sampled_from([0.0, 10.0, 15.0, 60.0]), st.sampled_from([0.0, 10.0, 200.0]),
    st.sampled_from([0.5, 20.0, 50.0, 150.0]), st.sampled_from([20.0, 45.0, 150.0]),
)  # fmt: skip
records = st.fixed_dictionaries(
    {
        "image_id": st.integers(1, 4),
        "category_id": st.integers(1, 5),
        "bbox": boxes | st.tuples(*[st.floats(0, 200)] * 2, *[st.floats(0.01, 200)] * 2),
    }
)
labels = st.lists(
    st.builds(lambda r, crowd: {**r, "iscrowd": int(crowd == 0)}, records, st.integers(0, 6)),
    min_size=5,
    max_size=30,
)
predictions = st.lists(
    st.builds(lambda r, s: {**r, "score": s}, records, st.floats(0, 1)), min_size=5, max_size=30
)

FIXES = {
    "missing": {"add"},
    "wrong_class": {"change_class"},
    "inaccurate": {"change_box", "change_mask"},
    "duplicate": {"remove"},
    "spurious": {"remove"},
}
BOX = ("x", "y", "width", "height")


# Shrinking a failure would take minutes: the batch is printed as it is.
@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(own=labels, seen=st.lists(predictions, max_size=2), masks=st.booleans())
def test_every_finding_is_sound(own: list[Any], seen: list[list[Any]], masks: bool) -> None:
    names = tuple(f"model {k}" for k in range(len(seen)))
    images, usual, models = ordinary(12, names, masks=masks)
    random = [{"id": k, **a} for k, a in enumerate(own)]
    for record in (*random, *(p for ps in seen for p in ps)) if masks else ():
        record["segmentation"] = ellipse(record["bbox"])
    models = {m: models[m] + ps for m, ps in zip(names, seen, strict=True)}
    own = usual + random
    by_id = {a["id"]: a for a in own}
    con = batch.audit(
        batch.database([*images, *(image(k) for k in range(1, 5))], own, models, CATEGORIES)
    )
    found = batch.findings(con)
    for f in found:
        check_numbers(f)
        check_references(f, by_id, models)
        check_fix(f, by_id)
    judged = [f["annotation_id"] for f in found if f["annotation_id"] is not None]
    assert len(judged) == len(set(judged))
    assert len({f["finding_id"] for f in found}) == len(found)
    check_rates(con, found, own, bool(models))


def check_numbers(f: dict[str, Any]) -> None:
    assert not [k for k, v in f.items() if isinstance(v, float) and not math.isfinite(v)]
    assert FLOOR <= f["score"] <= 1
    for share in (
        "confidence",
        "iou",
        "mask_iou",
        "boundary_iou",
        "covered",
        "containment",
        "support",
        "recall",
    ):
        assert f[share] is None or 0 <= f[share] <= 1 + 1e-12, share
    assert f["confusion"] is None or f["confusion"] >= 0
    assert f["p_error"] == f["score"]
    assert (f["calibrated"], f["calibration_version"]) == (False, None)
    assert 0 <= f["models_agreeing"] <= f["models_total"]
    assert f["reason"].endswith(".")


def check_references(
    f: dict[str, Any], by_id: dict[int, Any], models: dict[str, list[Any]]
) -> None:
    about = by_id.get(f["annotation_id"])
    assert (about is None) == (f["error_type"] == "missing")
    if about:
        assert not about.get("iscrowd")
        assert (f["image_id"], f["category_id"]) == (about["image_id"], about["category_id"])
        assert [f[c] for c in BOX] == list(about["bbox"])
    assert (f["other_annotation_id"] is None) == (f["error_type"] != "duplicate")
    if f["error_type"] == "duplicate":
        other = by_id[f["other_annotation_id"]]
        assert other["image_id"] == f["image_id"]
        assert other["id"] != f["annotation_id"]
    assert (
        (f["model"] is None)
        == (f["prediction_id"] is None)
        == (f["error_type"] in ("duplicate", "spurious"))
    )
    if f["model"] is not None:
        assert models[f["model"]][f["prediction_id"]]["image_id"] == f["image_id"]


def check_fix(f: dict[str, Any], by_id: dict[int, Any]) -> None:
    assert f["suggested_fix"] in FIXES[f["error_type"]]
    suggested = [f["suggested_category_id"], *(f[f"suggested_{c}"] for c in BOX)]
    if f["suggested_fix"] == "remove":
        assert suggested == [None] * 5
        return
    assert None not in suggested
    if f["error_type"] == "wrong_class":
        assert f["suggested_category_id"] != f["category_id"]
        assert suggested[1:] == list(by_id[f["annotation_id"]]["bbox"])
    else:
        assert f["suggested_category_id"] == f["category_id"]


def check_rates(
    con: Any, found: list[dict[str, Any]], own: list[Any], has_predictions: bool
) -> None:
    rates = batch.rows(con, "select * from error_rates")
    for r in rates:
        wanted = [
            f
            for f in found
            if r["error_type"] in ("any", f["error_type"])
            and r["category_id"] in (None, f["category_id"])
        ]
        assert r["labels"] == sum(
            not a.get("iscrowd") and r["category_id"] in (None, a["category_id"]) for a in own
        )
        assert r["judged"] == (has_predictions or r["error_type"] == "duplicate")
        if r["judged"]:
            assert r["findings"] == len(wanted)
            assert r["expected_errors"] == pytest.approx(sum(f["p_error"] for f in wanted))
        if r["rate"] is not None:
            assert 0 <= r["rate_low"] <= r["rate"] <= r["rate_high"] <= 1 + 1e-12
