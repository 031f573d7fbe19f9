"""People answer the random sample after the audit: `refresh` brings the reviewed rate into the database, and the check judges by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pipeline_tools import query

from label_quality.cli import execute
from label_quality.definitions import build_definitions
from label_quality.demo import Demo
from label_quality.reviews import content_hash
from label_quality.settings import load_settings
from label_quality.store import Store
from label_quality.store.entries import Entry

# The model is sure that there are errors; people will say that there is none.
LIMITS = "[limits]\nany = { warn = 0.3, error = 0.9 }\nmissing = { warn = 0.0, error = 0.0001 }\n[sample]\nsize = 1000\n"
CHECK = dg.AssetCheckKey(dg.AssetKey("error_rates"), "label_error_rate")
MISSING = dg.AssetCheckKey(dg.AssetKey("error_rates"), "missing_rate")


class Audited:
    """A root whose one batch was audited and published, with an instance in memory."""

    def __init__(self, root: Path, demo: Demo, instance: dg.DagsterInstance) -> None:
        root.mkdir()
        (root / "label_quality.toml").write_text(LIMITS)
        self.store = Store(root, load_settings(root))
        self.store.deliver("b", demo.annotations, predictions=demo.predictions)
        self.instance = instance
        self.instance.add_dynamic_partitions("batch", ["b"])
        self.run("audit_batch", "b")

    def run(self, job: str, batch: str | None = None) -> None:
        definitions = build_definitions(load_settings(self.store.root))
        done = definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, partition_key=batch, run_config=execute._QUIET
        )
        assert done.success

    def rate(self, table: str = "error_rates", kind: str = "any") -> tuple[Any, ...]:
        name = "category_name is null"
        sql = f"select reviewed_rate, reviewed_low, reviewed_high, n_sampled, reviewed_labels from {table}"
        (row,) = query(self.store.database, f"{sql} where error_type = '{kind}' and {name}")
        return row

    def check(self, key: dg.AssetCheckKey = CHECK) -> dg.AssetCheckEvaluation:
        """What the check last said."""
        records = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        event = records[0].event
        assert event is not None
        assert event.dagster_event is not None
        data = event.dagster_event.event_specific_data
        assert isinstance(data, dg.AssetCheckEvaluation)
        return data

    def answer(self, wrong: int = 0) -> int:
        """Answer all cards: the first `wrong` labels are to go, all else is right; returns how many were answered."""
        sql = f"""select s.draw, s.finding_id, a.annotation_id, coalesce(a.image_id, f.image_id), coalesce(a.x, f.x),
                         coalesce(a.y, f.y), coalesce(a.width, f.width), coalesce(a.height, f.height), s.category_id,
                         case when a.annotation_id is not null then {content_hash("a")} end
                  from review_sample s left join annotations a using (batch, annotation_id)
                  left join findings f on f.batch = s.batch and f.finding_id = s.finding_id order by s.number"""
        rows = query(self.store.database, sql)
        entries, left = [], wrong
        for draw, finding, label, image, x, y, width, height, category, content in rows:
            is_wrong = label is not None and left > 0
            left -= is_wrong
            entries.append(
                Entry(author="ann", action="verdict", batch="b", image_id=image, finding_id=finding, annotation_id=label,
                      error_type="missing" if finding else None, category_id=category, content_hash=content,
                      x=x, y=y, width=width, height=height, verdict="relabel" if is_wrong else "reject", sample=draw)
            )  # fmt: skip
        with closing(self.store.review_log()) as log:
            log.add(entries)
        return len(entries)


@pytest.fixture
def audited(tmp_path: Path, demo: Demo) -> Iterator[Audited]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Audited(tmp_path / "root", demo, instance)


def test_verdicts_and_a_refresh_put_the_reviewed_rate_in_place_of_the_models(
    audited: Audited,
) -> None:
    assert audited.rate() == (None,) * 5
    before = audited.check(MISSING)
    assert (before.passed, before.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "by the model, not calibrated" in str(before.description)
    assert before.metadata["judged by"].value == "model"
    assert audited.check().passed

    answered = audited.answer(wrong=3)
    audited.run("refresh")
    (labels,) = query(audited.store.database, "select count(*) from annotations where not iscrowd")[
        0
    ]
    for table in ("error_rates", "overall_error_rates"):
        rate, low, high, n, of = audited.rate(table)
        assert rate == low == high == pytest.approx(3 / labels)  # all were drawn and answered
        assert (n, of) == (answered, labels)
    after = audited.check(MISSING)
    assert after.passed
    assert after.metadata["judged by"].value == "reviewed"
    assert "answers of the random sample" in str(after.description)
    assert audited.check().metadata["rate"].value == pytest.approx(3 / labels, abs=1e-4)

    # Nothing changed since: nothing is told again. The next audit of the batch judges by people, too.
    told = len(
        audited.instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=10)
    )
    audited.run("refresh")
    again = audited.instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=10)
    assert len(again) == told
    audited.run("audit_batch", "b")
    assert audited.check().metadata["judged by"].value == "reviewed"
    assert audited.rate()[3] == answered


def test_what_is_undone_counts_no_more(audited: Audited) -> None:
    answered = audited.answer()
    audited.run("refresh")
    assert audited.check().metadata["judged by"].value == "reviewed"
    with closing(audited.store.review_log()) as log:
        log.undo_all(range(1, answered + 1), "ann")
    audited.run("refresh")
    assert audited.rate() == (None,) * 5
    assert audited.check().metadata["judged by"].value == "model"
