"""The random sample: what is drawn, with which probability, in which order; and what its answers give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from helpers import batch

from label_quality.rates import draw_sample
from label_quality.reviews import estimate_reviewed
from label_quality.reviews.estimate import ENOUGH
from label_quality.settings import Sample

Row = dict[str, Any]
VERDICT: Row = {
    "batch": "b", "verdict": "reject", "error_type": None, "applied": False, "superseded": False, "disagreement": False,
    "annotation_id": None, "attached_annotation_id": None, "attached_finding_id": None, "category_id": 1, "fix": None,
    "sample": None,
}  # fmt: skip
VERDICTS = pa.schema([*((n, pa.string()) for n in ("batch", "verdict", "error_type", "attached_finding_id", "fix", "sample")),
                      *((n, pa.bool_()) for n in ("applied", "superseded", "disagreement")),
                      *((n, pa.int64()) for n in ("seq", "annotation_id", "attached_annotation_id", "category_id"))])  # fmt: skip


def database(
    labels: int = 1000, found: Sequence[tuple[str, int | None, float]] = (), categories: int = 1
) -> duckdb.DuckDBPyConnection:
    """Labels 0, 1, … of categories in turn, the last one a crowd beside them; findings (type, label or None, score)."""
    con = duckdb.connect()
    con.execute(
        f"""
        create table annotations as
          select 'b' as batch, range as annotation_id, range % 7 as image_id, 1 + range % {categories} as category_id,
                 range = {labels} as iscrowd from range({labels + 1});
        create table findings (batch varchar, finding_id varchar, error_type varchar, image_id bigint, annotation_id bigint,
                               other_annotation_id bigint, category_id bigint, score double);
        create view finding_scores as from findings
        """
    )
    for k, (kind, label, score) in enumerate(found):
        con.execute(
            "insert into findings values ('b', ?, ?, 1, ?, null, 1, ?)", [f"f{k}", kind, label, score]
        )  # fmt: skip
    return con


def drawn(con: duckdb.DuckDBPyConnection, **sample: int) -> list[Row]:
    draw_sample(con, Sample(**sample))
    for table in ("review_sample", "review_strata"):
        con.execute(f"create or replace table {table} as from new_{table}")
    return batch.rows(con, "from review_sample order by number")


def reviewed(
    con: duckdb.DuckDBPyConnection, verdicts: Sequence[Row]
) -> dict[tuple[str, int | None], Row]:
    listed = [{**VERDICT, "seq": k, **v} for k, v in enumerate(verdicts, 1)]
    con.register("_verdicts", pa.Table.from_pylist(listed, schema=VERDICTS))
    estimate_reviewed(con)
    return {(r["error_type"], r["category_id"]): r for r in batch.rows(con, "from _reviewed")}


def said(unit: Row, **more: Any) -> Row:
    """An answer to a card of the sample; without `verdict` that all is right."""
    about = {"annotation_id": unit["annotation_id"], "attached_annotation_id": unit["annotation_id"]}  # fmt: skip
    if unit["finding_id"] is not None:
        about = {"attached_finding_id": unit["finding_id"], "error_type": "missing"}
    return {**about, "sample": unit["draw"], **more}


def wrong(unit: Row, action: str = "change_class", **more: Any) -> Row:
    fix = json.dumps({"action": action, "category_id": 2}) if action == "change_class" else json.dumps({"action": action})  # fmt: skip
    return said(unit, verdict="accept", fix=fix, **more)


FINDINGS = [
    *[("wrong_class", k, 0.3) for k in range(40)],
    *[("spurious", k, 0.6) for k in range(20, 50)],
    *[("missing", None, 0.7) for _ in range(25)],
]


def test_every_label_and_suspected_missing_one_has_its_stratum() -> None:
    con = database(found=FINDINGS)
    drawn(con)
    found = dict(con.execute("select stratum, sum(units) from review_strata group by 1").fetchall())
    assert (
        found
        == {
            "no finding": 950,
            "wrong_class 0.2 to 0.5": 20,
            "spurious 0.5 to 1": 30,  # the strongest finding about a label says where it stands; crowds stand nowhere
            "missing 0.5 to 1": 25,
        }
    )


def test_probabilities_are_what_was_drawn_of_what_there_is() -> None:
    rows = drawn(database(found=FINDINGS), size=100)
    for stratum in {r["stratum"] for r in rows}:
        mine = [r for r in rows if r["stratum"] == stratum]
        assert {r["sampled"] for r in mine} == {len(mine)}
        assert {r["probability"] for r in mine} == {len(mine) / mine[0]["units"]}
        units = [(r["annotation_id"], r["finding_id"]) for r in mine]
        assert len(set(units)) == len(units)
    assert [r["number"] for r in rows] == list(range(1, len(rows) + 1))
    assert {r["stratum"] for r in rows[:4]} == {r["stratum"] for r in rows}
    assert 100 <= len(rows) <= 130


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    one, again, other = (drawn(database(found=FINDINGS), size=50, seed=s) for s in (1, 1, 2))
    assert one == again
    assert {r["annotation_id"] for r in one} != {r["annotation_id"] for r in other}
    assert {r["draw"] for r in one}.isdisjoint({r["draw"] for r in other})
    assert len({r["draw"] for r in one}) == 1


def test_every_label_of_a_stratum_is_drawn_as_often_as_the_others() -> None:
    con = database(labels=60)
    times = np.zeros(60)
    for seed in range(100):
        for row in drawn(con, size=12, seed=seed):
            times[row["annotation_id"]] += 1
    assert times.sum() == 100 * 12
    # Binomial, 100 times 1/5: standard deviation 4; the largest of 60 lies within 4 of them.
    assert np.abs(times - 20).max() < 16


@pytest.mark.parametrize(("labels", "size", "expected"), [(0, 400, 0), (3, 400, 3), (1000, 0, 0)])
def test_small_batches_and_none(labels: int, size: int, expected: int) -> None:
    assert len(drawn(database(labels), size=size)) == expected


def test_all_asked_is_known_exactly() -> None:
    """Everything was drawn and answered: the rate is what people said, without an interval."""
    con = database(labels=40, found=[("missing", None, 0.7)] * 10)
    rows = drawn(con, size=1000)
    assert len(rows) == 50
    answers = [wrong(r) if r["annotation_id"] in (3, 7) else said(r) for r in rows]
    missing = [r for r in rows if r["finding_id"]]
    answers = [a for a in answers if a.get("error_type") is None] + [
        said(r, verdict="accept" if k < 4 else "reject") for k, r in enumerate(missing)
    ]
    found = reviewed(con, answers)
    for kind, rate in (("wrong_class", 2 / 44), ("missing", 4 / 44), ("any", 6 / 44), ("spurious", 0)):  # fmt: skip
        row = found[kind, None]
        assert (row["reviewed_rate"], row["reviewed_low"], row["reviewed_high"]) == pytest.approx((rate,) * 3)  # fmt: skip
    assert found["any", None]["n_sampled"] == 50
    assert found["any", None]["reviewed_labels"] == 40


def test_horvitz_thompson_by_hand() -> None:
    """900 labels without a finding, of which 3 of 90 answers are wrong; 100 with one, of which 30 of 60 are."""
    con = database(labels=1000, found=[("spurious", k, 0.6) for k in range(100)])
    rows = drawn(con, size=600)
    plain = [r for r in rows if r["stratum"] == "no finding"][:90]
    suspect = [r for r in rows if r["stratum"] != "no finding"][:60]
    assert (len(plain), len(suspect)) == (90, 60)
    answers = [wrong(r) if k < 3 else said(r) for k, r in enumerate(plain)]
    answers += [wrong(r, "remove") if k < 30 else said(r) for k, r in enumerate(suspect)]
    found = reviewed(con, answers)
    assert found["any", None]["reviewed_rate"] == pytest.approx((900 * 3 / 90 + 100 * 30 / 60) / 1000)  # fmt: skip
    assert found["wrong_class", None]["reviewed_rate"] == pytest.approx(900 * 3 / 90 / 1000)
    assert found["spurious", None]["reviewed_rate"] == pytest.approx(100 * 30 / 60 / 1000)
    assert found["duplicate", None]["reviewed_rate"] == 0
    row = found["any", None]
    assert row["reviewed_low"] < row["reviewed_rate"] < row["reviewed_high"] < 0.15


def test_what_the_ranked_queue_decided_stands_for_itself_alone() -> None:
    """All 100 suspects were decided in the queue, 90 are errors: that says nothing about the 900 others."""
    con = database(labels=1000, found=[("spurious", k, 0.6) for k in range(100)])
    rows = drawn(con, size=300)
    plain = [said(r) for r in rows if r["stratum"] == "no finding"]
    assert len(plain) < 300
    ranked = [
        {"annotation_id": k, "attached_annotation_id": k, "error_type": "spurious",
         "verdict": "accept" if k < 90 else "reject"} for k in range(100)
    ]  # fmt: skip
    found = reviewed(con, plain + ranked)
    row = found["spurious", None]
    assert row["n_sampled"] == len(plain)
    assert row["reviewed_rate"] == pytest.approx(90 / 1000)
    assert row["reviewed_low"] == pytest.approx(90 / 1000)
    assert 90 / 1000 < row["reviewed_high"] < 0.11
    # Of ten suspects it is known that they are not spurious, and not whether they are right.
    assert found["any", None]["reviewed_rate"] is None
    assert reviewed(con, ranked) == {}


def test_answers_to_another_draw_are_no_answers_to_this_one() -> None:
    con = database(labels=1000)
    before = drawn(con, size=200, seed=1)
    drawn(con, size=200, seed=2)
    assert reviewed(con, [said(r) for r in before]) == {}


@pytest.mark.parametrize(
    "change",
    [{"superseded": True}, {"disagreement": True}, {"verdict": "unsure"}],
)
def test_what_decides_nothing_is_no_answer(change: Row) -> None:
    con = database(labels=1000)
    rows = drawn(con, size=100)
    answers = [said(r) for r in rows]
    answers[0] |= change
    assert reviewed(con, answers)["any", None]["n_sampled"] == len(rows) - 1


def test_fixes_that_were_delivered_are_no_errors_any_more() -> None:
    con = database(labels=1000)
    rows = drawn(con, size=100)
    found = reviewed(con, [wrong(r, applied=True) for r in rows])
    assert found["any", None]["reviewed_rate"] == 0
    assert found["any", None]["n_sampled"] == len(rows)


def test_the_fix_says_of_which_type_an_error_is() -> None:
    con = database(labels=1000, found=[("duplicate", 5, 0.06)])
    rows = {r["annotation_id"]: r for r in drawn(con, size=100)}
    drawn_ones = [r for k, r in rows.items() if k != 5]
    answers = [said(r) for r in drawn_ones[4:]] + [
        wrong(rows[5], "remove"),
        wrong(drawn_ones[0], "remove"),
        wrong(drawn_ones[1], "change_mask"),
        wrong(drawn_ones[2], "change_class"),
        said(drawn_ones[3], verdict="relabel"),
    ]
    found = {k: r for (k, c), r in reviewed(con, answers).items() if c is None}
    each = 999 / len(drawn_ones) / 1000
    assert found["duplicate"]["reviewed_rate"] == pytest.approx(0.001)
    assert found["any"]["reviewed_rate"] == pytest.approx(0.001 + 4 * each)
    # The one for relabelling is an error of some type.
    of_types = 999 / (len(drawn_ones) - 1) / 1000
    for kind in ("spurious", "inaccurate", "wrong_class"):
        assert found[kind]["reviewed_rate"] == pytest.approx(of_types)


def test_too_few_answers_and_strata_without_any_give_no_rate() -> None:
    con = database(labels=1000, found=[("spurious", k, 0.6) for k in range(100)])
    rows = drawn(con, size=200)
    few = [r for r in rows if r["stratum"] == "no finding"][: ENOUGH + 5]
    assert reviewed(con, [said(r) for r in few])["any", None]["reviewed_rate"] is None
    suspect = next(r for r in rows if r["stratum"] != "no finding")
    assert reviewed(con, [said(r) for r in [*few, suspect]])["any", None]["reviewed_rate"] == 0
    short = reviewed(con, [said(r) for r in [*few[: ENOUGH - 2], suspect]])["any", None]
    assert (short["reviewed_rate"], short["n_sampled"]) == (None, ENOUGH - 1)


def test_categories_have_rates_of_their_own() -> None:
    con = database(labels=1000, categories=2)
    rows = drawn(con, size=200)
    found = reviewed(con, [wrong(r) if r["category_id"] == 2 else said(r) for r in rows])
    assert found["any", 1]["reviewed_rate"] == 0
    assert found["any", 2]["reviewed_rate"] == 1
    assert {found["any", c]["reviewed_labels"] for c in (1, 2)} == {500}
    assert found["any", None]["reviewed_rate"] == pytest.approx(0.5, abs=0.1)
