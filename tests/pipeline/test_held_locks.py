"""Who holds a batch's lock: a run of one process by itself, one whose executor does so leaves it alone. The run's tag tells."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from pipeline_tools import audit_in_process

from label_quality.assets.resources import HELD_TAG
from label_quality.cli.execute import _why
from label_quality.demo import Demo
from label_quality.store import Store


@pytest.fixture
def store(tmp_path: Path, demo: Demo) -> Store:
    made = Store(tmp_path)
    made.deliver("b1", demo.annotations)
    return made


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        (lambda run_id: run_id, ""),
        (lambda run_id: f"{run_id} the batch is held, says the executor", "the batch is held, says the executor"),
        (lambda _: "", "batch b1 is being audited by another run"),
        # A run that repeats another one has the other's tags.
        (lambda _: str(uuid.uuid4()), "batch b1 is being audited by another run"),
    ],
    ids=["held for it", "refused to it", "not told", "held for another run"],
)  # fmt: skip
def test_a_run_works_on_a_batch_that_is_held_only_if_it_is_held_for_it(
    store: Store, tag: Callable[[str], str], why: str
) -> None:
    run_id = str(uuid.uuid4())
    with store.lock("b1"), dg.DagsterInstance.ephemeral() as instance:
        tags = {HELD_TAG: said} if (said := tag(run_id)) else {}
        result = audit_in_process(store.root, instance, "b1", tags=tags, run_id=run_id)
        assert result.success == (not why)
        if why:
            assert why in _why(result)
