"""Runs that cannot go on, as the Dagster UI shows them: one sentence, nothing published, nothing half."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pipeline_tools import NO_LIMITS, query

from label_quality.cli import execute
from label_quality.coco import Labels, read_labels
from label_quality.definitions import build_definitions
from label_quality.demo import Demo
from label_quality.settings import load_settings
from label_quality.store import Store


class Home:
    """A root and a Dagster instance in memory; runs happen as the daemon would start them."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.root, self.instance = root, instance
        root.mkdir()
        (root / "label_quality.toml").write_text(NO_LIMITS)
        self.store = Store(root, load_settings(root))
        self.definitions = build_definitions(load_settings(root))

    def run(self, batch: str, tags: Mapping[str, str] | None = None) -> dg.ExecuteInProcessResult:
        """Run `audit_batch` for a batch."""
        self.instance.add_dynamic_partitions("batch", [batch])
        return self.definitions.resolve_job_def("audit_batch").execute_in_process(
            instance=self.instance,
            partition_key=batch,
            tags=tags,
            run_config=execute._QUIET,
            raise_on_error=False,
        )

    def deliver(self, folder: str, annotations: bytes) -> Mapping[str, str]:
        """Put a delivery into the inbox; the tags that the sensor gives its run."""
        target = self.root / "inbox" / folder
        target.mkdir(parents=True)
        (target / "annotations.json").write_bytes(annotations)
        return {"label_quality/inbox": folder}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Home]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(tmp_path / "root", instance)


def sentence(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step says; the error that goes with it has the same words and no cause from inside."""
    assert not result.success
    (failed,) = [e for e in result.all_events if e.is_step_failure]
    data: Any = failed.event_specific_data
    assert data.user_failure_data
    text = str(data.user_failure_data.description)
    assert data.error.cause is None
    assert "\n" not in text
    return text


Broken = Callable[[bytes], bytes]
UNREADABLE: dict[str, tuple[Broken, str]] = {
    "cut off": (lambda b: b[:5000], "annotations.json, line 1, column 5001: the file ends here"),
    "not JSON": (lambda b: b"\x00\x01\x02", "annotations.json, byte 0: a zero byte"),
    "empty": (lambda b: b"", "annotations.json"),
    "no COCO": (lambda b: b'{"hello": 1}', "annotations.json"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_delivery_fails_with_one_sentence(name: str, here: Home, demo: Demo) -> None:
    breaking, message = UNREADABLE[name]
    result = here.run("b1", here.deliver("b1", breaking(demo.annotations.read_bytes())))
    assert message in sentence(result)
    assert not here.store.database.exists()
    assert here.store.batches() == []


def test_a_delivery_that_is_gone_when_its_run_starts(here: Home) -> None:
    tags = here.deliver("b1", b"{}")
    shutil.rmtree(here.root / "inbox" / "b1")
    wanted = "the delivery b1 of the inbox cannot be taken: it needs annotations.json"
    assert sentence(here.run("b1", tags)).startswith(wanted)


def test_the_folder_of_a_run_is_never_outside_of_the_inbox(here: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "annotations.json").write_text('{"images": []}')
    result = here.run("b1", {"label_quality/inbox": "../../elsewhere"})
    assert "the delivery ../../elsewhere of the inbox cannot be taken" in sentence(result)


def test_a_batch_that_nobody_delivered(here: Home) -> None:
    assert sentence(here.run("b1")) == "no batch b1 has been delivered"


def test_settings_that_went_wrong_while_dagster_was_running(here: Home, demo: Demo) -> None:
    here.store.deliver("b1", demo.annotations)
    (here.root / "label_quality.toml").write_text("[limits]\nanny = 1\n")
    assert "label_quality.toml: Object contains unknown field `anny`" in sentence(here.run("b1"))


def test_a_damaged_register(here: Home, demo: Demo) -> None:
    here.store.deliver("b1", demo.annotations)
    file = here.root / "deliveries" / "register" / "b1.json"
    file.write_text("{")
    assert sentence(here.run("b1")).startswith(f"{file} is damaged: ")


def test_a_batch_that_is_being_audited(here: Home, demo: Demo) -> None:
    here.store.deliver("b1", demo.annotations)
    with here.store.lock("b1"):
        text = sentence(here.run("b1"))
    assert text.startswith("batch b1 is being audited by another run (process ")
    assert text.endswith("wait until it has ended")
    assert here.run("b1").success  # and is not held by the refused run


def test_lost_records_block_all_that_follows(
    here: Home, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only way to lose a record here is to let the reader miscount: this patch is not in the product."""
    here.store.deliver("b1", demo.annotations)
    assert here.run("b1").success
    before = query(here.store.database, "select batch, run_id from batches")

    def losing(*args: Any, **options: Any) -> Labels:
        labels = read_labels(*args, **options)
        read, kept, refused = labels.counts["annotations"]
        return dataclasses.replace(
            labels, counts={**labels.counts, "annotations": (read + 1, kept, refused)}
        )

    ingest = importlib.import_module("label_quality.assets.ingest")  # not the asset of that name
    monkeypatch.setattr(ingest, "read_labels", losing)
    result = here.run("b1")
    assert not result.success
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "nothing_lost"]
    assert (check.passed, check.severity, check.blocking) == (
        False,
        dg.AssetCheckSeverity.ERROR,
        True,
    )
    started = {e.step_key for e in result.all_events if e.is_step_start}
    assert started == {"ingest"}
    assert query(here.store.database, "select batch, run_id from batches") == before
    why = execute._why(result)  # what the command prints
    assert why.startswith("batches: check nothing_lost failed: ")
    assert "annotations: 76 read, 75 kept, 0 quarantined" in why
