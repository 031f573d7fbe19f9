"""What stands in ``outliers`` and ``outlier_summary``: keys, kinds, several batches, and what a total counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.metric_values import add, database, metric, schema_rows, table

from label_quality.outliers import build_outliers

N = 200


def ordinary(**planted: float) -> np.ndarray:
    """Values without an outlier, except those planted at ``at_<row>``."""
    values = np.linspace(-1, 1, N)
    for place, value in planted.items():
        values[int(place.removeprefix("at_"))] = value
    return values


def built(con: Any, *args: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    queries = build_outliers(con, *args)
    assert queries.keys() == {"outliers", "outlier_bounds", "outlier_summary"}
    schema_rows(con, "outlier_bounds", queries.pop("outlier_bounds"))
    return tuple(schema_rows(con, name, sql) for name, sql in queries.items())  # type: ignore[return-value]


def test_a_total_counts_objects_and_not_metric_rows() -> None:
    """Label 0 is unusual by three metrics, severely by one; label 1 by one."""
    columns = {"a": ordinary(at_0=9), "b": ordinary(at_0=-3), "c": ordinary(at_0=3, at_1=3)}
    con = database(("annotation_metrics", table("annotation", columns)))
    rows, summary = built(con, ["annotation"], [metric(m, bad="both") for m in columns])
    assert len([r for r in rows if r["rule"] == "robust"]) == 4
    found = {r["metric"]: (r["moderate"], r["severe"]) for r in summary if r["rule"] == "robust"}
    assert found == {"a": (0, 1), "b": (1, 0), "c": (2, 0), None: (1, 1)}
    assert {r["objects"] for r in summary} == {N}


def test_keys_of_each_kind() -> None:
    con = database(
        ("image_metrics", table("image", {"value": ordinary(at_7=50)})),
        (
            "annotation_metrics",
            table("annotation", {"value": ordinary(at_8=50)}, image_id=np.full(N, 3)),
        ),
        (
            "prediction_metrics",
            table("prediction", {"value": ordinary(at_9=50)}, image_id=np.full(N, 4)),
        ),
    )
    judged = [metric(kind=k) for k in ("image", "annotation", "prediction")]
    rows, summary = built(con, ["image", "annotation", "prediction"], judged)
    keys = ("kind", "image_id", "annotation_id", "model", "prediction_id", "category_name")
    assert {tuple(r[k] for k in keys) for r in rows if r["rule"] == "robust"} == {
        ("image", 7, None, None, None, None),
        ("annotation", 3, 8, None, None, "cat"),
        ("prediction", 4, None, "m", 9, "cat"),
    }
    assert {r["kind"] for r in summary} == {"image", "annotation", "prediction"}


def test_predictions_are_left_out_unless_asked_for() -> None:
    con = database(
        ("image_metrics", table("image", {"value": ordinary()})),
        ("annotation_metrics", table("annotation", {"value": ordinary()})),
    )
    judged = [metric(kind=k) for k in ("image", "annotation", "prediction")]
    assert {r["kind"] for r in built(con, ("image", "annotation"), judged)[1]} == {
        "image",
        "annotation",
    }


def test_batches_are_judged_together_by_the_name_of_the_category() -> None:
    """Category 1 of one batch and 2 of the other are both cats: 15 + 15 labels are enough for bounds of their own."""
    con = database()
    con.execute(
        "insert into categories values ('p', 1, null, 'cat', null), ('q', 2, null, 'cat', null)"
    )
    values = np.r_[np.linspace(-1, 1, 15), np.linspace(-1, 1, 15)]
    values[29] = 30
    rows = table(
        "annotation",
        {"value": values},
        batch=["p"] * 15 + ["q"] * 15,
        category_id=np.repeat([1, 2], 15),
    )
    add(con, "annotation_metrics", rows)
    found, _ = built(con, ["annotation"], [metric(per_category=True)])
    robust = [r for r in found if r["rule"] == "robust"]
    assert [(r["batch"], r["annotation_id"], r["group_name"]) for r in robust] == [("q", 29, "cat")]


def test_crowds_and_controls_are_not_judged() -> None:
    crowd = np.zeros(N, bool)
    crowd[0] = True
    columns = {"value": ordinary(at_0=50), "random": ordinary(at_1=50)}
    con = database(("annotation_metrics", table("annotation", columns, iscrowd=crowd)))
    rows, summary = built(
        con, ["annotation"], [metric(), metric("random", bad="none", control=True)]
    )
    assert rows == []
    assert {(r["metric"], r["objects"]) for r in summary} == {("value", N - 1), (None, N - 1)}


def test_the_bounds_name_the_outliers_of_both_rules() -> None:
    """Whoever asks for the objects outside of the bounds of ``outlier_bounds`` gets the rows, and the counts, of each rule."""
    rng = np.random.default_rng(3)
    size = 3 * N
    con = database(
        (
            "annotation_metrics",
            table(
                "annotation",
                {"value": rng.standard_t(2, size), "share": rng.beta(0.5, 3, size)},
                category_id=np.repeat([1, 2, 3], [N, 2 * N - 10, 10]),
            ),
        ),
        names={1: "cat", 2: "dog", 3: "owl"},
    )
    judged = [metric(per_category=True), metric("share", bad="high", low=0, high=1)]
    queries = build_outliers(con, ["annotation"], judged, ["robust", "encord"])
    for name, sql in queries.items():
        schema_rows(con, name, sql)
    for name in ("value", "share"):
        for rule in ("robust", "encord"):
            asked = f"""
                select annotation_id, case when {name} < severe_low or {name} > severe_high then 'severe' else 'moderate' end
                from annotation_metrics m join categories c using (batch, category_id)
                join outlier_bounds b on b.metric = '{name}' and b.rule = '{rule}' and b.kind = 'annotation'
                  and b.category_name is not distinct from case when exists (
                    from outlier_bounds o where o.metric = b.metric and o.rule = b.rule and o.category_name = c.name
                  ) then c.name end
                where {name} < low or {name} > high order by all"""
            found = con.execute(asked).fetchall()
            assert (
                found
                == con.execute(
                    f"select annotation_id, severity from outliers where metric = '{name}' and rule = '{rule}' order by all"
                ).fetchall()
            )
            counts = con.execute(
                f"select moderate + severe from outlier_summary where metric = '{name}' and rule = '{rule}'"
            ).fetchall()
            assert counts == [(len(found),)]
    assert con.execute(
        "select category_name, group_name from outlier_bounds where metric = 'value' and rule = 'robust' order by all"
    ).fetchall() == [("cat", "cat"), ("dog", "dog"), ("owl", None), (None, None)]


def test_no_objects_at_all() -> None:
    con = database(("annotation_metrics", table("annotation", {"value": np.zeros(0)})))
    rows, summary = built(con, ["annotation"], [metric()])
    assert rows == []
    assert {(r["moderate"], r["severe"], r["objects"]) for r in summary} == {(0, 0, 0)}
