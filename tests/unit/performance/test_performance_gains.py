"""What fixing errors gains: COCOeval on results (or labels) that were fixed by hand, from the outcomes as stored."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from helpers import cocoeval
from helpers.batch import rows
from performance_tools import matched

from label_quality.performance import build_outcomes, build_performance

REMOVED = ("duplicate", "background", "both")


def scene(seed):
    """A scene without equal scores: which of two equals comes first is not what is tested here."""
    document, results = cocoeval.scene(seed)
    scores = np.random.default_rng(seed).permutation(len(results)) + 1
    return document, [{**r, "score": float(s) / 1000} for r, s in zip(results, scores, strict=True)]


def prepared(document, results):
    con = matched(document, results)
    build_outcomes(con)
    found = rows(con, "select * from new_prediction_outcomes order by prediction_id")
    labels = {r["annotation_id"]: r for r in rows(con, "from new_label_outcomes")}
    made = build_performance(con)
    gains = {
        (r["metric"], r["error_type"]): r
        for r in rows(con, f"from ({made['performance_gains']}) where iou_type = 'bbox'")
    }
    return found, labels, gains


def fixed(kind, document, results, found, labels):
    """Labels and results when all errors of that kind are fixed."""
    document, results = copy.deepcopy(document), copy.deepcopy(results)
    own = {a["id"]: a for a in document["annotations"]}
    wrong = [k for k, r in enumerate(found) if r["reason"] == kind]
    if kind == "false_positive":
        wrong = [k for k, r in enumerate(found) if r["outcome"] == "FP"]
    if kind in ("poor_location", "wrong_class"):
        about: dict[int, list[int]] = {}
        for k in wrong:
            if labels[found[k]["annotation_id"]]["outcome"] == "FN":
                about.setdefault(found[k]["annotation_id"], []).append(k)
        for label, candidates in about.items():
            best = max(candidates, key=lambda k: results[k]["score"])
            results[best]["bbox"] = own[label]["bbox"]
            results[best]["category_id"] = own[label]["category_id"]
            wrong.remove(best)
    gone = (
        {a for a, r in labels.items() if r["outcome"] == "FN"}
        if kind == "false_negative"
        else set()
    )
    if kind == "missed":
        named = {
            r["annotation_id"] for r in found if r["reason"] in ("poor_location", "wrong_class")
        }
        gone = {a for a, r in labels.items() if r["outcome"] == "FN"} - named
    document["annotations"] = [a for a in document["annotations"] if a["id"] not in gone]
    drop = set(wrong)
    return document, [r for k, r in enumerate(results) if k not in drop]


@pytest.mark.parametrize("seed", range(4))
def test_ap50_when_errors_of_one_kind_are_fixed(seed):
    document, results = scene(seed)
    found, labels, gains = prepared(document, results)
    now = cocoeval.evaluated(document, results).stats[1]
    for kind in (
        "poor_location",
        "wrong_class",
        *REMOVED,
        "missed",
        "false_positive",
        "false_negative",
    ):
        row = gains["AP50", kind]
        better = cocoeval.evaluated(*fixed(kind, document, results, found, labels)).stats[1]
        assert row["value"] == pytest.approx(now, abs=1e-9)
        assert row["value_fixed"] == pytest.approx(better, abs=1e-9), kind
        assert row["gain"] == pytest.approx(better - now, abs=1e-9)
    assert max(gains["AP50", k]["gain"] for k in ("poor_location", "background", "missed")) > 0.01


def test_findings_that_are_accepted():
    """AP against labels that were corrected by hand, one fix of each kind."""
    document, results = scene(3)
    con = matched(document, results)
    whole = [a for a in document["annotations"] if not a["iscrowd"]]
    removed, renamed, moved, kept = whole[0], whole[3], whole[6], whole[8]
    place = [20.0, 30.0, 60.0, 50.0]
    image = document["images"][5]["id"]
    results.append({"image_id": image, "category_id": 3, "bbox": [22, 30, 60, 50], "score": 0.9995})
    results.append(
        {
            "image_id": renamed["image_id"],
            "category_id": 5,
            "bbox": renamed["bbox"],
            "score": 0.9991,
        }
    )
    results.append(
        {
            "image_id": moved["image_id"],
            "category_id": moved["category_id"],
            "bbox": place,
            "score": 0.9993,
        }
    )
    con = matched(document, results)
    fix(con, 1, "spurious", "remove", removed, None, None)
    fix(con, 2, "wrong_class", "change_class", renamed, 5, renamed["bbox"])
    fix(con, 3, "inaccurate", "change_box", moved, moved["category_id"], place)
    fix(con, 4, "missing", "add", {"image_id": image}, 3, place)
    fix(con, 5, "spurious", "remove", kept, None, None, p_error=0.49)
    corrected = copy.deepcopy(document)
    own = {a["id"]: a for a in corrected["annotations"]}
    own[renamed["id"]]["category_id"] = 5
    own[moved["id"]].update(bbox=place, area=3000.0)
    corrected["annotations"].append(
        {
            "id": 10_000,
            "image_id": image,
            "category_id": 3,
            "bbox": place,
            "area": 3000.0,
            "iscrowd": 0,
        }
    )
    corrected["annotations"] = [a for a in corrected["annotations"] if a["id"] != removed["id"]]
    made = build_performance(con)["performance_gains"]
    for metric, place_ in (("AP", 0), ("AP50", 1)):
        (row,) = rows(
            con, f"from ({made}) where error_type = 'accept_findings' and metric = ?", metric
        )
        before, after = (
            cocoeval.evaluated(d, results).stats[place_] for d in (document, corrected)
        )
        assert row["value"] == pytest.approx(before, abs=1e-9)
        assert row["value_fixed"] == pytest.approx(after, abs=1e-9)
        assert row["gain"] != 0


def fix(con, number, error_type, suggested_fix, label, category, box, p_error=0.5):
    """A finding as the findings table has it."""
    x, y, width, height = box or [None] * 4
    values = {
        "batch": "batch-1", "finding_id": f"f{number}", "error_type": error_type, "image_id": label["image_id"],
        "annotation_id": label.get("id"), "category_id": 1, "suggested_fix": suggested_fix,
        "suggested_category_id": category, "suggested_x": x, "suggested_y": y, "suggested_width": width,
        "suggested_height": height, "score": p_error, "x": 0, "y": 0, "width": 1, "height": 1, "models_agreeing": 1,
        "models_total": 1, "saw_labels": False, "p_error": p_error, "calibrated": False, "reason": "", "rule_version": "1",
    }  # fmt: skip
    names = ", ".join(values)
    con.execute(
        f"insert into findings ({names}) values ({', '.join('?' * len(values))})",
        [*values.values()],
    )
