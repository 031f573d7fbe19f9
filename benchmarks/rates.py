"""How often the 95 % interval of a reviewed error rate holds the true rate, how wide it is, and whether p_error narrows it.

    python benchmarks/rates.py [--reviews 1000] [--labels 3000]

Simulated reviews: batches whose labels are wrong with a known probability, of whose errors most have a finding and some have
none, beside false alarms. The sample is drawn, answered and estimated by the project's own code; every batch has a truth
of its own. Writes the figures into docs/rates.md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_quality.rates import draw_sample
from label_quality.reviews import estimate_reviewed
from label_quality.settings import Sample

RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
ANSWERS = (100, 200, 400)
SIZE = 400  # of the sample, of which so many are answered
TYPES = {"wrong_class": 0.4, "inaccurate": 0.4, "spurious": 0.2}
FIXES = {
    "wrong_class": '{"action": "change_class", "category_id": 2}',
    "inaccurate": '{"action": "change_box", "box": [0, 0, 1, 1]}',
    "spurious": '{"action": "remove"}',
}
SUSPECTED, FALSE_ALARMS = 0.8, 0.1  # of the errors have a finding; of the other labels
DOCUMENT = Path(__file__).parent.parent / "docs" / "rates.md"
BEGIN, END = "<!-- figures: python benchmarks/rates.py -->\n", "<!-- end of figures -->\n"


@dataclass(frozen=True)
class Reviews:
    """Batches 0, 1, … with what is true of them; `con` shows all tables that are read, of all batches."""

    con: duckdb.DuckDBPyConnection
    truth: dict[str, NDArray[np.float64]]


def simulate(rate: float, reviews: int, labels: int, seed: int, sample: int = SIZE) -> Reviews:
    """Batches of `labels` labels of which `rate` are wrong, and half as many suspected missing ones are really missing."""
    rng = np.random.default_rng(seed)
    n = reviews * labels
    batch = np.repeat(np.arange(reviews), labels)
    wrong = rng.random(n) < rate
    kind = rng.choice(list(TYPES), n, p=list(TYPES.values()))
    score = np.where(
        wrong,
        np.where(rng.random(n) < SUSPECTED, rng.beta(2.5, 1.5, n), 0),
        np.where(rng.random(n) < FALSE_ALARMS, rng.beta(1, 4, n), 0),
    )
    lost = rng.binomial(labels, rate / 2, reviews)
    suspected = lost + rng.binomial(labels, 0.05, reviews)
    m = int(suspected.sum())
    of = np.repeat(np.arange(reviews), suspected)
    place = np.arange(m) - np.repeat(np.cumsum(suspected) - suspected, suspected)
    missing = place < lost[of]
    missing_score = np.where(missing, rng.beta(2.5, 1.5, m), rng.beta(1, 4, m))
    con = duckdb.connect(config={"threads": 2})
    con.register("_labels", pa.table({"number": batch, "annotation_id": np.tile(np.arange(labels), reviews), "wrong": wrong,
                                      "error_type": kind, "score": score}))  # fmt: skip
    con.register("_missing", pa.table({"number": of, "place": place, "wrong": missing, "score": missing_score}))  # fmt: skip
    con.execute(
        """
        create table labels as select number::varchar as batch, * from _labels;
        create table annotations as
          select batch, annotation_id as image_id, annotation_id, 1::bigint as category_id, false as iscrowd from labels;
        create table findings as
          select batch, 'l' || annotation_id as finding_id, error_type, annotation_id as image_id, annotation_id,
                 null::bigint as other_annotation_id, 1::bigint as category_id, score, wrong
          from labels where score >= 0.05
          union all
          select number::varchar, 'm' || place, 'missing', place, null, null, 1, score, wrong from _missing where score >= 0.05
        """
    )
    con.execute("create view finding_scores as from findings")
    draw_sample(con, Sample(size=sample, seed=seed))
    for table in ("review_sample", "review_strata"):
        con.execute(f"create table {table} as from new_{table}")
    true = {t: np.bincount(batch[wrong & (kind == t)], minlength=reviews) for t in TYPES}
    found = np.bincount(of[missing & (missing_score >= 0.05)], minlength=reviews)
    true |= {"missing": found, "any": sum(true.values()) + found}
    return Reviews(con, {t: errors / (labels + found) for t, errors in true.items()})


def answer(con: duckdb.DuckDBPyConnection, answers: int, queue_from: float = 2.0) -> None:
    """Make ``_verdicts``: the first `answers` of each sample, and whatever the ranked queue has from a score on."""
    fix = "case o.error_type " + " ".join(f"when '{t}' then '{f}'" for t, f in FIXES.items()) + " end"  # fmt: skip
    con.execute(
        f"""
        create or replace table _verdicts as
        with said as (
          select s.batch, s.draw as sample, s.annotation_id, null as finding_id, null as error_type, l.wrong,
                 case when l.wrong then {fix.replace("o.", "l.")} end as fix
          from review_sample s join labels l using (batch, annotation_id) where s.number <= {answers}
          union all
          select s.batch, s.draw, null, s.finding_id, 'missing', f.wrong, null
          from review_sample s join findings f using (batch, finding_id) where s.number <= {answers}
          union all
          select batch, null, annotation_id, finding_id, error_type, wrong, null from findings where score >= {queue_from}
        )
        select *, row_number() over () as seq, case when wrong then 'accept' else 'reject' end as verdict, 1 as category_id,
               annotation_id as attached_annotation_id, finding_id as attached_finding_id, false as applied,
               false as superseded, false as disagreement
        from said
        """
    )


def estimated(made: Reviews) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Rate, low and high by error type, one value for each batch; NaN where there is none."""
    estimate_reviewed(made.con)
    out = {}
    for kind in made.truth:
        rows = made.con.execute(
            "from _reviewed where error_type = ? and category_id is null order by batch::integer", [kind]
        ).fetchnumpy()  # fmt: skip
        out[kind] = {
            name: np.ma.filled(np.ma.asarray(rows[f"reviewed_{name}"], dtype=float), np.nan)
            for name in ("rate", "low", "high")
        }
    return out


@dataclass(frozen=True)
class Measured:
    """Of one type: share of intervals that hold the truth, mean width, root mean square error, reviews with a rate."""

    coverage: float
    width: float
    error: float
    rated: int


def measured(made: Reviews, kind: str, rows: dict[str, NDArray[np.float64]]) -> Measured:
    """How good the intervals of one type are."""
    true, there = made.truth[kind], ~np.isnan(rows["rate"])
    inside = (rows["low"] <= true + 1e-12) & (true <= rows["high"] + 1e-12)
    width, off = rows["high"] - rows["low"], rows["rate"] - true
    n = int(there.sum())
    if n < len(true) / 10:  # those that have a rate early are no fair choice
        return Measured(np.nan, np.nan, np.nan, n)
    return Measured(
        float(inside[there].mean()),
        float(width[there].mean()),
        float(np.sqrt((off[there] ** 2).mean())),
        n,
    )


def with_scores(made: Reviews, answers: int) -> tuple[float, float]:
    """Root mean square errors of the share of wrong labels: by the strata alone, and with scores within them (PPI++).

    The difference estimator: mean of y - w f over the answers, + w times the mean of f over all, stratum by stratum, with
    the one w for all strata that makes the estimated variance least (Angelopoulos, Duchi & Zrnic 2023).
    """
    errors = made.con.execute(
        f"""
        with whole as (
          select l.batch, coalesce(s.stratum, 'no finding') as stratum, l.wrong::int as y, l.score as f, s.number, s.units
          from labels l join review_sample s using (batch, annotation_id)
        ), means as (
          select batch, case when l.score < 0.05 then 'no finding' when l.score < 0.2 then error_type || ' 0.05 to 0.2'
                   when l.score < 0.5 then error_type || ' 0.2 to 0.5' else error_type || ' 0.5 to 1' end as stratum,
                 avg(case when l.score >= 0.05 then l.score else 0 end) as f_all, count(*) as units, sum(wrong::int) as truth
          from labels l group by all
        ), strata as (
          select m.batch, m.stratum, m.units, m.truth, m.f_all, count(*) as n, avg(y) as y,
                 avg(case when f >= 0.05 then f else 0 end) as f,
                 coalesce(covar_samp(y, case when f >= 0.05 then f else 0 end), 0) as yf,
                 coalesce(var_samp(case when f >= 0.05 then f else 0 end), 0) as ff
          from means m join whole w using (batch, stratum) where number <= {answers} group by all
        ), tuned as (
          select *, sum(units * units / n * yf) over (partition by batch)
                    / nullif(sum(units * units / n * ff) over (partition by batch), 0) as w from strata
        ), by_batch as (
          select batch, sum(units) as labels, sum(truth) as truth, sum(units * y) as plain,
                 sum(units * (y + coalesce(w, 0) * (f_all - f))) as ppi from tuned group by batch
        )
        select sqrt(avg(power((plain - truth) / labels, 2))), sqrt(avg(power((ppi - truth) / labels, 2))) from by_batch
        """
    ).fetchall()[0]
    return float(errors[0]), float(errors[1])


def report(reviews: int, labels: int) -> str:
    """The figures as Markdown."""
    kinds = ("any", "missing", *TYPES)
    lines = [
        f"{reviews:,} simulated reviews for each line, of batches of {labels:,} labels each; a sample of {SIZE} (and what small strata",
        f"add), of which the first so many are answered. {SUSPECTED:.0%} of the errors have a finding, and {FALSE_ALARMS:.0%} of the right labels.",
        "\"With the queue\": all findings with a score from 0.5 were decided in the ranked queue as well. Blank: fewer than one review in ten has a rate yet.",
        "",
        "| true rate | answers | 95 % interval of all types holds the truth | mean width | with the queue | mean width | missing | wrong class | inaccurate | spurious |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    ratios = []
    for number, rate in enumerate(RATES):
        made = simulate(rate, reviews, labels, seed=number)
        for answers in ANSWERS:
            answer(made.con, answers)
            alone = {k: measured(made, k, rows) for k, rows in estimated(made).items()}
            plain, ppi = with_scores(made, answers)
            ratios.append((rate, answers, plain, ppi))
            answer(made.con, answers, queue_from=0.5)
            both = measured(made, "any", estimated(made)["any"])
            types = " | ".join(_percent(alone[k].coverage) for k in kinds[1:])
            lines.append(
                f"| {np.mean(made.truth['any']):.1%} | {answers} | {_percent(alone['any'].coverage)} | {alone['any'].width:.2%} "
                f"| {_percent(both.coverage)} | {'' if np.isnan(both.width) else f'{both.width:.2%}'} | {types} |"
            )
            print(lines[-1], f"{plain:.5f} {ppi:.5f} {ppi / plain:.3f}", alone["any"].rated, flush=True)  # fmt: skip
        made.con.close()
    lines += ["", _with_scores_told(ratios)]
    return "\n".join(lines) + "\n"


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{share:.1%}"


def _with_scores_told(ratios: list[tuple[float, int, float, float]]) -> str:
    found = [ppi / plain for _, _, plain, ppi in ratios]
    return (
        "Scores within the strata (PPI++, the difference estimator with the weight tuned): the root mean square error of the share of wrong "
        f"labels becomes {min(found):.3f} to {max(found):.3f} times what it is by the strata alone, {np.mean(found):.3f} in the mean."
    )


def main() -> None:
    """Simulate, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=3000)
    asked = parser.parse_args()
    start = time.perf_counter()
    figures = report(asked.reviews, asked.labels)
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}", "utf-8")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
