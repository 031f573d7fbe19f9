"""Splitting by image: every record in exactly one batch, to the letter; nothing left behind when it fails."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from label_quality.cli import cli
from label_quality.coco import UnreadableFile
from label_quality.coco import split as split_module
from label_quality.coco.split import split


def raw_records(file: Path, key: str | None) -> list[bytes]:
    """The records of a list, as their bytes."""
    text = file.read_bytes()
    if key is not None:
        text = bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw])[key])
    return [bytes(r) for r in msgspec.json.decode(text, type=list[msgspec.Raw])]


# Blanks, digits, escapes and nested lists of objects that no writer of ours would write so.
ODD = """{ "info": {"year":  2017, "x": [1,2 , {"a": 1}, {"b": 2}]},
 "licenses": [], "images": [ {"id":1 , "file_name":"\\u00e4.jpg"},
   {"id": "two", "file_name" : "2.jpg", "width": 1e2}, {"file_name": "3.jpg", "id":3}],
 "annotations":[{"id":10,"image_id":3,"bbox":[1.50,2,3,4e0], "parts": [{"a": 1} , {"b": 2}]} ,
   { "id" : 11, "image_id" :"two"}, {"id":12,"image_id": 1, "caption":"}, {"},{"id":13,"image_id":99},
   {"id": 14}, 15, {"id":16,"image_id":1}],
 "categories": [{"id":1, "name" : "cat"}] }"""


@pytest.mark.parametrize("piece", [1, 40, 1 << 25])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_record_is_in_one_batch_to_the_letter(
    size: int, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_module, "_PIECE", piece)
    source = tmp_path / "odd.json"
    source.write_text(ODD)
    cut = split(source, tmp_path / "out", "odd", size)
    files = [folder / "annotations.json" for folder in cut.folders]
    assert len(files) == -(-3 // size)
    for key in ("images", "annotations"):
        parts = [raw_records(file, key) for file in files]
        assert sorted(r for part in parts for r in part) == sorted(raw_records(source, key))
        order = {record: place for place, record in enumerate(raw_records(source, key))}
        assert all(part == sorted(part, key=order.__getitem__) for part in parts)
    for file in files:
        kept = msgspec.json.decode(file.read_bytes(), type=dict[str, msgspec.Raw])
        whole = msgspec.json.decode(source.read_bytes(), type=dict[str, msgspec.Raw])
        assert all(bytes(kept[k]) == bytes(whole[k]) for k in ("info", "licenses", "categories"))
    first = json.loads(files[0].read_text())
    mine = {image["id"] for image in first["images"]}
    if len(files) > 1:
        assert {a["image_id"] for a in first["annotations"]} <= mine
    assert (cut.images, cut.annotations, cut.orphans) == (3, 7, 3)


@given(
    images=st.lists(st.integers(0, 40), max_size=20),
    labels=st.lists(st.integers(0, 40), max_size=40),
    size=st.integers(1, 7),
)
@examples(max_examples=40)
def test_any_file(
    images: list[int], labels: list[int], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    content: Any = {
        "images": [{"id": i, "n": n} for n, i in enumerate(images)],
        "annotations": [{"id": n, "image_id": i} for n, i in enumerate(labels)],
    }
    (folder / "a.json").write_text(json.dumps(content))
    (folder / "p.json").write_text(json.dumps(content["annotations"]))
    cut = split(folder / "a.json", folder / "out", "b", size, predictions={"m": folder / "p.json"})
    found = [json.loads((f / "annotations.json").read_text()) for f in cut.folders]
    by_place = sorted((i for f in found for i in f["images"]), key=lambda i: i["n"])
    assert by_place == content["images"]
    last = len(found) - 1
    for number, part in enumerate(found):
        first_of = {i: images.index(i) // size for i in set(images)}
        wanted = [a for a in content["annotations"] if first_of.get(a["image_id"], last) == number]
        assert part["annotations"] == wanted
        results = cut.folders[number] / "predictions" / "m.json"
        assert json.loads(results.read_text()) == wanted


BAD = {
    "cut off": (ODD[:300], "odd.json, line"),
    "a list": ("[]", "odd.json, line 1, column 1"),
    "no images": ('{"annotations": []}', 'no list "images"'),
    "an image without an id": ('{"images": [{}], "annotations": []}', "an image without an id"),
    "NaN": ('{"images": [], "annotations": [{"a": NaN}]}', "strict JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_leaves_nothing(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(UnreadableFile, match=r".*") as caught:
        split(tmp_path / "odd.json", tmp_path / "out", "odd", 1)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_bad_results_file_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(ODD)
    (tmp_path / "p.json").write_text('[{"image_id": 1}, {')
    with pytest.raises(UnreadableFile):
        split(
            tmp_path / "odd.json",
            tmp_path / "out",
            "odd",
            1,
            predictions={"m": tmp_path / "p.json"},
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_fills_an_inbox_and_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(ODD)
    (tmp_path / "pictures").mkdir()
    args = ["split", str(tmp_path / "odd.json"), "--images-per-batch", "2", "--root", str(tmp_path)]
    args += ["--images", str(tmp_path / "pictures")]
    done = CliRunner().invoke(cli, args)
    assert done.exit_code == 0, done.output
    assert "2 batches in" in done.output
    assert "3 records are of images that the file does not have" in done.output
    names = sorted(p.name for p in (tmp_path / "inbox").iterdir())
    assert names == ["odd-0001", "odd-0002"]
    assert (tmp_path / "inbox" / "odd-0001" / "images").resolve() == tmp_path / "pictures"
    again = CliRunner().invoke(cli, args)
    assert again.exit_code == 2
    assert "is there already: nothing was written" in again.output


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """The limit on the size of files stands in for the disk: writing fails in the middle with the system's own error."""
    content = {
        "images": [{"id": i} for i in range(4)],
        "annotations": [{"id": i, "image_id": i % 4, "x": "x" * 1000} for i in range(400)],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    command = [sys.executable, "-m", "label_quality.cli", "split", str(tmp_path / "a.json")]
    command += ["--images-per-batch", "2", "--output", str(tmp_path / "out")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 2
    assert done.stderr.strip().endswith("File too large")
    assert len(done.stderr.strip().splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []
