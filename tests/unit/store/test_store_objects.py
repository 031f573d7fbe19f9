"""The shared files on an object store: what `Shared` promises holds there as it does in a folder."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import s3

from label_quality.settings import Settings, place
from label_quality.store import Store, StoreError
from label_quality.store.shared import LocalFolder, Shared, open_shared

Numbers = dict[str, int]


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with s3.server() as found:
        yield found


@pytest.fixture
def url(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.BUCKET}/{request.node.name.replace('[', '-').rstrip(']')}"


@pytest.fixture(params=["a folder", "an object store"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    if request.param == "a folder":
        return LocalFolder(tmp_path)
    return open_shared(tmp_path, request.getfixturevalue("url"))


def test_a_file_is_there_as_a_whole_or_not_at_all(shared: Shared) -> None:
    name = "tables/t/b1/r1.parquet"
    assert not shared.exists(name)
    assert not shared.local(name).exists()
    with pytest.raises(RuntimeError), shared.replacing(name) as path:
        path.write_bytes(b"half")
        raise RuntimeError
    assert not shared.exists(name)
    assert shared.names("tables/*/b1/*.parquet") == []
    with shared.replacing(name) as path:
        path.write_bytes(b"whole")
        assert not shared.exists(name)
    assert shared.exists(name)
    assert shared.local(name).read_bytes() == b"whole"
    shared.link(name, "tables/u/b1/r1.parquet")
    shared.remove(name)
    shared.remove(name)
    assert not shared.exists(name)
    assert not shared.local(name).exists()
    assert shared.local("tables/u/b1/r1.parquet").read_bytes() == b"whole"


def test_names_are_those_that_the_pattern_fits(shared: Shared) -> None:
    for name in ("tables/t/b1/r1.parquet", "tables/t/b1/r2.parquet", "tables/u/b1/r1.parquet"):
        with shared.replacing(name) as path:
            path.touch()
    for name in ("tables/t/b2/r1.parquet", "tables/t/b1/other.json"):
        with shared.replacing(name) as path:
            path.touch()
    found = ["tables/t/b1/r1.parquet", "tables/t/b1/r2.parquet", "tables/u/b1/r1.parquet"]
    assert shared.names("tables/*/b1/*.parquet") == found
    assert shared.names("nothing/*.json") == []


def test_documents_are_replaced_as_a_whole(shared: Shared) -> None:
    assert shared.read("batches/b1.json", Numbers) is None
    assert shared.read_all("batches", Numbers) == {}
    shared.write("batches/b2.json", {"a": 2})
    shared.write("batches/b1.json", {"a": 0})
    shared.write("batches/b1.json", {"a": 1})
    shared.write("batches/.overall.json", {"a": 3})
    assert shared.read("batches/b1.json", Numbers) == {"a": 1}
    assert list(shared.read_all("batches", Numbers).items()) == [("b1", {"a": 1}), ("b2", {"a": 2})]
    with shared.replacing("batches/b1.json") as path:
        path.write_text("{")
    with pytest.raises(StoreError, match=r"batches/b1\.json is damaged"):
        shared.read("batches/b1.json", Numbers)


def test_whoever_else_updates_a_document_nothing_is_lost(shared: Shared) -> None:
    """Four writers, each of which adds ten numbers of its own, reading what is there and replacing it."""

    def add(writer: int) -> None:
        for k in range(10):

            def change(found: Numbers | None, k: int = k) -> Numbers:
                before = dict(found or {})
                time.sleep(0.002)
                return {**before, f"{writer}-{k}": k}

            shared.update("deliveries/register/b1.json", Numbers, change)

    writers = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = shared.read("deliveries/register/b1.json", Numbers)
    assert found == {f"{n}-{k}": k for n in range(4) for k in range(10)}
    shared.update("deliveries/register/b1.json", Numbers, lambda _: None)
    assert shared.read("deliveries/register/b1.json", Numbers) == found


def test_files_are_kept_by_their_content(shared: Shared, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    kept = [shared.keep(tmp_path / "x.json") for _ in range(2)]
    assert kept[0] == kept[1]
    assert (kept[0].name, kept[0].bytes) == ("x.json", 2)
    assert shared.names("deliveries/*.json") == [f"deliveries/{kept[0].sha256}.json"]
    assert shared.local(f"deliveries/{kept[0].sha256}.json").read_text() == "{}"
    with pytest.raises(StoreError, match="cannot be kept"):
        shared.keep(tmp_path / "none.json")


# What is about the object store alone -------------------------------------------------------------------------------


def test_another_machine_fetches_what_it_reads_once(url: str, tmp_path: Path) -> None:
    here, there = (open_shared(tmp_path / name, url) for name in ("here", "there"))
    with here.replacing("tables/t/b1/r1.parquet") as path:
        path.write_bytes(b"rows")
    found = there.local("tables/t/b1/r1.parquet")
    assert found.is_relative_to(tmp_path / "there")
    assert found.read_bytes() == b"rows"
    changed = found.stat().st_ino
    assert there.local("tables/t/b1/r1.parquet").stat().st_ino == changed


def test_what_was_not_used_for_days_leaves_the_cache(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from label_quality.store import objects

    shared = open_shared(tmp_path, url)
    for name in ("old", "new"):
        with shared.replacing(f"tables/t/{name}.parquet") as path:
            path.write_text(name)
    old = shared.local("tables/t/old.parquet")
    os.utime(old, (1, 1))
    monkeypatch.setattr(objects, "_last_sweep", -math.inf)
    shared.local("tables/t/none.parquet")
    assert not old.exists()
    assert shared.local("tables/t/new.parquet").exists()
    assert shared.local("tables/t/old.parquet").read_text() == "old"  # fetched again


def test_images_are_fetched_and_follow_what_is_there(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from label_quality.store import objects

    monkeypatch.setattr(objects, "_FRESH", 0)
    images = place(f"{url}/images")
    for name in ("1.jpg", "sub/2.jpg", "3.jpg"):
        (images / name).write_bytes(name.encode())
    shared = open_shared(tmp_path, url)
    folder = shared.images(str(images))
    assert (folder / "sub/2.jpg").read_bytes() == b"sub/2.jpg"
    first = (folder / "1.jpg").stat().st_ino, (folder / "1.jpg").stat().st_mtime
    (images / "3.jpg").unlink()
    (images / "sub/2.jpg").write_bytes(b"another")
    assert shared.images(str(images)) == folder
    assert sorted(p.name for p in folder.rglob("*.jpg")) == ["1.jpg", "2.jpg"]
    assert (folder / "sub/2.jpg").read_bytes() == b"another"
    assert ((folder / "1.jpg").stat().st_ino, (folder / "1.jpg").stat().st_mtime) == first
    assert shared.images("/some/folder") == Path("/some/folder")
    os.utime(folder.with_suffix(".lock"), (1, 1))
    monkeypatch.setattr(objects, "_last_sweep", -math.inf)
    shared.local("tables/t/none.parquet")
    assert not folder.exists()
    assert (shared.images(str(images)) / "1.jpg").read_bytes() == b"1.jpg"


def test_an_object_store_that_does_not_answer_is_one_sentence(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    missing = Store(tmp_path, Settings(object_store="s3://no-such-bucket/x"))
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(StoreError, match="bucket does not exist"):
        missing.deliver("b1", tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "value"),
    [("object_store", "gs://bucket/x"), ("object_store", "folder"), ("inbox", "https://host/x")],
)
def test_only_s3_is_an_object_store(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="starts with s3://"):
        Settings(**{name: value})
