"""Missing: a prediction that is probably right and that no label stands for.

score = confidence × (1 − cover), cover = the part of the object that a label could account for: IoU / 0.5 with the label
assigned to the prediction or with a label that has no prediction of its own; and, for a label that has one, only what
exceeds IoU 0.5 by half, since two objects may overlap but a second box on one object is no second object.
The confidence is the one by score alone (see `confidence`): where labels are missing, the model's figures by category suffer.
Predictions of any model on one object make one suspect. None where `inaccurate` says more of the same prediction: moving
the label to it adds the object and removes what would look spurious.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_quality.findings import suspects
from label_quality.findings.confidence import CROWD_COVER
from label_quality.matching.masks import count

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SAME_OBJECT = 0.5


def score(con: DuckDBPyConnection) -> None:
    """Add the suspects of type ``missing``. After ``inaccurate``, whose suspects take precedence."""
    con.execute(
        f"""
        create or replace temp table _unlabelled as
        with in_crowds as (
          -- Those too that are assigned to a label which they hardly overlap.
          select model::_model as model, prediction_id from prediction_overlaps
          where iscrowd and same_category and box_iou >= {CROWD_COVER}
        ), candidates as (
          select * from _predictions p anti join in_crowds using (model, prediction_id)
          where by_score >= {suspects.MODEL_FLOOR} and coalesce(assigned_iou, 0) < 0.5
            and {_looked_for(con)}
        ), pairs as (
          select model::_model as model, prediction_id, annotation_id, box_iou as iou, assigned
          from prediction_overlaps where not iscrowd
        ), cover as (
          select model, prediction_id, max(o.iou) as iou,
                 max(case when t.annotation_id is null or o.assigned then least(o.iou / 0.5, 1)
                          else least(greatest((o.iou - 0.5) / 0.25, 0), 1) end) as covered
          from pairs o semi join candidates using (model, prediction_id)
          left join _accounted t on t.model = o.model and t.annotation_id = o.annotation_id
          group by all
        ), scored as (
          select p.*, c.iou, p.by_score * (1 - coalesce(c.covered, 0)) as score
          from candidates p left join cover c using (model, prediction_id)
        )
        -- Ties are settled by id and model, not by how the rows happen to lie.
        select *, row_number() over (order by score desc, prediction_id, model) - 1 as rank
        from scored where score >= {suspects.MODEL_FLOOR}
        """
    )
    con.register("_leaders", _leaders(con))
    suspects.add(
        con,
        """
        with best as (
          select l.leader, u.model, min(u.rank) as rank from _unlabelled u join _leaders l using (rank) group by all
        ), told as (
          select distinct l.leader
          from _unlabelled u join _leaders l using (rank)
            join _suspects i on i.model = u.model and i.prediction_id = u.prediction_id
          where i.error_type = 'inaccurate' and i.score >= u.score
        )
        select 'missing' as error_type, 'missing' || b.leader as key, first.image_id, first.category_id,
               'add' as suggested_fix, first.category_id as suggested_category_id, first.x as suggested_x,
               first.y as suggested_y, first.width as suggested_width, first.height as suggested_height,
               u.score, first.x, first.y, first.width, first.height, u.model, u.prediction_id, u.by_score as confidence,
               coalesce(u.iou, 0) as covered
        from best b anti join told using (leader) join _unlabelled u using (rank)
          join _unlabelled first on first.rank = b.leader
        """,
    )
    con.unregister("_leaders")
    con.execute("drop table _unlabelled")


def _looked_for(con: DuckDBPyConnection) -> str:
    """LVIS-style files: an object is missing only where its category was looked for in that image. A condition on p."""
    con.execute(
        """
        create or replace temp table _federated as
        select image_id, neg_category_ids, coalesce(not_exhaustive_category_ids, []) as not_exhaustive
        from images where neg_category_ids is not null or not_exhaustive_category_ids is not null
        """
    )
    if not count(con, "_federated"):
        return "true"
    con.execute(
        """
        create or replace temp table _not_looked_for as
        with asked as (
          select distinct p.image_id, p.category_id, f.not_exhaustive, f.neg_category_ids
          from _predictions p join _federated f using (image_id)
        )
        select image_id, category_id
        from asked left join (select distinct image_id, category_id, true as labelled from annotations) a
          using (image_id, category_id)
        where list_contains(not_exhaustive, category_id)
          or not (labelled is not null or neg_category_ids is null or list_contains(neg_category_ids, category_id))
        """
    )
    return "not exists (from _not_looked_for n where n.image_id = p.image_id and n.category_id = p.category_id)"


def _leaders(con: DuckDBPyConnection) -> pa.Table:
    edges = con.execute(
        f"""
        select a.rank as a, b.rank as b
        from _unlabelled a join _unlabelled b on a.image_id = b.image_id and a.rank < b.rank
        where a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
          and (least(a.x + a.width, b.x + b.width) - greatest(a.x, b.x))
            * (least(a.y + a.height, b.y + b.height) - greatest(a.y, b.y)) * (1 + 1 / {_SAME_OBJECT})
            >= a.width * a.height + b.width * b.height
        """
    ).fetchnumpy()
    rank = np.arange(count(con, "_unlabelled"))
    leaders = cluster(rank, edges["a"].astype(np.int64), edges["b"].astype(np.int64))
    return pa.table({"rank": rank, "leader": leaders})


def cluster(
    rank: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Greedy clusters, as non-maximum suppression makes them, in array code.

    Args:
        rank: (N,) place of each node, 0 for the first; no two the same.
        a: (E,) one end of each edge.
        b: (E,) the other end.

    Returns:
        (N,) the leader of each node: itself, or the leader of best rank that it has an edge to. No two leaders
        share an edge.
    """
    count = len(rank)
    swap = rank[a] > rank[b]
    better, worse = np.where(swap, b, a), np.where(swap, a, b)
    leads, settled = np.zeros(count, bool), np.zeros(count, bool)
    first, second = better, worse
    while len(first):
        # A node that no unsettled better one touches is a leader, and settles its neighbours.
        beaten = np.zeros(count, bool)
        beaten[second] = True
        leads |= ~settled & ~beaten
        settled |= leads
        settled[second[leads[first]]] = True
        still = ~settled[first] & ~settled[second]
        first, second = first[still], second[still]
    leads |= ~settled
    followed = leads[better]
    place = rank.copy()
    np.minimum.at(place, worse[followed], rank[better[followed]])
    node_of_rank = np.empty(count, np.int64)
    node_of_rank[rank] = np.arange(count)
    return node_of_rank[place]
