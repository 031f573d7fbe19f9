"""Which accepted fixes are carried out, by a rule that leaves nothing to chance. What is not carried out is told with the reason.

Of one author's decisions about one thing the latest counts. Two authors have to want the same: where they differ, the label
stays as it is. Class and outline of a label are two things, so a new class and a new box go together; a removal goes with
nothing else. Crowd regions stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations, groupby
from typing import TYPE_CHECKING, Any

import msgspec

from label_quality.reviews.attach import SAME_OBJECT
from label_quality.store.entries import Fix, Rle

if TYPE_CHECKING:
    from label_quality.exports.source import Row, Source

_TWICE = 0.8  # IoU from which two objects that one person added are one
Segmentation = list[list[float]] | Rle


@dataclass
class Change:
    """What is done to one label (`annotation_id` None: an object that is added), and the verdicts that it rests on.

    `category_id`, `box` (x, y, width, height in pixels) and `segmentation` are None where they stay.
    """

    image_id: int
    annotation_id: int | None
    verdicts: list[Row] = field(default_factory=list)
    remove: bool = False
    category_id: int | None = None
    box: tuple[float, float, float, float] | None = None
    segmentation: Segmentation | None = None


@dataclass(frozen=True)
class Left:
    """A verdict that was not carried out, and why."""

    verdict: Row
    reason: str


@dataclass
class Decided:
    """All changes of a batch in the order of labels, what was left, and how many are in the labels already."""

    changes: list[Change] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    applied: int = 0


def decide(source: Source, batch: str) -> Decided:
    """The changes that the accepted verdicts of `batch` ask for."""
    decided = Decided()
    standing: list[Row] = []
    for row in source.rows(_ACCEPTED, batch):
        row["fix"] = msgspec.json.decode(row["fix"], type=Fix) if row["fix"] else None
        reason = _why_not(row)
        if row["applied"]:
            decided.applied += 1
        elif reason:
            decided.left.append(Left(row, reason))
        else:
            standing.append(row)
    labels = sorted(
        (r for r in standing if r["label"] is not None), key=lambda r: (r["label"], r["seq"])
    )
    for _, rows in groupby(labels, key=lambda r: r["label"]):
        _decide_label(list(rows), decided)
    added = sorted(
        (r for r in standing if r["label"] is None), key=lambda r: (r["image_id"], r["seq"])
    )
    for _, rows in groupby(added, key=lambda r: r["image_id"]):
        _decide_added(list(rows), decided)
    return decided


_ACCEPTED = f"""
select v.seq, v.author, v."at", v.batch, v.image_id, v.finding_id, v.error_type, v.annotation_id, v.fix, v.note, v.applied,
       v.superseded, v.disagreement, v.attached_annotation_id as label, coalesce(a.iscrowd, false) as iscrowd,
       a.annotation_id is null and v.annotation_id is not null as gone, i.image_id is not null as has_image,
       v.annotation_id is null and exists (
         from annotations o
         where o.batch = v.batch and o.image_id = v.image_id and not o.iscrowd
           and o.category_id = (v.fix->>'category_id')::bigint
           and greatest(least(o.x + o.width, v.x + v.width) - greatest(o.x, v.x), 0)
             * greatest(least(o.y + o.height, v.y + v.height) - greatest(o.y, v.y), 0) * (1 + 1 / {SAME_OBJECT})
             >= o.width * o.height + v.width * v.height) as labelled_now
from _verdicts v
left join annotations a on a.batch = v.batch and a.annotation_id = v.attached_annotation_id
left join images i on i.batch = v.batch and i.image_id = v.image_id
where v.batch = ? and v.verdict = 'accept' order by v.seq
"""


def _why_not(row: Row) -> str:
    """Why a verdict cannot be carried out, whatever others say; "" where it can."""
    reasons = {
        "it was accepted without a fix": row["fix"] is None,
        "people disagree about it": row["disagreement"],
        "the label is no longer as it was when it was judged": row["gone"],
        "crowd regions are not changed": row["iscrowd"],
        "the image is no longer there": not row["has_image"],
        "there is a label now where there was none": row["superseded"] and row["labelled_now"],
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _parts(fix: Fix) -> dict[str, Any]:
    """What a fix wants of a label, part by part."""
    if fix.action == "remove":
        return {"remove": True}
    parts: dict[str, Any] = {}
    if fix.category_id is not None and fix.action == "change_class":
        parts["category_id"] = fix.category_id
    if fix.segmentation is not None:
        parts["outline"] = (fix.box, fix.segmentation)
    elif fix.box is not None and fix.action != "change_class":
        parts["outline"] = (fix.box, None)
    return parts


def _decide_label(rows: list[Row], decided: Decided) -> None:
    """One change for a label, from all that its verdicts want."""
    wanted: dict[str, list[tuple[Any, Row]]] = {}
    for _, own in groupby(
        sorted(rows, key=lambda r: (r["author"], -r["seq"])), lambda r: r["author"]
    ):
        for part, value, row in _latest(own, decided):
            wanted.setdefault(part, []).append((value, row))
    differ = {p for p, values in wanted.items() if any(v != values[0][0] for v, _ in values)}
    if "remove" in wanted and len(wanted) > 1:
        differ = set(wanted)
    for part in differ:
        for _, row in wanted.pop(part):
            _leave(decided, row, "people want different things of this label")
    if not wanted:
        return
    change = Change(rows[0]["image_id"], rows[0]["label"], _rows(wanted.values()))
    for part, values in wanted.items():
        if part == "outline":
            change.box, change.segmentation = values[0][0]
        else:
            setattr(change, part, values[0][0])
    decided.changes.append(change)


def _latest(own: Iterable[Row], decided: Decided) -> list[tuple[str, Any, Row]]:
    """The parts that one author's verdicts about a label want, the latest of them first; older ones give way."""
    taken: list[tuple[str, Any, Row]] = []
    for row in own:
        parts = _parts(row["fix"])
        names = {part for part, _, _ in taken}
        if names and (names & parts.keys() or "remove" in names | parts.keys()):
            _leave(decided, row, f"its author decided otherwise later (entry {taken[0][2]['seq']})")
            continue
        taken += [(part, value, row) for part, value in parts.items()]
    return taken


def _decide_added(rows: list[Row], decided: Decided) -> None:
    """The objects that are added to one image."""
    changes: list[Change] = []
    for row in rows:
        fix: Fix = row["fix"]
        wanted = (fix.category_id, fix.box, fix.segmentation)
        same = next((c for c in changes if (c.category_id, c.box, c.segmentation) == wanted), None)
        if same:
            same.verdicts.append(row)
        else:
            changes.append(Change(row["image_id"], None, [row], False, *wanted))
    reasons: dict[int, str] = {}
    for n, k in combinations(range(len(changes)), 2):  # n is the older one
        reasons |= _rivals(changes, n, k)
    for k, change in enumerate(changes):
        if k not in reasons:
            decided.changes.append(change)
            continue
        for row in change.verdicts:
            _leave(decided, row, reasons[k])


def _rivals(changes: list[Change], n: int, k: int) -> dict[int, str]:
    """Which of two added objects are not added, and why."""
    older, newer = changes[n], changes[k]
    if older.category_id != newer.category_id:
        return {}
    overlap = _iou(older.box, newer.box)
    authors = {r["author"] for r in (*older.verdicts, *newer.verdicts)}
    if len(authors) > 1 and overlap >= SAME_OBJECT:
        return dict.fromkeys((n, k), "people added this object differently")
    return {n: "its author added this object again later"} if overlap >= _TWICE else {}


def _rows(values: Iterable[list[tuple[Any, Row]]]) -> list[Row]:
    found = {row["seq"]: row for part in values for _, row in part}
    return [found[seq] for seq in sorted(found)]


def _leave(decided: Decided, row: Row, reason: str) -> None:
    if all(left.verdict["seq"] != row["seq"] for left in decided.left):
        decided.left.append(Left(row, reason))


def _iou(a: tuple[float, ...] | None, b: tuple[float, ...] | None) -> float:
    if a is None or b is None:
        return 0.0
    width = max(min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]), 0.0)
    height = max(min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]), 0.0)
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)
