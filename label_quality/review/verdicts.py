"""Decisions: verdicts, fixes and undo go into the review log. What the page asks for is checked against what is there.

A decision says what was shown (the hash of the label): when that has changed meanwhile it is refused, and nothing of the
post is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from label_quality.review.answers import Database, Int64, Refused, answer, body_of
from label_quality.review.database import Published, Row, View
from label_quality.review.queue import find_many
from label_quality.review.sample import is_drawn
from label_quality.review.scenes import segmentations
from label_quality.reviews import content_hash
from label_quality.store.entries import Entry, Fix, FixAction, Verdict
from label_quality.store.shared import Shared

router = APIRouter()

_Masks = dict[tuple[str, str | None, int | None], Any]
_MOST = 1000  # decisions in one post


class AskedFix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fix as the page knows it: a mask is named by the prediction that it is taken from."""

    action: FixAction
    category_id: Int64 | None = None
    box: tuple[float, float, float, float] | None = None
    model: str | None = None
    prediction_id: Int64 | None = None


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One verdict: on a finding, or, without one, on a label (annotation_id) or on an object that was drawn (neither).

    `shown` is the content hash of the label as it was shown. Without a fix, accept takes the suggested one. `sample` is the
    draw of the random sample that asked for it, "" or None where a person chose what to judge.
    """

    batch: str
    verdict: Verdict
    finding_id: str | None = None
    image_id: Int64 | None = None
    annotation_id: Int64 | None = None
    shown: str | None = None
    fix: AskedFix | None = None
    note: str | None = None
    sample: str | None = None


class Decisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is posted."""

    author: str
    decisions: list[Decision]


class Undo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seqs` are the entries to undo, all or none; without any the author's last one that counts."""

    author: str
    seqs: Annotated[list[Int64], msgspec.Meta(max_length=_MOST)] = []


@router.post("/api/decisions")
async def decide(request: Request, db: Database) -> Response:
    """Append verdicts, all or none; answers with the number of each entry. 409 when something has changed meanwhile."""
    asked = await body_of(request, Decisions)
    return answer(await run_in_threadpool(_decide, db, asked))


@router.post("/api/decisions/undo")
async def undo(request: Request, db: Database) -> Response:
    """Undo entries of the author's; answers with what the last of them was about."""
    asked = await body_of(request, Undo)
    return answer(await run_in_threadpool(_undo, db, asked))


def _decide(db: Published, asked: Decisions) -> dict[str, Any]:
    if len(asked.decisions) > _MOST:
        raise Refused(f"no more than {_MOST} decisions at once")
    with db.view() as view:
        keys = [(d.batch, d.finding_id) for d in asked.decisions if d.finding_id is not None]
        findings = {
            (r["batch"], r["finding_id"]): r for r in (find_many(view, keys) if keys else [])
        }
        models = {
            r["batch"]: r["models"]
            for r in view.rows(
                "select batch, list(model order by model) as models from models group by all"
            )
        }
        judged = [(d, _judged(view, d, findings)) for d in asked.decisions]
        fixes = [_fix(d, about) for d, about in judged]
        masks = _masks(view, db.store.shared, judged, fixes)
    try:
        entries = [
            _entry(asked.author, d, about, _made(fix, masks, d.batch), models.get(d.batch))
            for (d, about), fix in zip(judged, fixes, strict=True)
        ]
    except ValueError as error:
        raise Refused(str(error)) from None
    return {"seqs": [e.seq for e in db.log.add(entries)]}


def _judged(view: View, decision: Decision, findings: dict[tuple[str, str], Row]) -> Row:
    """What a decision is about: a finding, a label, or an image. Refused with 409 where it is not as it was shown."""
    if decision.finding_id is not None:
        found = findings.get((decision.batch, decision.finding_id))
        if found is None:
            raise Refused("This finding is no longer there: something new was published.", 409)
    elif decision.annotation_id is not None:
        found = view.row(
            f"""select *, {content_hash("a")} as content_hash from annotations a
                where batch = ? and annotation_id = ?""",
            [decision.batch, decision.annotation_id],
        )
        if found is None:
            raise Refused("This label is no longer there: something new was published.", 409)
    else:
        found = view.row(
            "select * from images where batch = ? and image_id = ?",
            [decision.batch, decision.image_id],
        )
        if found is None or decision.fix is None:
            raise Refused("An object that was drawn needs its image and a fix.")
    if found.get("annotation_id") is not None and decision.shown != found["content_hash"]:
        raise Refused("This label has changed since it was shown.", 409)
    about = (decision.annotation_id, decision.finding_id)
    if decision.sample and not is_drawn(view, decision.batch, decision.sample, *about):
        raise Refused("The random sample was drawn anew and no longer asks about this.", 409)
    return found


def _fix(decision: Decision, about: Row) -> AskedFix | None:
    if decision.verdict != "accept":
        return None
    if decision.fix is not None:
        return decision.fix
    if decision.finding_id is None:
        raise Refused("Without a finding there is no suggested fix: say which one.")
    box = tuple(about[f"suggested_{side}"] for side in _SIDES)
    return AskedFix(
        about["suggested_fix"],
        about["suggested_category_id"],
        None if None in box else box,
        about["model"],
        about["prediction_id"],
    )


def _masks(
    view: View,
    shared: Shared,
    judged: Sequence[tuple[Decision, Row]],
    fixes: Sequence[AskedFix | None],
) -> _Masks:
    """The segmentation of each prediction that a fix takes its mask from, by batch, model and prediction.

    None of a prediction that lies in another image.
    """
    wanted = [
        (d.batch, about["image_id"], fix.model, fix.prediction_id)
        for (d, about), fix in zip(judged, fixes, strict=True)
        if fix and fix.action in _TAKE_MASKS and None not in (fix.model, fix.prediction_id)
    ]
    there = view.rows(
        """select batch, model, prediction_id from predictions
           semi join (select unnest(?::varchar[]) as batch, unnest(?::bigint[]) as image_id,
                             unnest(?::varchar[]) as model, unnest(?::bigint[]) as prediction_id)
             using (batch, image_id, model, prediction_id)""",
        list(map(list, zip(*wanted, strict=True))),
    ) if wanted else []  # fmt: skip
    found: _Masks = {}
    for batch in {row["batch"] for row in there}:
        of_batch = [row for row in there if row["batch"] == batch]
        for row in segmentations(view, shared, batch, [], of_batch):
            key = (batch, row["model"], row["prediction_id"])
            found[key] = msgspec.json.decode(row["segmentation"])
    return found


_TAKE_MASKS = ("add", "change_mask")  # another box leaves the label's own mask as it is


def _made(fix: AskedFix | None, masks: _Masks, batch: str) -> Fix | None:
    """The fix as the log keeps it: with its mask, and without what its action does not change."""
    if fix is None:
        return None
    mask = masks.get((batch, fix.model, fix.prediction_id)) if fix.action in _TAKE_MASKS else None
    if fix.action == "change_mask" and mask is None:
        raise Refused("There is no mask of this prediction.", 409)
    box = None if fix.action in ("remove", "change_class") else fix.box
    category = None if fix.action == "remove" else fix.category_id
    return Fix(fix.action, category, box, mask, fix.model, fix.prediction_id)


def _entry(author: str, decision: Decision, about: Row, fix: Fix | None, models: Any) -> Entry:
    judged: dict[str, Any] = {name: about.get(name) for name in _KEPT}
    box = [about.get(side) for side in _SIDES]
    if judged["annotation_id"] is None:  # what is judged is the object that should be there
        judged |= {"error_type": "missing", "content_hash": None}
        box = [about.get(f"suggested_{side}") for side in _SIDES]
    if judged["other_annotation_id"] is None:
        judged["other_content_hash"] = None
    if decision.finding_id is None and decision.annotation_id is None and fix is not None:
        judged["category_id"], box = fix.category_id, list(fix.box or box)
    judged |= zip(_SIDES, box, strict=True)
    return Entry(
        author=author,
        action="verdict",
        batch=decision.batch,
        image_id=about["image_id"],
        finding_id=decision.finding_id,
        verdict=decision.verdict,
        fix=fix,
        note=decision.note or None,
        sample=decision.sample or None,
        models=models,
        **judged,
    )


_SIDES = ("x", "y", "width", "height")
_KEPT = (
    "error_type",
    "category_id",
    "annotation_id",
    "content_hash",
    "other_annotation_id",
    "other_content_hash",
    "rule_version",
)


def _undo(db: Published, asked: Undo) -> dict[str, Any]:
    with db.view() as view:
        # Undo follows the verdicts that stand now: what was decided again since is not brought back.
        last = view.row(
            """select seq, batch, image_id, attached_finding_id as finding_id from live.verdicts
               where author = $1 and (len($2::bigint[]) = 0 or list_contains($2::bigint[], seq))
               order by seq desc limit 1""",
            [asked.author, asked.seqs],
        )
    seqs = asked.seqs or ([last["seq"]] if last else [])
    if not seqs:
        raise Refused("There is nothing of yours to undo.", 409)
    try:
        db.log.undo_all(seqs, asked.author)
    except ValueError as error:
        raise Refused(str(error), 409) from None
    return last or {}
