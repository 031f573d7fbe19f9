"""Models matched with the labels once, and asked often: the slider, curves, and the cases behind the confusion matrix.

What is asked about is a model over all batches, or over one of them. The matching is ``performance``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from label_quality.performance.average import AREAS, Averages, averages, mean
from label_quality.performance.confusion import confusion_cases
from label_quality.performance.counts import SLIDER, Evaluation
from label_quality.performance.load import Data, load, models
from label_quality.report.read import SCORES
from label_quality.review.answers import Refused
from label_quality.review.database import View
from label_quality.review.kept import once
from label_quality.store.scan import identifier, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MOST = (
    4  # subjects in memory: each of them takes some 0.3 GB where there are millions of predictions
)
_READ = ("images", "categories", "annotations", "predictions", "prediction_overlaps")


@dataclass(frozen=True)
class Subject:
    """What is judged: a model by boxes or masks, over all batches where `batch` is ""."""

    model: str
    batch: str = ""
    by: str = "bbox"

    @property
    def cases(self) -> str:
        """The table of `cases_of`."""
        return f"live.{identifier(f'cases of {self.model} by {self.by} in {self.batch}')}"


class Judged:
    """A subject, matched. What takes long is computed when it is first asked for."""

    def __init__(self, view: View, subject: Subject) -> None:
        con = view.con.cursor()
        try:
            if subject.batch:
                _only(con, subject.batch)
            floor = float(SLIDER[0])
            self.data = load(con, subject.model, subject.by, floor=floor, other_categories=True)
            self.evaluation = Evaluation(con, subject.model, subject.by, self.data)
            _keep_cases(con, subject, self.data)
        finally:
            con.close()

    @cached_property
    def averages(self) -> Averages:
        """COCO's averages over IoU .50 to .95."""
        return averages(self.data)

    def scores(self) -> list[float]:
        """The numbers of `SCORES`, means over the categories; NaN where there are no labels."""
        found = self.averages
        stops = {"AP": None, "AP50": 0, "AP75": 5}
        return [
            mean(
                found.average_recall(area)
                if metric == "AR"
                else found.average_precision(area, stops[metric])
            )
            for metric, area in SCORES
            if area in AREAS
        ]


def judged(view: View, subject: Subject) -> Judged:
    """The subject, matched once for each published state. Refused where there is no such model."""
    if subject.model not in once(
        view, ("models", subject.by), lambda: models(view.con, subject.by)
    ):
        raise Refused(f"no model {subject.model!r} can be judged by {subject.by}", 404)
    if subject.batch and not view.row(
        "select 1 as there from batches where batch = ?", [subject.batch]
    ):
        raise Refused("there is no such batch", 404)
    return once(view, ("judged", subject), lambda: Judged(view, subject), most=_MOST)


def cases_of(view: View, subject: Subject, cell: str) -> str:
    """SELECT of the cases of a cell of the confusion matrix: batch, annotation_id, model, prediction_id.

    `cell` is ``["label category", "predicted category"]`` with null for background.
    """
    try:
        label, predicted = msgspec.json.decode(cell, type=tuple[str | None, str | None])
    except msgspec.MsgspecError:
        raise Refused("a cell is [label category, predicted category]") from None
    judged(view, subject)
    names = ["null" if name is None else quoted(name) for name in (label, predicted)]
    return f"""select batch, annotation_id, model, prediction_id from {subject.cases}
               where category_name is not distinct from {names[0]} and predicted_category_name is not distinct from {names[1]}"""


def _only(con: DuckDBPyConnection, batch: str) -> None:
    """Views of the tables that show one batch, in front of the tables themselves."""
    (name,) = con.execute("select current_database()").fetchall()[0]
    for table in _READ:
        con.execute(
            f'create temp view {table} as select * from "{name}".main.{table} where batch = {quoted(batch)}'
        )


def _keep_cases(con: DuckDBPyConnection, subject: Subject, data: Data) -> None:
    """``live."cases of …"``, from the numbers of labels and detections back to ids; `load` has left the way on `con`."""
    cases = confusion_cases(data)
    key = np.append(data.key, -1)[cases.detection]
    names = [*data.category_names, None]
    rows = pa.table(
        {
            "l": pa.array(cases.label, mask=cases.label < 0),
            "key": pa.array(key, mask=key < 0),
            "category_name": _named(np.append(data.label_category, -1)[cases.label], names),
            "predicted_category_name": _named(np.append(data.category, -1)[cases.detection], names),
        }
    )
    con.register("_cases", rows)
    con.execute(
        f"""create or replace table {subject.cases} as
            select category_name::varchar as category_name, predicted_category_name::varchar as predicted_category_name,
                   coalesce(l.batch, o.batch) as batch, l.annotation_id,
                   {quoted(subject.model)} as model, c.key - o.first as prediction_id
            from _cases c left join _numbered_labels l using (l) asof left join _offsets o on c.key >= o.first"""
    )
    con.unregister("_cases")


def _named(codes: np.ndarray, names: list[str | None]) -> pa.Array:
    codes = codes.astype(np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array(names[:-1], pa.string())
    )
