"""Label × prediction: every pair of one image that overlaps, and the assignment among them.

Boxes are one DuckDB join. Masks are compared only where both sides have one and their boxes intersect. Crowds take
part with COCO's own overlap (intersection over the prediction's area) and are never assigned.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_quality.matching.assignment import assign
from label_quality.matching.boundary import boundary_ious, boundary_table
from label_quality.matching.box_sql import SIDES, intersection, touch
from label_quality.matching.masks import (
    PREDICTION_KEY,
    gather_label_masks,
    gather_prediction_masks,
    image_ranges,
    mask_overlaps,
)
from label_quality.matching.models import create_model_type
from label_quality.matching.reuse import keep_changed, known_boundaries, take_known
from label_quality.workers import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

# Confidence matters less than place: 0.3 + 0.7 s keeps an unsure but exact prediction in the running. The category only
# settles ties: of two labels on one place the one that the prediction agrees with is the supported one.
_WEIGHT = """coalesce((box_iou + mask_iou) / 2, box_iou) * (0.3 + 0.7 * score)
    * case when same_category then 1 else 0.999 end"""
_BOUNDARY_FLOOR = 0.5
_IMAGES_A_TASK = 30_000  # of assignment; each task is a scan of all pairs

_LABELS = f"""
create or replace temp table _labels as
select image_id, annotation_id, category_id, {SIDES}, iscrowd, segmentation_type <> 'none' as has_mask
from annotations
"""

_PAIRS = f"""
create or replace temp table _pairs as
with placed as (
  select image_id, model::_model as model, prediction_id, score, category_id, has_mask, {SIDES}
  from predictions
), candidates as (
  select a.image_id, a.annotation_id, a.iscrowd, p.model, p.prediction_id, p.score,
         a.category_id = p.category_id as same_category, a.has_mask and p.has_mask as both_masks,
         {intersection("a", "p")} as inter,
         a.area as label_area, p.area
  from _labels a join placed p on a.image_id = p.image_id
  where {touch("a", "p")}
), measured as (
  select *, inter / (case when iscrowd then area else area + label_area - inter end) as box_iou from candidates
)
select image_id, annotation_id, iscrowd, model, prediction_id, score, same_category, both_masks, box_iou,
       cast(null as double) as mask_iou
from measured where box_iou >= $floor or both_masks
"""


def build_overlaps(
    con: DuckDBPyConnection, *, floor: float = 0.10, changed: str | None = None
) -> dict[str, float]:
    """Make the temporary view ``new_prediction_overlaps`` (schema of ``prediction_overlaps``).

    Args:
        con: shows ``annotations``, ``predictions``, ``images``, ``annotation_masks`` and ``prediction_masks``.
        floor: smallest IoU that is kept, by box or by mask, 0 to 1.
        changed: SQL that gives the annotation_id of labels. If given, only these are compared with predictions; the overlaps of
            all others are those of ``prediction_overlaps``, which `con` then shows, from before and with the same floor.

    Returns:
        Seconds spent on ``boxes``, ``masks``, ``assignment`` and ``boundaries``.
    """
    clock = _Clock()
    create_model_type(con)
    con.execute(_LABELS)
    if changed is not None:
        keep_changed(con, changed)
    con.execute(_PAIRS, {"floor": floor})
    if changed is not None:
        take_known(con)
    clock.lap("boxes")
    with_masks = bool(con.execute("select bool_or(both_masks) from _pairs").fetchone()[0])  # type: ignore[index]
    if with_masks:
        _fill_masks(con, floor)
    clock.lap("masks")
    _assign(con, floor)
    clock.lap("assignment")
    con.register(
        "_boundary_rows",
        _boundaries(con, again=changed is not None) if with_masks else boundary_table([], []),
    )
    clock.lap("boundaries")
    # A view: whoever writes the table makes its rows once, instead of once here and once there.
    con.execute(
        """
        create or replace temp view new_prediction_overlaps as
        select (select any_value(batch) from annotations) as batch, p.image_id, p.annotation_id,
               p.model::varchar as model, p.prediction_id, p.iscrowd, p.same_category, p.box_iou, p.mask_iou,
               b.boundary_iou, t.pair is not null as assigned
        from _pairs p left join _taken t on t.pair = p.rowid left join _boundary_rows b on b.pair = p.rowid
        """
    )
    return clock.laps


def _fill_masks(con: DuckDBPyConnection, floor: float) -> None:
    con.register("_mask_rows", mask_overlaps(con))
    con.execute(
        "update _pairs set mask_iou = r.mask_iou from _mask_rows r where r.pair = _pairs.rowid"
    )
    con.unregister("_mask_rows")
    con.execute(
        "delete from _pairs where box_iou < $floor and coalesce(mask_iou, 0) < $floor",
        {"floor": floor},
    )


def _assign(con: DuckDBPyConnection, floor: float) -> None:
    """One assignment for each model, in groups of images: no edge leads from one image to another."""
    edges = f"not iscrowd and box_iou >= {floor!r}"
    models = con.execute("select unnest(enum_range(null::_model))::varchar").fetchall()

    def tasks() -> Iterator[_Edges]:
        for first, last in image_ranges(con, f"_pairs where {edges}", _IMAGES_A_TASK):
            for (model,) in models:
                yield con.execute(
                    f"""select rowid as pair, annotation_id, prediction_id, {_WEIGHT} as weight
                        from _pairs where {edges} and image_id between {first} and {last} and model = ?::_model""",
                    [model],
                ).fetchnumpy()

    taken = [np.empty(0, np.int64), *in_threads(_taken, tasks())]
    con.register("_taken_rows", pa.table({"pair": np.concatenate(taken)}))
    con.execute("create or replace temp table _taken as select pair from _taken_rows")
    con.unregister("_taken_rows")


_Edges = dict[str, NDArray[Any]]


def _taken(edges: _Edges) -> NDArray[np.int64]:
    weight = edges["weight"].astype(np.float64)
    return edges["pair"][assign(edges["annotation_id"], edges["prediction_id"], weight)]


def _boundaries(con: DuckDBPyConnection, *, again: bool) -> pa.Table:
    """Boundary IoU of what was assigned. `again`: what is known is not computed, and masks of the rest are still to be read."""
    known = known_boundaries(con) if again else boundary_table([], [])
    con.register("_known_boundaries", known)
    con.execute(
        f"""
        create or replace temp table _wanted as
        select p.rowid as pair, p.image_id, p.annotation_id, {PREDICTION_KEY} as prediction
        from _pairs p join _taken t on t.pair = p.rowid
        where p.both_masks and p.mask_iou >= {_BOUNDARY_FLOOR} and p.rowid not in (select pair from _known_boundaries)
        """
    )
    con.unregister("_known_boundaries")
    if again:
        gather_label_masks(con, "select annotation_id from _wanted")
        gather_prediction_masks(con, "_pairs where rowid in (select pair from _wanted)")
    result = boundary_ious(con)
    con.execute("drop table _wanted")
    return pa.concat_tables([known, result])


class _Clock:
    """Adds up the seconds between laps by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(self.laps.get(name, 0.0) + now - self._last, 3)
        self._last = now
