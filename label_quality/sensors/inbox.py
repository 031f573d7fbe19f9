"""The inbox sensor: a new or changed folder in ``inbox/`` becomes a partition and a run. It lists and stats, nothing more."""

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

from label_quality.assets import BATCH_ASSETS
from label_quality.assets.alive import end_dead_runs
from label_quality.assets.predictions import import_predictions
from label_quality.assets.resources import BATCHES, INBOX_TAG, StoreResource
from label_quality.inbox import DONE, Asked, Found, Memory, find_delivery, folders
from label_quality.jobs import audit_batch
from label_quality.settings import Settings, load_settings
from label_quality.store import Store, StoreError, batch_name
from label_quality.store.names import is_batch_name
from label_quality.store.shared import Shared

if TYPE_CHECKING:
    from label_quality.inbox import Folder

_RUNS_A_TICK = 25
INTERVAL = load_settings().sensor_interval_seconds


class _Cursor(msgspec.Struct):
    """What the last tick with requests asked for, until the next one has put it down: then it was launched for sure."""

    id: str = ""
    folders: dict[str, Asked] = {}


@dg.sensor(
    job=audit_batch,
    minimum_interval_seconds=INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches inbox/<batch>/ for annotations.json, images/ and predictions/<model>.json.",
)
def inbox(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.SensorResult | dg.SkipReason:
    """One run for each folder whose names, sizes or times are not those of its last run."""
    opened = store.open()
    settings = opened.settings
    end_dead_runs(context.instance, opened.root)
    memory = _remember(opened.shared, context.cursor)
    asked: dict[str, Asked] = {}
    requests: list[dg.RunRequest] = []
    waiting: list[str] = []
    for folder, batch in _batches(folders(settings.inbox_path), memory.folders, waiting).items():
        before = memory.folders.get(folder.name)
        found = find_delivery(folder)
        if isinstance(found, str):
            waiting.append(f"{folder.name}: {found}")
        elif before and (before.labels, before.results) == (found.labels, found.results):
            continue
        elif why := _unfinished(found, settings):
            waiting.append(f"{folder.name}: {why}")
        elif len(requests) == _RUNS_A_TICK:
            waiting.append(
                f"the rest waits for the next tick: {_RUNS_A_TICK} runs are enough at once"
            )
            break
        else:
            now = Asked(found.labels, found.results, before.number + 1 if before else 1)
            asked[folder.name] = now
            requests.append(_request(opened, memory.id, batch, folder, before, now))
    if not requests:
        return dg.SkipReason(
            "; ".join(waiting)[:500] or f"nothing new in {settings.inbox_path.name}/"
        )
    if waiting:
        context.log.warning("; ".join(waiting))
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[
            BATCHES.build_add_request([r.partition_key for r in requests if r.partition_key])
        ],
        cursor=msgspec.json.encode(_Cursor(memory.id, asked)).decode(),
    )


def _remember(shared: Shared, cursor: str | None) -> Memory:
    """The memory of the inbox, with what the cursor says was launched since it was written."""
    memory = Memory.load(shared)
    try:
        last = msgspec.json.decode(cursor or "{}", type=_Cursor)
    except msgspec.DecodeError:  # of another version of this sensor
        return memory
    if last.id != memory.id:  # of a root that is no more
        return memory
    newer = {
        name: asked
        for name, asked in last.folders.items()
        if name not in memory.folders or memory.folders[name].number < asked.number
    }
    if newer:
        memory.folders |= newer
        memory.save(shared)
    return memory


def _unfinished(found: Found, settings: Settings) -> str:
    """Why the delivery may still be being written; "" when it is complete."""
    if found.done:
        return ""
    if settings.done_marker_required:
        return f"its {DONE} file is not there, or not the last that was written"
    if abs(time.time() - found.newest) < settings.settle_seconds:
        return "still being written, perhaps; next tick"
    return ""


def _batches(
    found: "list[Folder]", seen: Mapping[str, Asked], waiting: list[str]
) -> "dict[Folder, str]":
    """The batch of each folder. Two folders that would be one batch must not overwrite each other in turn.

    The one that ran before keeps the name, else the one that is named so, else the first by the alphabet; of the
    others `waiting` is told.
    """
    owners: dict[str, Folder] = {}
    for folder in sorted(
        found, key=lambda p: (p.name not in seen, not is_batch_name(p.name), p.name)
    ):
        try:
            owner = owners.setdefault(batch_name(folder.name), folder)
        except StoreError as error:
            waiting.append(str(error))
            continue
        if owner != folder:
            waiting.append(
                f"{folder.name}: it would be batch {batch_name(folder.name)}, which is folder {owner.name}; "
                "give it another name"
            )
    return {
        folder: batch for batch, folder in sorted(owners.items(), key=lambda item: item[1].name)
    }


def _request(
    store: Store, inbox_id: str, batch: str, folder: "Folder", before: Asked | None, now: Asked
) -> dg.RunRequest:
    """The run. With new results only, over labels that are published, it starts with them."""
    only_results = before is not None and before.labels == now.labels and store.is_current(batch)
    return dg.RunRequest(
        # The number, because Dagster never repeats a key, and a delivery may come back to what it was.
        run_key=f"{batch}@{inbox_id}-{now.labels}-{now.results}-{now.number}",
        partition_key=batch,
        tags={INBOX_TAG: folder.name},
        asset_selection=_from_results_on() if only_results else None,
    )


@cache
def _from_results_on() -> list[dg.AssetKey]:
    """The assets of a batch that depend on its results files."""
    keys = dg.AssetSelection.assets(import_predictions).downstream().resolve(BATCH_ASSETS)
    return sorted(keys)
