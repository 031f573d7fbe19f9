"""Calibrations as files, and states of batches that are derived from committed ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_rows import audit, content, markers

from label_quality.schema import Table
from label_quality.store import BatchRun, Store, StoreError, publishing
from label_quality.store.calibrations import Calibration, Calibrations, Curve, FittedType
from label_quality.store.scan import select_sql
from label_quality.store.shared import LocalFolder


def calibration(cut: float = 0.5, fitted_on: dict[str, str] | None = None) -> Calibration:
    fitted = FittedType("missing", Curve((0.1, 0.9), (0.2, 0.8)), 9, 8, 3.5)
    return Calibration("", "planted errors", 1, 1, 0, cut, (fitted,), fitted_on=fitted_on or {})


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    assert Calibrations(LocalFolder(tmp_path)).latest() is None


def test_the_latest_is_what_was_kept_last(tmp_path: Path) -> None:
    kept = Calibrations(LocalFolder(tmp_path))
    first, second = kept.keep(calibration(0.5)), kept.keep(calibration(0.4))
    assert first.version != second.version
    assert kept.latest() == second
    assert kept.keep(calibration(0.5)) == first == kept.latest()
    kept.forget()
    assert kept.latest() is None
    assert sorted(p.stem for p in (tmp_path / "calibrations").iterdir()) == sorted(
        [first.version, second.version]
    )


def test_the_version_is_that_of_the_curves_not_of_when_they_were_fitted(tmp_path: Path) -> None:
    kept = Calibrations(LocalFolder(tmp_path))
    one, other = kept.keep(calibration()), kept.keep(calibration(fitted_on={"b": "new"}))
    assert one.version == other.version
    latest = kept.latest()
    assert latest is not None
    assert latest.fitted_on == {"b": "new"}


def test_a_file_that_was_changed_or_lost_is_told(tmp_path: Path) -> None:
    kept = Calibrations(LocalFolder(tmp_path))
    file = tmp_path / "calibrations" / f"{kept.keep(calibration()).version}.json"
    file.write_bytes(file.read_bytes().replace(b"0.8", b"0.9"))
    with pytest.raises(StoreError, match="was changed after it was written"):
        kept.latest()
    file.write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        kept.latest()
    file.unlink()
    with pytest.raises(StoreError, match="is not there"):
        kept.latest()


@pytest.mark.parametrize(
    ("scores", "p_errors"),
    [((), ()), ((0.1,), ()), ((0.2, 0.1), (0.1, 0.2)), ((0.1, 0.2), (0.2, 0.1)), ((0.1,), (1.5,))],
)
def test_curves_that_are_none_are_refused(
    scores: tuple[float, ...], p_errors: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match=r"curve|scores"):
        Curve(scores, p_errors)


def derive(run: BatchRun) -> None:
    """What a derivation writes: findings and what was computed from them."""
    run.read("finding_scores")
    run.write("findings", content("findings", "b1", "c1"))
    run.read("findings")
    run.write("error_rates", content("error_rates", "b1", "c1"))


def test_a_derived_state_takes_the_place_of_the_one_it_was_derived_from(store: Store) -> None:
    for run_id in ("r1", "r2"):
        audit(store, "b1", run_id)
    before = store.manifest("b1")
    assert before is not None
    manifest = store.derive("b1", "c1", derive)
    assert manifest == store.manifest("b1")
    assert manifest is not None
    assert manifest.tables["findings"] == "tables/findings/b1/c1.parquet"
    assert manifest.tables["annotations"] == before.tables["annotations"]
    assert [v.run_id for v in manifest.versions] == ["c1", "r1"]
    # Nothing new was delivered: the sensor need not refresh once more.
    assert manifest.committed_at == before.committed_at
    assert store.publish().replaced == ("b1",)


def test_publishing_a_derived_state_replaces_what_was_derived_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit(store, "b1", "r1")
    store.publish()
    store.derive("b1", "c1", derive)
    read: list[str] = []

    def noted(table: Table, files: list[Path]) -> str:
        read.append(table.name)
        return select_sql(table, files)

    monkeypatch.setattr(publishing, "select_sql", noted)
    done = store.publish()
    assert (done.replaced, done.rebuilt) == (("b1",), False)
    assert set(read) == {"findings", "error_rates"}
    assert markers(store.database) == {"b1": {"r1", "c1"}}
    assert not store.publish().changed


def test_a_run_that_commits_meanwhile_wins(store: Store) -> None:
    audit(store, "b1", "r1")

    def overtaken(run: BatchRun) -> None:
        derive(run)
        audit(store, "b1", "r2")

    assert store.derive("b1", "c1", overtaken) is None
    manifest = store.manifest("b1")
    assert manifest is not None
    assert manifest.run_id == "r2"


def test_what_does_not_belong_together_is_not_derived(store: Store) -> None:
    audit(store, "b1", "r1")
    before = store.manifest("b1")
    with pytest.raises(StoreError, match="not committed"):
        store.derive("b1", "c1", lambda run: run.write("findings", content("findings", "b1", "c1")))
    assert store.manifest("b1") == before


def test_a_killed_derivation_leaves_the_state_as_it_was_and_its_files_are_purged(
    store: Store,
) -> None:
    audit(store, "b1", "r1")
    before = store.manifest("b1")

    def killed(run: BatchRun) -> None:
        derive(run)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.derive("b1", "c1", killed)
    assert store.manifest("b1") == before
    gone = {name.rpartition("/")[2] for name in store.purge("b1")}
    assert gone == {"c1.parquet"}


def test_an_unknown_batch_has_nothing_to_derive(store: Store) -> None:
    assert store.derive("b1", "c1", derive) is None


def test_first_is_called_before_anything_is_read(store: Store) -> None:
    audit(store, "b1", "r1")
    with store.connect() as con:
        seen: list[str] = []

        def part(con: object) -> dict[str, str]:
            seen.append("part")
            return {}

        done = store.write_overall(con, [part], lambda: seen.append("first"))
    assert seen == ["first", "part"]
    assert "b1" in done.replaced
