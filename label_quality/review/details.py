"""What a card of the Explorer shows, of the things in the temporary table ``_page`` (value, the key, image_id).

Rows of large tables are first found by their id alone: a join that compares names of batches and models as well reads these
of all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from label_quality.review.kinds import KEYS, Kind, metrics_of
from label_quality.review.outcomes import first_model
from label_quality.review.shown import cell_cases
from label_quality.store.scan import quoted

if TYPE_CHECKING:
    from label_quality.review.database import Row, View
    from label_quality.review.items import Page


def details(view: View, asked: Page) -> list[Row]:
    """The things of ``_page`` in their order, with their place (`key`), metrics and tags, and what is drawn of them."""
    kind, keys = asked.kind, KEYS[asked.kind]
    near = _NEAR[kind](asked)
    if asked.cell:
        near["_outcomes_near"] = _of_cell(near["_outcomes_near"], cell_cases(view, asked), kind)
    for name, sql in near.items():
        view.con.execute(f"create or replace temp table {name} as {sql}")
    model = asked.model or (first_model(view) if kind == "annotation" else "")
    words = {"model": quoted(model), "by": quoted(asked.by)}
    names = [metric.name for metric in metrics_of(view, kind)]
    values = {_identity(row, keys): row for row in view.rows("from _metrics_near")}
    tags = _tags(view, kind, keys)
    rows = view.rows(
        f"""{_SHOWN[kind].format(**words)}
            order by m.value {asked.order}, {", ".join(f"m.{key}" for key in keys)}"""
    )
    for row in rows:
        who = _identity(row, keys)
        row["key"] = key_of(row["value"], list(who))
        row["metrics"] = {name: values[who][name] for name in names}
        row["tags"] = tags.get(who, [])
    return rows


def key_of(value: float, identity: list[Any]) -> str:
    """A place in the list, as the URL has it."""
    return msgspec.json.encode([value, *identity]).decode()


def _identity(row: Row, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def _tags(view: View, kind: Kind, keys: tuple[str, ...]) -> dict[tuple[Any, ...], list[str]]:
    same = " and ".join(f"t.{key} = m.{key}" for key in keys)
    named = ", ".join(f"m.{key}" for key in keys)
    rows = view.rows(
        f"""select {named}, list_sort(list_distinct(list(t.tag))) as tags from live.tags t join _page m on {same}
            where t.kind = '{kind}' group by all"""
    )
    return {_identity(row, keys): row["tags"] for row in rows}


def _near(table: str, key: str, found: str) -> str:
    """The rows of a table whose `key` is among those that `found` gives, of whatever batch and model."""
    return f"select * from {table} semi join ({found}) using ({key})"


def _named(rows: str) -> str:
    """The same rows with the name of their category; joined here, for a join of a dozen tables takes longer to plan than to run."""
    return f"select n.*, c.name as category from ({rows}) n left join categories c using (batch, category_id)"


def _of_cell(outcomes: str, cases: str, kind: Kind) -> str:
    """Outcomes that name the partner in the confusion matrix, which may be another than the one that gives the reason."""
    partner, key = (
        ("prediction_id", "annotation_id")
        if kind == "annotation"
        else ("annotation_id", "prediction_id")
    )
    return f"""select o.* replace (case when c.model is null then o.{partner} else c.{partner} end as {partner},
                                   case when c.{partner} is not distinct from o.{partner} then o.iou end as iou)
               from ({outcomes}) o left join ({cases}) c on c.batch = o.batch and c.model = o.model and c.{key} = o.{key}"""


def _of_images(_: Page) -> dict[str, str]:
    return {
        "_metrics_near": "select * from image_metrics semi join _page using (batch, image_id)",
        "_labels_near": _named(_near("annotations", "image_id", "select image_id from _page")),
    }


def _of_labels(asked: Page) -> dict[str, str]:
    which = "other" if asked.sort.startswith("other_class") else "same"
    return {
        "_metrics_near": _near(
            "annotation_metrics", "annotation_id", "select annotation_id from _page"
        ).replace("select *", f"select *, {which}_class_annotation_id as other_annotation_id"),
        "_labels_near": _named(
            _near(
                "annotations",
                "annotation_id",
                "select annotation_id from _page union select other_annotation_id from _metrics_near",
            )
        ),
        "_outcomes_near": _near(
            "label_outcomes", "annotation_id", "select annotation_id from _page"
        ),
        "_predictions_near": _named(
            _near("predictions", "prediction_id", "select prediction_id from _outcomes_near")
        ),
        "_findings_near": """select batch, annotation_id, list(error_type order by p_error desc) as errors from findings
            semi join (select annotation_id from _page) using (annotation_id) group by all""",
    }


def _of_predictions(_: Page) -> dict[str, str]:
    ids = "select prediction_id from _page"
    return {
        "_metrics_near": _near("prediction_metrics", "prediction_id", ids),
        "_predictions_near": _named(_near("predictions", "prediction_id", ids)),
        "_outcomes_near": _near("prediction_outcomes", "prediction_id", ids),
        "_labels_near": _named(
            _near("annotations", "annotation_id", "select annotation_id from _outcomes_near")
        ),
    }


_NEAR = {"image": _of_images, "annotation": _of_labels, "prediction": _of_predictions}


def _box(alias: str, name: str) -> str:
    return f"case when {alias}.x is not null then [{alias}.x, {alias}.y, {alias}.width, {alias}.height] end as {name}"


# Images come with their labels, labels with the prediction that judges them and the label that they overlap most, predictions
# with the label that they meet.
_IMAGE = (
    "m.value, m.batch, m.image_id, i.file_name, i.width as image_width, i.height as image_height"
)
_OF_IMAGE = "join images i on i.batch = m.batch and i.image_id = m.image_id"
_SHOWN: dict[Kind, str] = {
    "image": f"""
        select {_IMAGE}, n.nearest_image_id, n.nearest_distance, n.duplicate_of, coalesce(l.labels, []) as labels
        from _page m {_OF_IMAGE} join _metrics_near n on n.batch = m.batch and n.image_id = m.image_id
        left join (
          select batch, image_id, list({{{{'annotation_id': annotation_id, 'category': category, 'iscrowd': iscrowd,
                                        'box': [x, y, width, height]}}}} order by annotation_id) as labels
          from _labels_near group by all
        ) l on l.batch = m.batch and l.image_id = m.image_id""",
    "annotation": f"""
        select {_IMAGE}, m.annotation_id, a.iscrowd, a.category, {_box("a", "box")},
               o.model, o.outcome, o.reason, o.iou, p.prediction_id, p.score, p.category as predicted_category,
               {_box("p", "predicted_box")},
               x.annotation_id as other_annotation_id, x.category as other_category, {_box("x", "other_box")},
               coalesce(f.errors, []) as errors
        from _page m {_OF_IMAGE}
        join _labels_near a on a.batch = m.batch and a.annotation_id = m.annotation_id
        join _metrics_near n on n.batch = m.batch and n.annotation_id = m.annotation_id
        left join _outcomes_near o on o.batch = m.batch and o.annotation_id = m.annotation_id
          and o.iou_type = {{by}} and o.model = {{model}}
        left join _predictions_near p on p.batch = m.batch and p.model = {{model}} and p.prediction_id = o.prediction_id
        left join _labels_near x on x.batch = m.batch and x.annotation_id = n.other_annotation_id
        left join _findings_near f on f.batch = m.batch and f.annotation_id = m.annotation_id""",
    "prediction": f"""
        select {_IMAGE}, m.model, m.prediction_id, p.score, p.category, {_box("p", "box")},
               o.outcome, o.reason, o.iou, a.annotation_id, a.category as label_category, {_box("a", "label_box")}
        from _page m {_OF_IMAGE}
        join _predictions_near p on p.batch = m.batch and p.model = m.model and p.prediction_id = m.prediction_id
        left join _outcomes_near o on o.batch = m.batch and o.model = m.model and o.prediction_id = m.prediction_id
          and o.iou_type = {{by}}
        left join _labels_near a on a.batch = m.batch and a.annotation_id = o.annotation_id""",
}
