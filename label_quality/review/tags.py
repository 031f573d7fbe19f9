"""Tags of images, labels and predictions: which there are, and posts that give them or take them off. Verdicts are ``verdicts``'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from label_quality.review.answers import Database, Int64, Refused, answer, body_of
from label_quality.review.database import Published, View
from label_quality.store.entries import Entry, Kind

router = APIRouter()

_MOST = 1000  # things in one post


class Tagged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that gets a tag."""

    kind: Kind
    batch: str
    image_id: Int64
    annotation_id: Int64 | None = None
    model: str | None = None
    prediction_id: Int64 | None = None


class Tags(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tag for many things, or, with `remove`, off them."""

    author: str
    tag: str
    things: list[Tagged]
    remove: bool = False


@router.get("/api/tags")
def tags(db: Database) -> Response:
    """The tags that something has, and how many things."""
    with db.view() as view:
        return answer(
            view.rows("select tag, count(*) as n from live.tags group by all order by n desc, tag")
        )


@router.post("/api/tags")
async def tag(request: Request, db: Database) -> Response:
    """Tag images, labels or predictions, or take a tag off them."""
    asked = await body_of(request, Tags)
    return answer(await run_in_threadpool(_tag, db, asked))


def _tag(db: Published, asked: Tags) -> dict[str, Any]:
    if len(asked.things) > _MOST:
        raise Refused(f"no more than {_MOST} things at once")
    try:
        entries = [
            Entry(
                author=asked.author,
                action="untag" if asked.remove else "tag",
                tag=asked.tag.strip(),
                **msgspec.structs.asdict(t),
            )
            for t in asked.things
        ]
    except ValueError as error:
        raise Refused(str(error)) from None
    with db.view() as view:
        _check_there(view, asked.things)
    return {"seqs": [e.seq for e in db.log.add(entries)]}


def _check_there(view: View, things: Sequence[Tagged]) -> None:
    """Refused where something that is to be tagged is not there."""
    keys = [
        [getattr(t, n) for t in things]
        for n in ("kind", "batch", "image_id", "annotation_id", "model", "prediction_id")
    ]
    absent = view.row(
        """with things as (
             select unnest(?::varchar[]) as kind, unnest(?::varchar[]) as batch, unnest(?::bigint[]) as image_id,
                    unnest(?::bigint[]) as annotation_id, unnest(?::varchar[]) as model, unnest(?::bigint[]) as prediction_id
           )
           select count(*) as n from things t
           where (kind = 'image' and not exists (from images i where i.batch = t.batch and i.image_id = t.image_id))
              or (kind = 'annotation' and not exists (
                    from annotations a where a.batch = t.batch and a.image_id = t.image_id and a.annotation_id = t.annotation_id))
              or (kind = 'prediction' and not exists (
                    from predictions p where p.batch = t.batch and p.image_id = t.image_id and p.model = t.model
                      and p.prediction_id = t.prediction_id))""",
        keys,
    )
    if absent and absent["n"]:
        raise Refused(f"{absent['n']} of these are no longer there.", 409)
