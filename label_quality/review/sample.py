"""The cards of the random sample: labels, and suspected missing ones, that the queue asks about in between.

A label is shown as such, whatever findings say about it: the question is whether it is right. A suspected missing object is
shown as its finding. What was answered is joined live; what the answers give is computed by ``reviews.estimate``.
"""

from __future__ import annotations

from typing import Any

from label_quality.review.database import Row, View
from label_quality.reviews import content_hash

# Answered: by a verdict to this draw, whatever it says. A suspected object that somebody decided aside is known already.
_OPEN = """
live.sample s anti join live.verdicts v on v.batch = s.batch and v.sample = s.draw
  and v.annotation_id is not distinct from s.annotation_id
  and (s.finding_id is null or v.attached_finding_id = s.finding_id)
"""
_LABELS = f"""
with wanted as (
  select unnest($1::varchar[]) as batch, unnest($2::bigint[]) as annotation_id
)
select a.batch, a.annotation_id, a.image_id, a.category_id, a.x, a.y, a.width, a.height, a.iscrowd, c.name as category,
       {content_hash("a")} as content_hash
from annotations a semi join wanted using (batch, annotation_id) left join categories c using (batch, category_id)
"""
# What a card of a finding has and a label has not.
_NONE: Row = dict.fromkeys(
    ("finding_id", "other_annotation_id", "suggested_fix", "suggested_category_id", "suggested_category", "suggested_x",
     "suggested_y", "suggested_width", "suggested_height", "model", "prediction_id", "p_error", "seq", "tags", "verdicts",
     "other_content_hash", "other_category_id", "models_total", "outcome", "model_score", "confidence")
)  # fmt: skip


def next_labels(view: View, batches: list[str], after: int, limit: int) -> list[Row]:
    """The next units to ask about, in their order: place, batch, draw, and annotation_id or finding_id.

    Args:
        view: the database.
        batches: only of these; none: of all.
        after: place of the last one that was shown, 0 at first.
        limit: so many at most.
    """
    return view.rows(
        f"""select s.place, s.batch, s.draw, s.annotation_id, s.finding_id from {_OPEN}
            where s.place > ? and (len(?::varchar[]) = 0 or list_contains(?::varchar[], s.batch))
              and not exists (select 1 from live.decided d where d.batch = s.batch and d.finding_id = s.finding_id)
            order by s.place limit {limit}""",
        [after, batches, batches],
    )


def label_cards(view: View, units: list[Row]) -> dict[tuple[str, int], Row]:
    """The cards of labels by batch and annotation_id, with the columns that a card of a finding has."""
    wanted = [u for u in units if u["annotation_id"] is not None]
    if not wanted:
        return {}
    keys = [[u["batch"] for u in wanted], [u["annotation_id"] for u in wanted]]
    return {
        (row["batch"], row["annotation_id"]): {
            **_NONE,
            **row,
            "error_type": "sample",
            "status": "open",
            "disagreement": False,
            "calibrated": False,
            "reason": f"Is this label right: its class, {row['category']}, its box and its outline?",
        }
        for row in view.rows(_LABELS, keys)
    }


def sample_progress(view: View, batches: list[str]) -> dict[str, Any]:
    """How many units were drawn, and how many of them are still to be asked about."""
    row = view.row(
        f"""select (select count(*) from live.sample where len($1::varchar[]) = 0 or list_contains($1::varchar[], batch)) as drawn,
                   (select count(*) from {_OPEN} where (len($1::varchar[]) = 0 or list_contains($1::varchar[], s.batch))
                      and not exists (select 1 from live.decided d where d.batch = s.batch and d.finding_id = s.finding_id)) as open""",
        [batches],
    )
    assert row is not None
    return row


def is_drawn(
    view: View, batch: str, draw: str, annotation_id: int | None, finding_id: str | None
) -> bool:
    """Whether the sample of a batch that is published now asks about this label or finding."""
    return (
        view.row(
            """select 1 from live.sample where batch = ? and draw = ? and annotation_id is not distinct from ?
             and finding_id is not distinct from ?""",
            [batch, draw, annotation_id, finding_id],
        )
        is not None
    )
