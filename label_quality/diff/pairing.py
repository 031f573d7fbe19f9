"""Which label of the old side is the same object as which of the new one. What differs between them is said in ``changes``.

Pictures are the same by their file name, else by their id; categories by their name, else by their id. Labels of one
picture are the same object

1. by their id, unless the ids were given anew: then labels of one id lie elsewhere, in another picture or apart;
2. else by their content, to the letter;
3. else by the one-to-one assignment of the greatest total box IoU, of pairs with an IoU of at least 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from label_quality.matching import assign

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IOU_FLOOR = 0.5
_TRUST = 0.5  # share of the common ids that must lie where they lay
_OTHER_CLASS = 0.9  # of two labels on one place the one of the same class is the same object

# {0} is what is paired, {1} its id, {2} its name. A name that stands twice on a side names nothing.
_BY_NAME = """
create or replace temp table _{0}_pairs as
with named as (
  select o.{1} as old_id, n.{1} as new_id
  from (select any_value({1}) as {1}, {2} from old_{0} group by {2} having count(*) = 1) o
  join (select any_value({1}) as {1}, {2} from new_{0} group by {2} having count(*) = 1) n using ({2})
), by_id as (
  select o.{1} as old_id, n.{1} as new_id
  from (from old_{0} anti join named on {1} = old_id) o
  join (from new_{0} anti join named on {1} = new_id) n using ({1})
)
select * from named union all select * from by_id
"""
# One row per label, in the numbering of the new side: `picture` and `category` are its ids where the thing is on both.
# `mask` is a hash (64 bits) of the segmentation's text: texts of two large files would fill the memory.
_SIDE = """
create or replace temp table _{side} as
select a.annotation_id, i.new_id as picture, a.image_id, c.new_id as category, a.category_id,
       a.x, a.y, a.width, a.height, a.iscrowd, m.mask
from {side}_annotations a
left join _images_pairs i on a.image_id = i.{side}_id
left join _categories_pairs c on a.category_id = c.{side}_id
left join (
  select annotation_id, hash(segmentation) as mask from {side}_annotation_masks
) m using (annotation_id)
"""
_INTER = """(
  greatest(least(o.x + o.width, n.x + n.width) - greatest(o.x, n.x), 0)
  * greatest(least(o.y + o.height, n.y + n.height) - greatest(o.y, n.y), 0)
)"""
# Of the labels `o` and `n`; 1 for the same box, whatever its size.
IOU = f"""case when (o.x, o.y, o.width, o.height) = (n.x, n.y, n.width, n.height) then 1.0
  else coalesce({_INTER} / nullif(o.width * o.height + n.width * n.height - {_INTER}, 0), 0) end"""
_LEFT = "(select * from _{0} anti join _pairs on annotation_id = {0}_id) {1}"
_CONTENT = "picture, category, x, y, width, height, iscrowd, coalesce(mask, 0)"


def pair_labels(con: DuckDBPyConnection) -> bool:
    """Fill ``_pairs`` (old_id, new_id, matched_by), ``_old`` and ``_new``; returns whether ids were trusted.

    Args:
        con: shows the tables of both sides, see ``sides``.
    """
    con.execute(_BY_NAME.format("images", "image_id", "file_name"))
    con.execute(_BY_NAME.format("categories", "category_id", "name"))
    for side in ("old", "new"):
        con.execute(_SIDE.format(side=side))
    con.execute(
        "create or replace temp table _pairs (old_id bigint, new_id bigint, matched_by varchar)"
    )
    trusted = _ids_stayed(con)
    if trusted:
        con.execute(
            """insert into _pairs select annotation_id, annotation_id, 'id'
               from _old o join _new n using (annotation_id) where o.picture = n.picture"""
        )
    _by_content(con)
    _by_overlap(con)
    return trusted


def _ids_stayed(con: DuckDBPyConnection) -> bool:
    """Whether most labels with an id of both sides lie where they lay."""
    common, same = con.execute(
        f"""select count(*), count(*) filter (o.picture = n.picture and {IOU} >= {IOU_FLOOR})
            from _old o join _new n using (annotation_id)"""
    ).fetchall()[0]
    return bool(common) and same >= _TRUST * common


def _by_content(con: DuckDBPyConnection) -> None:
    """Of labels that are the same to the letter the n-th of one side is the n-th of the other."""
    numbered = f"""select annotation_id, ({_CONTENT}) as content, row_number() over (
        partition by {_CONTENT} order by annotation_id) as nth from {{}} where picture is not null"""
    con.execute(
        f"""insert into _pairs select o.annotation_id, n.annotation_id, 'content'
            from ({numbered.format(_LEFT.format("old", "o"))}) o
            join ({numbered.format(_LEFT.format("new", "n"))}) n using (content, nth)"""
    )


def _by_overlap(con: DuckDBPyConnection) -> None:
    edges = con.execute(
        f"""select old_id, new_id, iou * case when same then 1 else {_OTHER_CLASS} end as weight from (
              select o.annotation_id as old_id, n.annotation_id as new_id, {IOU} as iou,
                     coalesce(o.category = n.category_id, false) as same
              from {_LEFT.format("old", "o")} join {_LEFT.format("new", "n")} on o.picture = n.picture
              where o.x < n.x + n.width and n.x < o.x + o.width
                and o.y < n.y + n.height and n.y < o.y + o.height
            ) where iou >= {IOU_FLOOR}"""
    ).fetchnumpy()
    taken = assign(edges["old_id"], edges["new_id"], edges["weight"].astype("float64"))
    found = pa.table({"old_id": edges["old_id"][taken], "new_id": edges["new_id"][taken]})
    con.register("_found", found)
    con.execute("insert into _pairs select old_id, new_id, 'overlap' from _found")
    con.unregister("_found")
