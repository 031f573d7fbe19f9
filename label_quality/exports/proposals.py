"""What goes to annotators: the findings chosen, and for each of their images the labels as they are and as they might be.

Shared by the formats of annotation tools. A proposal is a suggestion, not a decision: see ``fixes`` for those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from label_quality.exports.source import Row, Source

# What reviewers sent to relabelling, with the finding of today where there is one.
_RELABEL = """
select v.batch, v.image_id, i.file_name, i.width as image_width, i.height as image_height, v.error_type,
       coalesce(v.attached_annotation_id, v.annotation_id) as annotation_id, c.name as category,
       coalesce(s.name, case when v.annotation_id is null then c.name end) as suggested_category, v.x, v.y, v.width, v.height,
       coalesce(f.suggested_x, case when v.annotation_id is null then v.x end) as suggested_x,
       coalesce(f.suggested_y, case when v.annotation_id is null then v.y end) as suggested_y,
       coalesce(f.suggested_width, case when v.annotation_id is null then v.width end) as suggested_width,
       coalesce(f.suggested_height, case when v.annotation_id is null then v.height end) as suggested_height,
       f.suggested_fix, f.model, f.prediction_id, f.p_error, f.reason, coalesce(f.finding_id, v.finding_id) as finding_id,
       v.author, v."at", v.note, v.seq
from _verdicts v join images i using (batch, image_id)
left join findings f on f.batch = v.batch and f.finding_id = v.attached_finding_id
left join categories c on c.batch = v.batch and c.category_id = v.category_id
left join categories s on s.batch = f.batch and s.category_id = f.suggested_category_id
where v.verdict = 'relabel' and not v.superseded and v.batch in (select unnest(?))
order by v.batch, v.image_id, v.seq
"""
# What nobody has decided, surest first.
_QUEUE = """
select f.batch, f.image_id, i.file_name, i.width as image_width, i.height as image_height, f.error_type, f.annotation_id,
       c.name as category, s.name as suggested_category, f.x, f.y, f.width, f.height, f.suggested_x, f.suggested_y,
       f.suggested_width, f.suggested_height, f.suggested_fix, f.model, f.prediction_id, f.p_error, f.reason, f.finding_id,
       null::varchar as author, null::timestamp as "at", null::varchar as note, null::bigint as seq
from findings f join images i using (batch, image_id)
left join categories c on c.batch = f.batch and c.category_id = f.category_id
left join categories s on s.batch = f.batch and s.category_id = f.suggested_category_id
anti join (select batch, attached_finding_id as finding_id from _verdicts
           where verdict <> 'unsure' and not disagreement and not superseded) d using (batch, finding_id)
where f.batch in (select unnest(?))
order by f.p_error desc, f.batch, f.finding_id limit ?
"""


@dataclass(frozen=True)
class Shape:
    """One object of an image: box x, y, width, height in pixels; `segmentation` as COCO has it, None where there is none."""

    category: str
    box: tuple[float, float, float, float]
    segmentation: Any = None
    annotation_id: int | None = None
    model: str | None = None
    score: float | None = None


@dataclass
class Task:
    """One image for an annotator: its findings, its labels as they are, and as they would be with all suggestions taken."""

    batch: str
    image_id: int
    file_name: str
    width: int
    height: int
    findings: list[Row]
    labels: list[Shape]
    proposed: list[Shape]


def selected(source: Source) -> list[Row]:
    """The findings that were asked for, with names, boxes and, for relabelling, who sent them there."""
    if source.select == "relabel":
        return source.rows(_RELABEL, source.batches)
    return source.rows(_QUEUE, source.batches, source.limit)


def tasks(source: Source) -> list[Task]:
    """One task for each image of `selected`, in its order."""
    made: dict[tuple[str, int], Task] = {}
    for row in selected(source):
        key = row["batch"], row["image_id"]
        if key not in made:
            size = row["image_width"], row["image_height"]
            made[key] = Task(*key, row["file_name"], *size, [], [], [])
        made[key].findings.append(row)
    _show(source, made)
    for (batch, image_id), shapes in _labels(source).items():
        made[batch, image_id].labels = shapes
    masks = _prediction_masks(source)
    for task in made.values():
        task.proposed = _proposed(task, masks)
    return list(made.values())


def _show(source: Source, made: dict[tuple[str, int], Task]) -> None:
    """Make the table ``_tasks`` (batch, image_id) for joins."""
    source.con.execute("create or replace temp table _tasks (batch varchar, image_id bigint)")
    if made:
        batches, images = zip(*made, strict=True)
        source.con.execute(
            "insert into _tasks select unnest(?), unnest(?)", [list(batches), list(images)]
        )


def _labels(source: Source) -> dict[tuple[str, int], list[Shape]]:
    rows = source.rows(
        """select a.batch, a.image_id, a.annotation_id, c.name, a.x, a.y, a.width, a.height, m.segmentation
           from annotations a semi join _tasks using (batch, image_id) join categories c using (batch, category_id)
           left join annotation_masks m on m.batch = a.batch and m.annotation_id = a.annotation_id
           where not a.iscrowd order by a.batch, a.annotation_id"""
    )
    out: dict[tuple[str, int], list[Shape]] = {}
    for r in rows:
        shape = Shape(r["name"], _box(r), _decoded(r["segmentation"]), r["annotation_id"])
        out.setdefault((r["batch"], r["image_id"]), []).append(shape)
    return out


def _prediction_masks(source: Source) -> dict[tuple[str, str, int], Any]:
    """Masks of the predictions that findings of the tasks rest on."""
    rows = source.rows(
        """with told as (
             select distinct f.batch, f.model, f.prediction_id from findings f semi join _tasks using (batch, image_id)
             where f.suggested_fix in ('add', 'change_mask'))
           select batch, model, prediction_id, segmentation from prediction_masks m semi join told using (batch, model, prediction_id)"""
    )
    return {(r["batch"], r["model"], r["prediction_id"]): _decoded(r["segmentation"]) for r in rows}


def _proposed(task: Task, masks: dict[tuple[str, str, int], Any]) -> list[Shape]:
    """The labels with every suggestion taken; labels that no finding is about stay as they are."""
    about = {r["annotation_id"]: r for r in task.findings if r["annotation_id"] is not None}
    out = []
    for label in task.labels:
        row = about.get(label.annotation_id)
        fix = row["suggested_fix"] if row else None
        if row is None or fix is None:
            out.append(label)
        elif fix != "remove":
            out.append(_suggestion(row, masks, label))
    missing = [r for r in task.findings if r["annotation_id"] is None]
    return out + [_suggestion(r, masks, None) for r in missing if r["suggested_x"] is not None]


def _suggestion(row: Row, masks: dict[tuple[str, str, int], Any], label: Shape | None) -> Shape:
    box = tuple(row[f"suggested_{c}"] for c in ("x", "y", "width", "height"))
    mask = masks.get((row["batch"], row["model"], row["prediction_id"]))
    if mask is None and label is not None and box == label.box:
        mask = label.segmentation  # another class, the same outline
    return Shape(
        row["suggested_category"] or row["category"],
        box,
        mask,
        row["annotation_id"],
        row["model"] or "label_quality",
        row["p_error"],
    )


def _box(row: Row) -> tuple[float, float, float, float]:
    return row["x"], row["y"], row["width"], row["height"]


def _decoded(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
