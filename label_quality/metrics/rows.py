"""The rows that the SQL of metrics sees, and the three tables made of them.

**Image**: the columns of ``images``; ``object_count`` (labels, crowds included); ``boxes_union`` (px², the area that lies in
the box of at least one label); ``pixels``, ``perceptual_hash`` (NULL where not measured), ``nearest_distance`` (bits, NULL
above 7) and ``measured_...`` for each
metric of pixels.

**Annotation**: the columns of ``annotations``; ``image_width``, ``image_height``; ``object_area`` (px², of the mask, else of the
box); ``mask_x``, ``mask_y``, ``mask_width``, ``mask_height`` (the tightest box around the mask, NULL without one);
``same_box_iou``, ``same_containment``, ``same_mask_iou`` and ``other_...`` (the highest over the labels of the image of the same
and of another category, NULL where none); ``center_x_deviation``, ``center_y_deviation``, ``log_aspect_deviation``,
``log_fill_deviation`` (distance from the median of the category in robust standard deviations, NULL for crowds and small
categories); and
``measured_...`` for each metric that is a function.

**Prediction**: the columns of ``predictions``; ``image_width``, ``image_height``; ``assigned_box_iou``, ``assigned_mask_iou`` (with the
label that the prediction is assigned to, NULL without one).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import duckdb

from label_quality import registry
from label_quality.registry import Kind
from label_quality.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MIN_LABELS = 10  # of a category, to say what is typical
# Least robust standard deviation: 1 % of the image, 5 % of the logarithm.
_DEVIATIONS = {
    "center_x": ("(x + width / 2) / image_width", 0.01),
    "center_y": ("(y + height / 2) / image_height", 0.01),
    "log_aspect": ("ln(width / height)", 0.05),
    "log_fill": (
        "ln(nullif(least(object_area / (width * height), 1), 0)) + ln(mask_width / mask_width)",
        0.05,
    ),
}
_MAD = 1.4826  # a robust standard deviation of normally distributed values is this times the MAD


def image_rows(con: DuckDBPyConnection) -> None:
    """Make the temporary view ``_image_row``.

    Args:
        con: shows ``images``, ``annotations``, ``_pictures``, ``_neighbours`` and ``_unions``.
    """
    con.execute(
        """
        create or replace temp view _image_row as
        with objects as (
          select image_id, count(*) as object_count from annotations group by image_id
        )
        select i.*, coalesce(o.object_count, 0) as object_count, coalesce(u.boxes_union, 0) as boxes_union,
               printf('%016x', p.hash) as perceptual_hash, p.* exclude (image_id, hash, content), n.* exclude (image_id)
        from images i left join objects o using (image_id) left join _unions u using (image_id)
          left join _pictures p using (image_id) left join _neighbours n using (image_id)
        """
    )


def annotation_rows(con: DuckDBPyConnection) -> None:
    """Make the temporary view ``_annotation_row``.

    Args:
        con: shows ``images``, ``annotations``, ``annotation_pairs``, ``_masks`` and ``_crops``.
    """
    values = ", ".join(f"{sql} as {name}" for name, (sql, _) in _DEVIATIONS.items())
    medians = ", ".join(f"median({name}) as {name}" for name in _DEVIATIONS)
    mads = ", ".join(
        f"greatest({_MAD} * median(abs(v.{name} - m.{name})), {floor}) as {name}"
        for name, (_, floor) in _DEVIATIONS.items()
    )
    deviations = ", ".join(
        f"abs(v.{name} - m.{name}) / d.{name} as {name}_deviation" for name in _DEVIATIONS
    )
    con.execute(
        f"""
        create or replace temp table _overlapping as {_OVERLAPPING};
        create or replace temp view _label as
        select a.*, i.width as image_width, i.height as image_height,
               coalesce(m.outline_area, a.width * a.height) as object_area, m.* exclude (annotation_id, outline_area)
        from annotations a join images i using (image_id) left join _masks m using (annotation_id);

        create or replace temp table _deviations as
        with v as (
          select annotation_id, category_id, {values} from _label where not iscrowd
        ), m as (
          select category_id, {medians} from v group by category_id having count(*) >= {MIN_LABELS}
        ), d as (
          select category_id, {mads} from v join m using (category_id) group by category_id
        )
        select annotation_id, {deviations} from v join m using (category_id) join d using (category_id);

        create or replace temp view _annotation_row as
        select l.*, o.* exclude (annotation_id), d.* exclude (annotation_id), c.* exclude (annotation_id)
        from _label l left join _overlapping o using (annotation_id) left join _deviations d using (annotation_id)
          left join _crops c using (annotation_id)
        """
    )


# The most similar label has the highest mask IoU where masks were compared, else box IoU; the smallest id of several.
_OVERLAPPING = """
with sides as (
  select annotation_id, other_annotation_id as other, category_id = other_category_id as same, box_iou, containment,
         mask_iou from annotation_pairs
  union all
  select other_annotation_id, annotation_id, category_id = other_category_id, box_iou, containment, mask_iou
  from annotation_pairs
)
select annotation_id,
       max(box_iou) filter (same) as same_box_iou, max(box_iou) filter (not same) as other_box_iou,
       max(containment) filter (same) as same_containment, max(containment) filter (not same) as other_containment,
       max(mask_iou) filter (same) as same_mask_iou, max(mask_iou) filter (not same) as other_mask_iou,
       arg_max(other, (coalesce(mask_iou, box_iou), -other)) filter (same) as same_class_annotation_id,
       arg_max(other, (coalesce(mask_iou, box_iou), -other)) filter (not same) as other_class_annotation_id
from sides group by annotation_id
"""

PREDICTION_ROWS = """
select p.*, i.width as image_width, i.height as image_height, o.box_iou as assigned_box_iou,
       o.mask_iou as assigned_mask_iou
from predictions p join images i using (batch, image_id)
  left join (from prediction_overlaps where assigned) o using (batch, model, prediction_id)
"""


def measured(name: str) -> str:
    """The column of a row in which the result of a metric's function stands; no column of the row itself is called so."""
    return f"measured_{name}"


def table_sql(con: DuckDBPyConnection, kind: Kind, source: str) -> tuple[str, list[str]]:
    """The SELECT of a table of metrics over a relation of rows, and a sentence for each metric whose SQL cannot be run.

    Such a metric is NULL. What is not finite becomes NULL, too.
    """
    found = registry.metrics(kind)
    expressions = {name: f"({m.sql or measured(name)})::double" for name, m in found.items()}
    problems = []
    if _mistake(con, source, expressions.values()):
        for name, sql in expressions.items():
            mistake = _mistake(con, source, [sql])
            if mistake:
                problems.append(f"metric {kind}.{name}: {mistake}")
                expressions[name] = "null::double"
    columns = [c.name for c in TABLES[f"{kind}_metrics"].columns if c.name not in found]
    columns += [
        f'case when isfinite({sql}) then {sql} end as "{name}"' for name, sql in expressions.items()
    ]
    return f"select {', '.join(columns)} from ({source})", problems


def _mistake(con: DuckDBPyConnection, source: str, expressions: Iterable[str]) -> str | None:
    try:
        con.execute(f"explain select {', '.join(expressions)} from ({source})")
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None
