from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_quality.store import Store, StoreError, batch_name
from label_quality.store.names import is_batch_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2024-05_batch.1", "2024-05_batch.1"),
        ("my batch, no. 1", "my_batch_no._1"),
        ("../../etc/passwd", "etc_passwd"),
        ("..\\..\\windows", "windows"),
        ("/absolute", "absolute"),
        (".hidden", "hidden"),
        ("a\x00b\nc", "a_b_c"),
        ("Prüfung", "Prufung"),
        ("x" * 300, "x" * 100),
        ("a" * 99 + "...b", "a" * 99),
    ],
)
def test_text_becomes_a_name(text: str, name: str) -> None:
    assert batch_name(text) == name


@pytest.mark.parametrize("text", ["", "..", "/", "....//", "日本", " "])
def test_nothing_to_make_a_name_of(text: str) -> None:
    with pytest.raises(StoreError, match="no letter or digit"):
        batch_name(text)


@given(st.one_of(st.text(), st.text(alphabet="./\\.a-_%~\0")))
def test_a_name_never_leaves_its_folder(text: str) -> None:
    try:
        name = batch_name(text)
    except StoreError:
        return
    folder = Path("/srv/batches")
    assert (folder / f"{name}.json").resolve().parent == folder
    assert is_batch_name(name)
    assert batch_name(name) == name
    assert not name.startswith(".")
    assert "," not in name  # Dagster cannot backfill such a partition key


@pytest.mark.parametrize("text", ["../up", "a/b", ".overall", "", "a,b", "x" * 101, "a\n", "a\\b"])
def test_every_door_refuses_what_is_no_name(store: Store, labels: Path, text: str) -> None:
    for call in (
        lambda: store.deliver(text, labels),
        lambda: store.delivery(text),
        lambda: store.lock(text),
        lambda: store.run(text, "r1"),
        lambda: store.manifest(text) if text != ".overall" else store.run(text, "r1"),
        lambda: store.commit(text, "r1"),
        lambda: store.purge(text),
    ):
        with pytest.raises(StoreError, match="not a batch name"):
            call()


@pytest.mark.parametrize("run_id", ["../x", "a.b", "", "a/b", "x" * 101])
def test_a_run_id_is_held_to_its_letters(store: Store, run_id: str) -> None:
    with pytest.raises(StoreError, match="not a run id"):
        store.run("b1", run_id)
