"""Outcomes (TP, FP, FN, ignored) beside the metrics: a table in memory whose rows stand as those of the table of metrics.

So a filter by outcome is a positional join, which costs a tenth of a join by key where there are millions of predictions.
"""

from __future__ import annotations

from label_quality.review.answers import Refused
from label_quality.review.database import Row, View
from label_quality.review.kept import once
from label_quality.review.kinds import KEYS, Kind
from label_quality.store.scan import identifier, quoted

OUTCOMES: dict[Kind, str] = {"annotation": "label_outcomes", "prediction": "prediction_outcomes"}


def first_model(view: View) -> str:
    """The first model by name, "" where there is none."""
    row = view.row("select min(model) as model from models")
    return str(row["model"]) if row and row["model"] is not None else ""


def with_outcomes(view: View, kind: Kind, by: str, model: str) -> str:
    """A relation with the columns of ``<kind>_metrics``, outcome and reason; both NULL where nothing was judged.

    Args:
        view: the database.
        kind: annotation or prediction.
        by: bbox or segm.
        model: whose outcome of labels is meant, the first model where it is "". Predictions have their own.

    Refused where there is no such model: for each a table is kept.
    """
    judge = (model or first_model(view)) if kind == "annotation" else ""
    if judge and not view.row("select 1 as there from models where model = ? limit 1", [judge]):
        raise Refused(f"there is no model {judge!r}")
    name = f"live.{identifier(f'outcomes of {kind} by {by} {judge}')}"
    once(view, name, lambda: _build(view, name, kind, by, judge))
    return f"(select m.*, o.outcome, o.reason from {kind}_metrics m positional join {name} o)"


def counts(view: View, kind: Kind, by: str, model: str) -> list[Row]:
    """How many predictions or labels have which outcome and reason: outcome, reason, n; of all models where it is ""."""
    table = OUTCOMES[kind]
    return once(
        view,
        (table, by, model),
        lambda: view.rows(
            f"""select outcome, reason, count(*) as n from {table} where iou_type = $1 and $2 in ('', model)
                group by all order by outcome desc, n desc""",
            [by, model],
        ),
    )


def _build(view: View, name: str, kind: Kind, by: str, judge: str) -> bool:
    same = " and ".join(f"o.{key} = m.{key}" for key in KEYS[kind])
    whose = f"and o.model = {quoted(judge)}" if kind == "annotation" else ""
    view.con.execute(
        f"""create or replace table {name} as
            select o.outcome::enum('TP', 'FP', 'FN', 'ignored') as outcome,
                   o.reason::enum('poor_location', 'wrong_class', 'duplicate', 'background', 'both', 'missed', 'shared') as reason
            from {kind}_metrics m left join {OUTCOMES[kind]} o on {same} and o.iou_type = {quoted(by)} {whose}
            order by m.rowid"""
    )
    return True
