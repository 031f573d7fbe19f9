"""Corrected COCO: the delivered file with the accepted fixes carried out, every other byte as it was, and a log of what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from label_quality.coco.ids import BadId, Id, canonical
from label_quality.coco.splice import Edit, Spliced, splice
from label_quality.exports.fixes import Change, Decided, Left, decide
from label_quality.exports.outline import Unsound, measured
from label_quality.exports.registry import Exporter, Result
from label_quality.store.files import replacing, write_json

if TYPE_CHECKING:
    from label_quality.exports.source import Row, Source


def write(source: Source, folder: Path) -> Result:
    """``<batch>.json`` and ``<batch>.changes.json`` for each batch."""
    result = Result()
    for batch in source.batches:
        decided = decide(source, batch)
        fixes = _Fixes(source, batch, decided)
        file, log = folder / f"{batch}.json", folder / f"{batch}.changes.json"
        with (
            source.delivered(batch) as document,
            replacing(file) as temporary,
            temporary.open("wb") as out,
        ):
            done = splice(document, fixes.edits, [a for _, a in fixes.additions], out)
        changes = list(fixes.carried_out(done))
        write_json(log, _log(source, batch, decided, changes))
        result.files += [file, log]
        result.says.append(_summary(batch, decided, changes))
        if fixes.masks_kept:
            result.says.append(f"  {fixes.masks_kept} boxes changed whose masks stay as they were")
        reasons = Counter(left.reason for left in decided.left)
        result.says += [f"  {n} not carried out: {why}" for why, n in reasons.most_common()]
    return result


EXPORTER = Exporter(
    "coco",
    "The delivered annotation file with the accepted fixes carried out, and a log of the changes.",
    write,
)


class _Fixes:
    """The changes of a batch in the words of its file: edits by the file's own ids, and records to add."""

    def __init__(self, source: Source, batch: str, decided: Decided) -> None:
        self._decided = decided
        self._categories = _originals(source, batch, "categories", "category_id")
        self._images = {
            r["image_id"]: r for r in source.rows("from images where batch = ?", batch)
        } if decided.changes else {}  # fmt: skip
        ids = [c.annotation_id for c in decided.changes if c.annotation_id is not None]
        self._labels = {
            r["annotation_id"]: r
            for r in source.rows(
                "from annotations where batch = ? and annotation_id in (select unnest(?))",
                batch,
                ids,
            )
        }
        has_masks = source.rows(
            "select 1 from annotations where batch = ? and segmentation_type <> 'none' limit 1",
            batch,
        )
        self._empty: dict[str, Any] = {"segmentation": []} if has_masks else {}
        self.masks_kept = 0
        self.edits: dict[Id, Edit] = {}
        self.additions: list[tuple[Change, dict[str, Any]]] = []
        self._changes: dict[Id, Change] = {}
        for change in decided.changes:
            try:
                self._add(change)
            except Unsound as error:
                decided.left += [Left(row, f"the mask {error}") for row in change.verdicts]

    def _add(self, change: Change) -> None:
        if change.category_id is not None and change.category_id not in self._categories:
            reason = f"the category {change.category_id} is not in the file"
            self._decided.left += [Left(row, reason) for row in change.verdicts]
            return
        image = self._images[change.image_id]
        if change.annotation_id is None:
            record = {"image_id": _original(image, "image_id"), **self._empty}
            values = self._values(change, image, has_mask=False)
            self.additions.append((change, {**record, **values, "iscrowd": 0}))
            return
        label = self._labels[change.annotation_id]
        has_mask = label["segmentation_type"] != "none"
        id_ = _original(label, "annotation_id")
        values = {} if change.remove else self._values(change, image, has_mask=has_mask)
        is_it = _is(label, self._categories[label["category_id"]])
        self._changes[id_] = change
        self.edits[id_] = Edit(values, change.remove, is_it)

    def _values(self, change: Change, image: Row, *, has_mask: bool) -> dict[str, Any]:
        """The values that change. A mask that was not decided on stays, and with it the area."""
        values: dict[str, Any] = {}
        if change.category_id is not None:
            values["category_id"] = self._categories[change.category_id]
        if change.segmentation is not None:
            written, box, area = measured(change.segmentation, image["height"], image["width"])
            values |= {"segmentation": written, "area": area, "bbox": box}
        elif change.box is not None:
            values["bbox"] = list(change.box)
            if has_mask:
                self.masks_kept += 1
            else:
                values["area"] = change.box[2] * change.box[3]
        return values

    def carried_out(self, done: Spliced) -> list[dict[str, Any]]:
        """The changes as the change log has them; what no record was found for is added to what was left."""
        out = []
        for id_, change in self._changes.items():
            if id_ not in done.before:
                reason = "the file has no such label"
                self._decided.left += [Left(row, reason) for row in change.verdicts]
                continue
            before, after = done.before[id_], done.after[id_]
            keys = [k for k in (after or {}) if before.get(k) != (after or {})[k]]
            out.append(
                _what(change, "remove", before, None)
                if after is None
                else _what(change, "change", _only(before, keys), _only(after, keys))
                | {"annotation_id": before["id"]}
            )
        for (change, _), record in zip(self.additions, done.added, strict=True):
            out.append(_what(change, "add", None, record) | {"annotation_id": record["id"]})
        return out


def _is(label: Row, category: Id) -> Callable[[dict[str, Any]], bool]:
    """Whether a record is this label: two records may have one id, of which one was not taken."""
    box = [label[c] for c in ("x", "y", "width", "height")]

    def is_it(record: dict[str, Any]) -> bool:
        try:
            if canonical(record["category_id"]) != category:
                return False
            theirs = record.get("bbox")
            return not theirs or all(abs(a - b) < 1e-6 for a, b in zip(theirs, box, strict=True))
        except (BadId, KeyError, TypeError, ValueError):
            return False

    return is_it


def _originals(source: Source, batch: str, table: str, key: str) -> dict[int, Id]:
    rows = source.rows(f"select {key}, original_id from {table} where batch = ?", batch)
    return {r[key]: _original(r, key) for r in rows}


def _original(row: Row, key: str) -> Id:
    """The id of a row as its file has it."""
    found: Id = row[key] if row["original_id"] is None else row["original_id"]
    return found


def _only(record: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    return {k: record.get(k) for k in keys}


def _what(change: Change, action: str, before: Any, after: Any) -> dict[str, Any]:
    return {
        "action": action,
        "image_id": change.image_id,
        "annotation_id": (before or {}).get("id"),
        "before": before,
        "after": after,
        "verdicts": [_who(row) for row in change.verdicts],
    }


def _who(row: Row) -> dict[str, Any]:
    at: datetime = row["at"]
    return {
        "seq": row["seq"],
        "author": row["author"],
        "at": at.isoformat() + "Z",
        "error_type": row["error_type"],
        "finding_id": row["finding_id"],
        "note": row["note"],
    }


def _log(
    source: Source, batch: str, decided: Decided, changes: list[dict[str, Any]]
) -> dict[str, Any]:
    (delivered,) = source.rows("select file, sha256 from batches where batch = ?", batch)
    left = [
        {"reason": one.reason, "annotation_id": one.verdict["annotation_id"]}
        | {"image_id": one.verdict["image_id"], "verdict": _who(one.verdict)}
        | {"fix": msgspec.to_builtins(one.verdict["fix"])}
        for one in decided.left
    ]
    return {
        "batch": batch,
        "delivered_file": delivered["file"],
        "delivered_sha256": delivered["sha256"],
        "last_entry": source.last,
        "changes": changes,
        "not_carried_out": left,
        "in_the_labels_already": decided.applied,
    }


def _summary(batch: str, decided: Decided, changes: list[dict[str, Any]]) -> str:
    counts = Counter(c["action"] for c in changes)
    text = f"{batch}: {counts['change']} labels changed, {counts['remove']} removed, {counts['add']} added"
    return text + (f"; {decided.applied} fixes are in it already" if decided.applied else "")
