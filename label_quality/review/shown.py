"""Which images, labels or predictions the Explorer shows: its filters, as the URL has them, and as SQL.

One condition per filter over ``m``, the table of metrics of the kind. Values are bound, names are looked up in the database.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, Field

from label_quality.review.answers import Int64, Refused
from label_quality.review.database import View
from label_quality.review.judged import Subject, cases_of
from label_quality.review.kinds import KEYS, Kind, known_metric
from label_quality.review.likeness import looking_model, neighbours, on_map
from label_quality.review.outcomes import OUTCOMES, first_model, with_outcomes


class Shown(BaseModel, extra="forbid"):
    """What is shown. Lists: any of them; empty: all.

    Attributes:
        category: names; of images those that hold a label of it.
        model: of predictions, and by whose outcome labels are chosen; "" for any.
        tag: tags of the thing itself; `image_tag`: of the image that it lies in. `untagged`: without any of its own.
        range: ``metric:low:high``, both ends included; either may be left out.
        outcome: TP, FP or ignored of predictions; TP, FN or ignored of labels; at IoU 0.50, `by` boxes or masks.
        reason: why an outcome is wrong.
        outlier: name of a metric by which the thing is unusual, or ``any``; `severity`: severe or moderate, "" for both.
        error: types of findings about a label or prediction.
        cell: ``["label category", "predicted category"]`` of the confusion matrix of `model`; null is background;
            `cell_batch`: the batch that the matrix is about, "" for all.
        image: ``batch/image_id``: what lies in that image.
        like: ``batch/image_id``: images, by how much they look like that one.
        near: ``batch/annotation_id``: labels that look most like that one to a model.
        map: ``x0:x1:y0:y1``: labels whose place on the map of labels lies in there.
    """

    kind: Kind = "annotation"
    batch: list[str] = []
    category: list[str] = []
    model: str = ""
    tag: list[str] = []
    image_tag: list[str] = []
    untagged: bool = False
    range: list[str] = []
    by: Literal["bbox", "segm"] = "bbox"
    outcome: list[Literal["TP", "FP", "FN", "ignored"]] = []
    reason: list[str] = []
    outlier: str = ""
    severity: Literal["", "severe", "moderate"] = ""
    error: list[str] = []
    cell: Annotated[str, Field(max_length=1000)] = ""
    cell_batch: str = ""
    image: str = ""
    like: str = ""
    near: str = ""
    map: str = ""


@dataclass
class Condition:
    """A condition over ``m`` with its values: ``select … from {table} m {joins} where {where}``."""

    table: str
    joins: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """What follows ``from``."""
        return f"{self.table} m {' '.join(self.joins)}"

    @property
    def where(self) -> str:
        """What follows ``where``."""
        return " and ".join(self.parts) or "true"

    def bind(self, value: Any) -> str:
        """A parameter with that value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def condition(view: View, shown: Shown, without: Collection[str] = ()) -> Condition:
    """The filters of `shown` as SQL; `without` names filters that are left out, ``range:<metric>`` one range."""
    made = Condition(f"{shown.kind}_metrics")
    for name, add in _FILTERS.items():
        asked = getattr(shown, name) or (name == "outcome" and shown.reason)
        if asked and name not in without:
            add(view, shown, made)
    if "range" not in without:
        for metric, low, high in ranges(view, shown):
            if f"range:{metric}" not in without:
                _range(made, metric, low, high)
    return made


def cell_cases(view: View, shown: Shown) -> str:
    """SELECT of the cases of the cell that is shown: batch, annotation_id, model, prediction_id."""
    subject = Subject(shown.model or first_model(view), shown.cell_batch, shown.by)
    return cases_of(view, subject, shown.cell)


def ranges(view: View, shown: Shown) -> list[tuple[str, float | None, float | None]]:
    """The ranges of metrics: name, low, high."""
    found = []
    for text in shown.range:
        name, _, ends = text.partition(":")
        low, _, high = ends.partition(":")
        try:
            low_value, high_value = (float(e) if e else None for e in (low, high))
        except ValueError:
            raise Refused(f"{text!r} is not metric:low:high") from None
        if any(v is not None and not math.isfinite(v) for v in (low_value, high_value)):
            raise Refused(f"{text!r} has an end that is no number")
        found.append((known_metric(view, shown.kind, name).name, low_value, high_value))
    return found


def key_of_image(text: str) -> tuple[str, int]:
    """Batch and id of ``batch/image_id``."""
    batch, _, number = text.rpartition("/")
    try:
        return batch, whole(number)
    except ValueError:
        raise Refused(f"{text!r} is not batch/image_id") from None


def whole(text: object) -> int:
    """The whole number that a text or a number says; ValueError where the database has no such number."""
    try:
        number: int = msgspec.convert(text, Int64, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    return number


def _range(made: Condition, metric: str, low: float | None, high: float | None) -> None:
    if low is not None:
        made.parts.append(f'm."{metric}" >= {made.bind(low)}')
    if high is not None:
        made.parts.append(f'm."{metric}" <= {made.bind(high)}')


def _batch(_: View, shown: Shown, made: Condition) -> None:
    made.parts.append(f"list_contains({made.bind(shown.batch)}, m.batch)")


def _category(_: View, shown: Shown, made: Condition) -> None:
    names = made.bind(shown.category)
    chosen = f"select batch, category_id from categories where list_contains({names}, name)"
    if shown.kind == "image":
        chosen = f"select batch, image_id from annotations semi join ({chosen}) using (batch, category_id)"
        made.joins.append(
            f"semi join ({chosen}) k on k.batch = m.batch and k.image_id = m.image_id"
        )
    else:
        made.joins.append(
            f"semi join ({chosen}) k on k.batch = m.batch and k.category_id = m.category_id"
        )


def _model(_: View, shown: Shown, made: Condition) -> None:
    if shown.kind == "prediction":
        made.parts.append(f"m.model = {made.bind(shown.model)}")


def _tag(_: View, shown: Shown, made: Condition) -> None:
    tagged = f"kind = '{shown.kind}' and list_contains({made.bind(shown.tag)}, tag)"
    _join(made, "semi", f"select * from live.tags where {tagged}", KEYS[shown.kind])


def _image_tag(_: View, shown: Shown, made: Condition) -> None:
    tagged = f"kind = 'image' and list_contains({made.bind(shown.image_tag)}, tag)"
    _join(made, "semi", f"select * from live.tags where {tagged}", KEYS["image"])


def _untagged(_: View, shown: Shown, made: Condition) -> None:
    _join(made, "anti", f"select * from live.tags where kind = '{shown.kind}'", KEYS[shown.kind])


def _outcome(view: View, shown: Shown, made: Condition) -> None:
    if shown.kind not in OUTCOMES:
        raise Refused("images have no outcome")
    made.table = with_outcomes(view, shown.kind, shown.by, shown.model)
    if shown.outcome:
        made.parts.append(f"list_contains({made.bind(shown.outcome)}, m.outcome::varchar)")
    if shown.reason:
        made.parts.append(f"list_contains({made.bind(shown.reason)}, m.reason::varchar)")


def _outlier(view: View, shown: Shown, made: Condition) -> None:
    wanted = [f"kind = '{shown.kind}'", "rule = 'robust'"]
    if shown.outlier != "any":
        wanted.append(f"metric = '{known_metric(view, shown.kind, shown.outlier).name}'")
    if shown.severity:
        wanted.append(f"severity = '{shown.severity}'")
    found = f"select * from outliers where {' and '.join(wanted)}"
    _join(made, "semi", found, KEYS[shown.kind])


def _error(_: View, shown: Shown, made: Condition) -> None:
    found = f"select * from findings where list_contains({made.bind(shown.error)}, error_type)"
    _join(made, "semi", found, KEYS[shown.kind])


def _cell(view: View, shown: Shown, made: Condition) -> None:
    if shown.kind == "image":
        raise Refused("a cell of the confusion matrix holds labels and predictions")
    _join(made, "semi", cell_cases(view, shown), KEYS[shown.kind])


def _image(_: View, shown: Shown, made: Condition) -> None:
    batch, image = key_of_image(shown.image)
    made.parts.append(f"m.batch = {made.bind(batch)} and m.image_id = {made.bind(image)}")


def _like(_: View, shown: Shown, made: Condition) -> None:
    if shown.kind != "image":
        raise Refused("only images are compared by what they look like")
    made.parts.append("m.perceptual_hash is not null")


def _near(view: View, shown: Shown, made: Condition) -> None:
    if shown.kind != "annotation":
        raise Refused("only labels have neighbours")
    found = neighbours(view, *key_of_image(shown.near))
    made.joins.append(
        f"join ({found}) near on near.batch = m.batch and near.annotation_id = m.annotation_id"
    )


def _map(view: View, shown: Shown, made: Condition) -> None:
    try:
        x0, x1, y0, y1 = (float(end) for end in shown.map.split(":"))
    except ValueError:
        raise Refused("a part of the map is x0:x1:y0:y1") from None
    if shown.kind != "annotation" or not looking_model(view):
        raise Refused("there is no map of these")
    if not all(map(math.isfinite, (x0, x1, y0, y1))):
        raise Refused("a part of the map has ends that are numbers")
    _join(made, "semi", on_map((x0, x1), (y0, y1)), KEYS["annotation"])


def _join(made: Condition, how: str, rows: str, keys: tuple[str, ...]) -> None:
    name = f"j{len(made.joins)}"
    on = " and ".join(f"{name}.{key} = m.{key}" for key in keys)
    made.joins.append(f"{how} join ({rows}) {name} on {on}")


_FILTERS = {
    "batch": _batch,
    "category": _category,
    "model": _model,
    "tag": _tag,
    "image_tag": _image_tag,
    "untagged": _untagged,
    "outcome": _outcome,
    "outlier": _outlier,
    "error": _error,
    "cell": _cell,
    "image": _image,
    "like": _like,
    "near": _near,
    "map": _map,
}
