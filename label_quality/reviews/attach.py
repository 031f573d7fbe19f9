"""Attaches the log's verdicts to the labels and findings of today, by content, so that they outlive models and ids.

A verdict about a label holds while a label of that image has the content that was judged, or the content that the
verdict asked for (it is then *applied*). One about a missing label holds for the finding of that image that overlaps
most, IoU >= 0.5, one to one. Else it is superseded: kept, shown, and without effect on the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.reviews.content import content_hash

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

SAME_OBJECT = 0.5
_AS_ASKED = 0.95  # IoU of a label with the box that was asked for; the file may have rounded it
_AS_ASKED_MASK = 0.8  # where a mask was asked for: the box is then drawn round that


def attach(con: DuckDBPyConnection, entries: pa.Table) -> None:
    """Make the temporary tables ``_verdicts`` and ``_tags`` from the log.

    ``_verdicts``: one row per author and thing judged, the latest that is not undone. The columns of the log (without
    action, undoes and what is of tags), and

    - attached_annotation_id: the label of today that it is about; NULL for none
    - attached_finding_id: the finding of today that it decides; NULL for none
    - applied: the labels are as the accepted fix wants them
    - superseded: what was judged is no longer there
    - disagreement: another author decided otherwise (unsure decides nothing), or wants another fix

    ``_tags``: one row per tagged object and tag: kind, batch, image_id, annotation_id, model, prediction_id, tag, and
    author and at of who tagged it last.

    Args:
        con: shows ``images``, ``annotations`` and ``findings``, of any number of batches. It may be read-only.
        entries: what ``ReviewLog.entries()`` gives.
    """
    con.register("_entries", entries)
    con.execute(f"create or replace temp table _standing as {_STANDING}")
    con.execute(f"create or replace temp table _tags as {_TAGS}")
    con.unregister("_entries")
    con.execute(f"create or replace temp table _labels_now as {_LABELS_NOW}")
    con.execute(f"create or replace temp table _placed as {_PLACED}")
    _assign_missing(con)
    con.execute(f"create or replace temp table _verdicts as {_VERDICTS}")
    for table in ("_standing", "_labels_now", "_placed", "_candidates", "_taken"):
        con.execute(f"drop table {table}")


def iou(a: str, b: str) -> str:
    """SQL for the IoU of the boxes of the rows `a` and `b` (columns x, y, width, height in pixels)."""
    width = f"greatest(least({a}.x + {a}.width, {b}.x + {b}.width) - greatest({a}.x, {b}.x), 0)"
    height = f"greatest(least({a}.y + {a}.height, {b}.y + {b}.height) - greatest({a}.y, {b}.y), 0)"
    both = f"{width} * {height}"
    return f"({both}) / nullif({a}.width * {a}.height + {b}.width * {b}.height - {both}, 0)"


_STANDING = """
with undone as (
  select undoes as seq from _entries where undoes is not null
), numbers as (
  select seq, fix->>'action' as fix_action, (fix->>'category_id')::bigint as fix_category_id,
         json_exists(fix, '$.segmentation') as fix_has_mask, cast(fix->'box' as double[]) as fix_box
  from _entries where fix is not null
)
select e.* exclude (action, undoes, kind, model, prediction_id, tag), n.* exclude (seq),
       -- What two authors have to agree on: who suggested it does not matter.
       concat_ws('/', verdict, fix_action, fix_category_id, fix_box, fix->'segmentation') as decision
from _entries e anti join undone using (seq) left join numbers n using (seq)
where action = 'verdict'
"""

_TAGS = """
with undone as (
  select undoes as seq from _entries where undoes is not null
), latest as (
  select *, row_number() over (
           partition by kind, batch, image_id, annotation_id, model, prediction_id, tag order by seq desc) as nth
  from _entries anti join undone using (seq) where action in ('tag', 'untag')
)
select kind, batch, image_id, annotation_id, model, prediction_id, tag, author, "at"
from latest where nth = 1 and action = 'tag'
"""

_LABELS_NOW = f"""
with hashed as (
  select batch, image_id, annotation_id, category_id, x, y, width, height, {content_hash("a")} as content_hash
  from annotations a semi join _standing using (batch, image_id)
)
select *, row_number() over alike as nth, count(*) over (partition by batch, image_id, content_hash) as alike
from hashed window alike as (partition by batch, image_id, content_hash order by annotation_id)
"""

# The label of today of each verdict: the same id with the same content; else the same content under another id. Of two
# labels of one content, judged as a pair, each must have its own, or taking one away would take the other away next.
_FOUND = """
select v.seq, l.annotation_id from _standing v join _labels_now l using (batch, image_id, content_hash)
where (other_content_hash is distinct from content_hash or l.alike > 1)
qualify row_number() over (
  partition by v.seq
  order by (l.annotation_id = v.annotation_id) desc,
           (l.nth = 1 + (other_content_hash is not distinct from content_hash
                         and v.annotation_id > v.other_annotation_id)::integer) desc, l.annotation_id) = 1
"""
_FOUND_OTHER = """
select v.seq, l.annotation_id from _standing v
join _labels_now l on l.batch = v.batch and l.image_id = v.image_id and l.content_hash = v.other_content_hash
left join found f on f.seq = v.seq
where l.annotation_id is distinct from f.annotation_id
qualify row_number() over (partition by v.seq order by (l.annotation_id = v.other_annotation_id) desc, l.annotation_id) = 1
"""
# Labels as the accepted fix wants them. The box is the one asked for, else the one that was judged.
_AS_WANTED = f"""
with wanted as (
  select seq, batch, image_id, annotation_id, fix_has_mask, coalesce(fix_category_id, category_id) as category_id,
         coalesce(fix_box[1], x) as x, coalesce(fix_box[2], y) as y, coalesce(fix_box[3], width) as width,
         coalesce(fix_box[4], height) as height
  from _standing where fix_action <> 'remove'
), near as (
  select w.seq, l.annotation_id, l.annotation_id = w.annotation_id as same_id, fix_has_mask, {iou("w", "l")} as iou
  from wanted w join _labels_now l using (batch, image_id, category_id)
)
select seq, annotation_id from near
where iou >= case when fix_has_mask then {_AS_ASKED_MASK} else {_AS_ASKED} end
qualify row_number() over (partition by seq order by same_id desc nulls last, iou desc, annotation_id) = 1
"""
# One row per verdict; of one author's about one thing the latest.
_PLACED = f"""
with found as ({_FOUND}), found_other as ({_FOUND_OTHER}), as_wanted as ({_AS_WANTED}),
placed as (
  select v.*, f.annotation_id is not null and (v.other_content_hash is null or o.annotation_id is not null) as unchanged,
         case when unchanged then f.annotation_id else w.annotation_id end as attached_annotation_id,
         case when unchanged then o.annotation_id end as attached_other_id,
         v.fix_action is not null and not unchanged and case
           when v.fix_action <> 'remove' then w.annotation_id is not null
           else f.annotation_id is null and i.image_id is not null and not exists (
             from _labels_now l where l.batch = v.batch and l.image_id = v.image_id and l.annotation_id = v.annotation_id)
           end as applied,
         i.image_id is not null as has_image
  from _standing v left join found f using (seq) left join found_other o using (seq) left join as_wanted w using (seq)
  left join (select batch, image_id from images semi join _standing using (batch, image_id)) i using (batch, image_id)
), things as (
  select *, case when annotation_id is null then coalesce(finding_id, 'drawn ' || seq)
                 else concat_ws('/', least(label, other), greatest(label, other), error_type) end as thing
  from (select *, coalesce(attached_annotation_id, annotation_id) as label,
               coalesce(attached_other_id, other_annotation_id) as other from placed)
)
select * exclude (label, other) from things
qualify row_number() over (partition by author, batch, image_id, thing order by seq desc) = 1
"""


def _assign_missing(con: DuckDBPyConnection) -> None:
    """Fill ``_taken`` (seq, finding_id): missing objects that were judged, and the findings of today, one to one by author.

    Pairs that are the best of both sides are taken, round by round: what is taken is what taking the best pair of all,
    again and again, would take.
    """
    con.execute(
        f"""
        create or replace temp table _candidates as
        select * from (
          select v.author, v.seq, f.batch, f.finding_id, v.finding_id is not distinct from f.finding_id as exact,
                 {iou("v", "f")} as iou
          from _placed v join findings f using (batch, image_id)
          where v.annotation_id is null and f.error_type = 'missing'
        ) where exact or iou >= {SAME_OBJECT};
        create or replace temp table _taken (author varchar, seq bigint, batch varchar, finding_id varchar)
        """
    )
    order = "order by exact desc, iou desc, seq desc, finding_id"
    while con.execute("select count(*) from _candidates").fetchone()[0]:  # type: ignore[index]
        con.execute(
            f"""
            insert into _taken
            select author, seq, batch, finding_id from _candidates
            qualify row_number() over (partition by seq {order}) = 1
                and row_number() over (partition by author, batch, finding_id {order}) = 1
            """
        )
        con.execute(
            """
            delete from _candidates c where exists (
              from _taken t where t.seq = c.seq
                or (t.author = c.author and t.batch = c.batch and t.finding_id = c.finding_id))
            """
        )


# A missing object that its author judged again, under the id of a later finding, is that one thing.
_AGAIN = f"""
select v.seq from _placed v join _placed n using (author, batch, image_id) anti join _taken t on t.seq = v.seq
where v.annotation_id is null and n.annotation_id is null and n.seq > v.seq
  and v.finding_id is not null and n.finding_id is not null and {iou("v", "n")} >= {SAME_OBJECT}
"""
# The finding of a label's verdict: of the same type about the same label, or about the same two labels.
_DECIDED = """
select v.seq, min(f.finding_id) as finding_id
from _placed v join findings f on f.batch = v.batch and f.image_id = v.image_id and f.error_type = v.error_type
where f.annotation_id = v.attached_annotation_id
    and (v.attached_other_id is null or f.other_annotation_id = v.attached_other_id)
  or f.annotation_id = v.attached_other_id and f.other_annotation_id = v.attached_annotation_id
group by all
"""
_VERDICTS = f"""
with again as ({_AGAIN}), decided as ({_DECIDED}), attached as (
  select v.* exclude (finding_id, thing, has_image, unchanged), v.finding_id,
         coalesce(t.finding_id, d.finding_id) as attached_finding_id,
         not applied and case
           when v.annotation_id is not null then attached_annotation_id is null
           when v.finding_id is null then not has_image
           else t.finding_id is null end as superseded,
         coalesce(t.finding_id, thing) as about
  from _placed v left join _taken t on t.seq = v.seq left join decided d on d.seq = v.seq anti join again g on g.seq = v.seq
)
select * exclude (fix_action, fix_category_id, fix_has_mask, fix_box, decision, about, attached_other_id),
       verdict <> 'unsure' and count(distinct case when verdict <> 'unsure' then decision end) over (
         partition by batch, image_id, about) > 1 as disagreement
from attached
"""
