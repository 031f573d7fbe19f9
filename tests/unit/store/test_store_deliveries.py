from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from label_quality.store import Store, StoreError, keeping


def test_files_are_kept_by_their_content(store: Store, labels: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text("[]")
    delivery = store.deliver("b1", labels, images=tmp_path, predictions={"m": results})
    assert delivery.annotations.read_bytes() == labels.read_bytes()
    assert delivery.annotations.stem == hashlib.sha256(labels.read_bytes()).hexdigest()
    assert delivery.annotations_name == "instances.json"
    assert delivery.annotations_file.bytes == labels.stat().st_size
    assert delivery.predictions["m"].path.read_text() == "[]"
    assert (delivery.images, delivery.image_root) == (tmp_path, "b1")
    assert delivery.changed
    again = store.deliver("b1", labels, images=tmp_path, predictions={"m": results})
    assert (again.fingerprint, again.changed) == (delivery.fingerprint, False)
    assert store.delivery("b1").fingerprint == delivery.fingerprint
    assert len(list((store.root / "deliveries").glob("*"))) == 3  # two files and the register


def test_a_file_rewritten_in_place_does_not_change_what_was_kept(
    store: Store, labels: Path
) -> None:
    first = store.deliver("b1", labels)
    before = first.annotations.read_bytes()
    with labels.open("r+") as file:
        file.write('{"images": 00')
    second = store.deliver("b1", labels)
    assert first.annotations.read_bytes() == before
    assert second.fingerprint != first.fingerprint
    assert second.changed


def test_a_kept_file_that_was_cut_short_is_kept_again(store: Store, labels: Path) -> None:
    kept = store.deliver("b1", labels).annotations
    kept.write_text("{")
    store.deliver("b1", labels)
    assert kept.read_bytes() == labels.read_bytes()


def test_what_makes_another_delivery(store: Store, labels: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "other.json"
    renamed.write_bytes(labels.read_bytes())
    calls = [
        store.deliver("b1", labels),
        store.deliver("b1", renamed),
        store.deliver("b1", labels, images=tmp_path),
        store.deliver("b1", labels, predictions={"m": labels}),
        store.deliver("b1", labels, predictions={"n": labels}),
    ]
    assert len({d.fingerprint for d in calls}) == len(calls)
    assert all(d.changed for d in calls)
    assert calls[3].labels == calls[0].labels  # only the results differ
    assert store.deliver("b1", labels).changed  # an earlier delivery that becomes current again


def test_a_moved_image_folder_is_a_change(store: Store, labels: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = store.deliver("b1", labels, images=tmp_path / "one")
    second = store.deliver("b1", labels, images=tmp_path / "two")
    assert second.changed
    assert second.fingerprint == first.fingerprint
    assert store.delivery("b1").images == tmp_path / "two"


def test_absolute_paths_stand_in_one_file_only(store: Store, labels: Path, tmp_path: Path) -> None:
    store.deliver("b1", labels, images=tmp_path, predictions={"m": labels})
    naming = [p.name for p in store.root.rglob("*.json") if str(tmp_path) in p.read_text()]
    assert naming == ["image_roots.json"]


def test_a_root_that_is_not_registered_here_is_told(
    store: Store, labels: Path, tmp_path: Path
) -> None:
    store.deliver("b1", labels, images=tmp_path)
    (store.root / "image_roots.json").unlink()
    with pytest.raises(StoreError, match=r"image_roots\.json .* does not say where image root b1"):
        store.delivery("b1")


def test_mistakes_are_one_clear_sentence(store: Store, labels: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    cases = [
        (lambda: store.deliver("b", missing), "annotation file .* is not there"),
        (lambda: store.deliver("b", tmp_path), "annotation file .* is a folder"),
        (lambda: store.deliver("b", labels, images=missing), "image folder .* is not there"),
        (lambda: store.deliver("b", labels, images=labels), "image folder .* is not a folder"),
        (
            lambda: store.deliver("b", labels, predictions={"m": missing}),
            "results file of m .* not there",
        ),
        (
            lambda: store.deliver("b", labels, predictions={"m": tmp_path}),
            "results file of m .* folder",
        ),
        (lambda: store.deliver("b", labels, predictions={"a=b": labels}), "not a model's name"),
        (lambda: store.deliver("b", labels, predictions={" ": labels}), "not a model's name"),
        (
            lambda: store.deliver("b", labels, predictions=[("m", labels), ("m", labels)]),
            "two results files are given for model m",
        ),
        (lambda: store.delivery("b"), "no batch b has been delivered"),
    ]
    for call, message in cases:
        with pytest.raises(StoreError, match=message):
            call()
    assert not (store.root / "deliveries" / "register").exists()


def test_a_copy_that_fails_leaves_nothing(
    store: Store, labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> tuple[str, int]:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "copy_hashing", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.deliver("b1", labels)
    assert list((store.root / "deliveries").iterdir()) == []


def test_one_run_sees_one_delivery(store: Store, labels: Path) -> None:
    first = store.deliver("b1", labels)
    assert store.run("b1", "r1").delivery.fingerprint == first.fingerprint
    labels.write_text('{"images": [1]}')
    second = store.deliver("b1", labels)
    assert store.run("b1", "r1").delivery.fingerprint == first.fingerprint
    assert store.run("b1", "r1").delivery.annotations.read_text() == '{"images": []}'
    assert store.run("b1", "r2").delivery.fingerprint == second.fingerprint


def test_a_damaged_register_is_told(store: Store, labels: Path) -> None:
    store.deliver("b1", labels)
    (store.root / "deliveries" / "register" / "b1.json").write_text("{")
    with pytest.raises(StoreError, match=r"b1\.json is damaged"):
        store.delivery("b1")
