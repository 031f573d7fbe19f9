"""A data set as a batch: which images, with which labels, from archives or one by one, and whatever may be wrong with them."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from file_server import File, serving
from PIL import Image

from label_quality.cli.download import run_download
from label_quality.coco.labels import read_labels
from label_quality.datasets import CATALOGUE, Archive, DataSet
from label_quality.datasets.catalogue import COCO, mirrored
from label_quality.inbox import find_delivery

NAMES = [f"{k:012d}.jpg" for k in (9, 3, 7, 1, 5, 8)]  # no order, as in COCO
HOST = "http://images.example.org"
MEMBER = "annotations/instances_val.json"


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, body in members.items():  # of no date, so that the same files are the same bytes
            file.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


JPEGS = {name: jpeg(k) for k, name in enumerate(NAMES)}


def document(lvis: bool = False) -> dict[str, Any]:
    images = []
    for k, name in enumerate(NAMES):
        image = {"id": k + 1, "width": 16, "height": 12, "license": 4}
        address = {"coco_url": f"{HOST}/val/{name}"}
        images.append(image | (address if lvis else {"file_name": name} | address))
    annotations = [
        {
            "id": 900 - k,
            "image_id": k % 5 + 1,
            "category_id": 17,
            "bbox": [1.25, 2, 3, 4.50],
            "area": 13.5,
            "iscrowd": 0,
            "segmentation": [[1.25, 2, 4.25, 2, 4.25, 6.5, 1.25, 6.5]],
        }
        for k in range(11)
    ]
    categories = [{"id": 17, "name": "cat", "supercategory": "animal"}]
    return {
        "info": {"year": 2017},
        "licenses": [{"id": 4}],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def archive(url: str, body: bytes) -> Archive:
    return Archive(url, len(body), hashlib.sha256(body).hexdigest())


def published(
    labels: bytes | None = None, pictures: dict[str, bytes] | None = None, *, lvis: bool = False
) -> tuple[DataSet, dict[str, File]]:
    """A small data set and all that its publisher serves."""
    labels = labels or zipped(
        {MEMBER: json.dumps(document(lvis)).encode(), "annotations/captions.json": b"{}"}
    )
    whole = zipped(pictures or {f"val/{n}": body for n, body in JPEGS.items()})
    data_set = DataSet(
        name="tiny",
        title="six pictures",
        images=len(NAMES),
        labels=11,
        annotations=archive(f"{HOST}/labels.zip", labels),
        member=MEMBER,
        pictures=None if lvis else archive(f"{HOST}/val.zip", whole),
        image_url=None if lvis else f"{HOST}/val/",
        host=HOST,
    )
    files = {"/labels.zip": File(labels), "/val.zip": File(whole)}
    return data_set, files | {f"/val/{n}": File(body) for n, body in JPEGS.items()}


@pytest.fixture
def run(tmp_path: Path):
    """Runs the command against what is published; returns the exit code and the paths that were asked for."""

    def run(data_set: DataSet, files: dict[str, File], **more) -> tuple[int, list[str]]:
        with serving(files) as server:
            more = {"mirror": server.url, "root": tmp_path, "pauses": (0.0,)} | more
            name = more.pop("name", data_set.name)
            code = run_download(name, catalogue={data_set.name: data_set}, **more)
            return code, [path for path, _ in server.asked]

    return run


def check_batch(folder: Path, names: list[str]) -> None:
    """The batch is one that the audit takes, with these images."""
    found = find_delivery(folder)
    assert found.images == folder / "images"
    written = json.loads(found.annotations.read_bytes())
    wanted = document()
    ids = {k + 1 for k, name in enumerate(NAMES) if name in names}
    assert [i["id"] for i in written["images"]] == sorted(ids)
    assert written["annotations"] == [a for a in wanted["annotations"] if a["image_id"] in ids]
    assert {k: written[k] for k in ("info", "licenses", "categories")} == {
        k: wanted[k] for k in ("info", "licenses", "categories")
    }
    assert {p.name: p.read_bytes() for p in found.images.iterdir()} == {n: JPEGS[n] for n in names}
    labels = read_labels(found.annotations, "b", images=found.images, write_masks=lambda _: None)
    assert labels.quarantined_labels.num_rows == labels.ingest_warnings.num_rows == 0


def test_all_images_come_as_an_archive(run, tmp_path: Path, capsys) -> None:
    code, asked = run(*published())
    assert (code, asked) == (0, ["/labels.zip", "/val.zip"])
    folder = tmp_path / "datasets" / "tiny"
    check_batch(folder, NAMES)
    out = capsys.readouterr().out
    assert "11 labels in 6 images" in out
    assert f"label-quality audit --annotations {folder}/annotations.json" in out
    assert not (tmp_path / "datasets" / ".downloads" / "val.zip").exists()


def test_a_few_images_come_one_by_one(run, tmp_path: Path) -> None:
    code, asked = run(*published(), images=2)
    assert (code, sorted(asked)) == (0, ["/labels.zip", *sorted(f"/val/{n}" for n in NAMES[:2])])
    check_batch(tmp_path / "datasets" / "tiny-2", NAMES[:2])


def test_the_annotations_are_fetched_once_for_several_batches(run, tmp_path: Path) -> None:
    run(*published(), images=1)
    code, asked = run(*published(), images=3)
    assert code == 0
    assert "/labels.zip" not in asked
    check_batch(tmp_path / "datasets" / "tiny-3", NAMES[:3])


def test_random_images(run, tmp_path: Path) -> None:
    chosen = []
    for seed in (0, 1, 2, 3):
        assert run(*published(), images=3, seed=seed)[0] == 0
        folder = tmp_path / "datasets" / f"tiny-3-seed{seed}"
        names = [p.name for p in (folder / "images").iterdir()]
        check_batch(folder, sorted(names, key=NAMES.index))
        chosen.append(frozenset(names))
    assert len(set(chosen)) > 1


def test_lvis_has_addresses_instead_of_names(run, tmp_path: Path) -> None:
    code, asked = run(*published(lvis=True))
    assert (code, len(asked)) == (0, 7)
    pictures = tmp_path / "datasets" / "tiny" / "images"
    assert {p.name for p in pictures.iterdir()} == set(NAMES)


def test_again_fetches_nothing(run, tmp_path: Path) -> None:
    run(*published())
    before = (tmp_path / "datasets" / "tiny" / "annotations.json").read_bytes()
    assert run(*published()) == (0, [])
    assert (tmp_path / "datasets" / "tiny" / "annotations.json").read_bytes() == before


def test_more_images_into_the_same_folder(run, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    run(*published(), images=1, output=out)
    code, asked = run(*published(), images=3, output=out)
    assert (code, sorted(asked)) == (0, sorted(f"/val/{n}" for n in NAMES[1:3]))
    check_batch(out, NAMES[:3])


def test_what_failed_is_fetched_by_the_same_command(run, tmp_path: Path, capsys) -> None:
    data_set, files = published()
    whole = files.pop(f"/val/{NAMES[1]}")
    assert run(data_set, files, images=3)[0] == 2
    assert "2 of 3 images are there; the same command fetches the others" in capsys.readouterr().err
    folder = tmp_path / "datasets" / "tiny-3"
    assert isinstance(find_delivery(folder), str)  # not a batch yet
    files[f"/val/{NAMES[1]}"] = whole
    assert run(data_set, files, images=3) == (0, [f"/val/{NAMES[1]}"])
    check_batch(folder, NAMES[:3])


DAMAGED = {
    "no picture": b"<html>captive portal</html>",
    "cut off": JPEGS[NAMES[0]][:-80],
    "empty": b"",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_picture_that_cannot_be_decoded(case: str, run, tmp_path: Path, capsys) -> None:
    data_set, files = published()
    files[f"/val/{NAMES[0]}"] = File(DAMAGED[case])
    assert run(data_set, files, images=1)[0] == 2
    assert "cannot be decoded" in capsys.readouterr().err
    assert list((tmp_path / "datasets" / "tiny-1" / "images").iterdir()) == []


def test_a_server_that_is_gone_is_not_asked_for_every_image(run, capsys) -> None:
    many = [{"id": k, "file_name": f"{k}.jpg", "width": 1, "height": 1} for k in range(400)]
    labels = zipped({MEMBER: json.dumps(document() | {"images": many}).encode()})
    data_set, files = published(labels)
    code, asked = run(replace(data_set, images=400), files, images=100)
    assert code == 2
    assert "0 of 100 images are there" in capsys.readouterr().err
    assert len(asked) < 60


def evil(name: str) -> bytes:
    images = document()["images"]
    images[0]["file_name"] = name
    return zipped({MEMBER: json.dumps(document() | {"images": images}).encode()})


REFUSED = {
    "a name that leads out": (published(evil("../x.jpg")), "no plain file name"),
    "an absolute name": (published(evil("/tmp/x.jpg")), "no plain file name"),
    "a folder": (published(evil("sub/x.jpg")), "no plain file name"),
    "a drive": (published(evil("C:\\x.jpg")), "no plain file name"),
    "no annotation file in it": (published(zipped({"a": b""})), f"holds no {MEMBER}"),
    "no zip": (published(b"PK nothing of the kind"), "is no zip file"),
    "no annotations": (published(zipped({MEMBER: b"[1]"})), "no annotation file of COCO's kind"),
    "zip-slip": (
        published(pictures={"../../evil.jpg": b"x", **JPEGS}),
        "leads to a parent folder",
    ),
    "an absolute name in the zip": (
        published(pictures={"/evil.jpg": b"x", **JPEGS}),
        "starts at the root",
    ),
    "images that are missing in the zip": (
        published(pictures={f"val/{n}": JPEGS[n] for n in NAMES[:4]}),
        "lacks 2 images",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_archives_that_are_not_what_they_should_be(case: str, run, tmp_path: Path, capsys) -> None:
    (data_set, files), words = REFUSED[case]
    assert run(data_set, files)[0] == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("label-quality: ")
    assert words in error
    assert not (tmp_path / "datasets" / "tiny" / "annotations.json").exists()
    assert not list(tmp_path.rglob("evil.jpg"))
    assert not (tmp_path.parent / "evil.jpg").exists()


def test_a_damaged_member_is_found_by_its_crc(run, tmp_path: Path, capsys) -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as file:
        for name, body in JPEGS.items():
            file.writestr(f"val/{name}", body)
    body = bytearray(stored.getvalue())
    body[200] ^= 1
    data_set, files = published()
    files["/val.zip"] = File(bytes(body))
    data_set = replace(data_set, pictures=archive(f"{HOST}/val.zip", bytes(body)))
    assert run(data_set, files)[0] == 2
    assert "Bad CRC-32" in capsys.readouterr().err
    assert not (tmp_path / "datasets" / "tiny" / "images" / NAMES[0]).exists()


def test_an_image_at_a_foreign_address_is_not_fetched(run, capsys) -> None:
    images = document(lvis=True)["images"]
    images[0]["coco_url"] = "http://127.0.0.1:9/admin/x.jpg"
    labels = zipped({MEMBER: json.dumps(document() | {"images": images}).encode()})
    assert run(*published(labels, lvis=True))[0] == 2
    assert f"not at {HOST}" in capsys.readouterr().err


def test_a_wrong_checksum(run, tmp_path: Path, capsys) -> None:
    data_set, files = published()
    wrong = replace(data_set, annotations=replace(data_set.annotations, sha256="0" * 64))
    assert run(wrong, files)[0] == 2
    assert "its SHA-256 is" in capsys.readouterr().err
    assert not list(tmp_path.rglob("labels.zip*"))


def test_labels_of_another_origin_are_not_overwritten(run, tmp_path: Path, capsys) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "annotations.json").write_text("{}")
    assert run(*published(), output=mine) == (2, [])
    assert "labels of another origin" in capsys.readouterr().err
    assert (mine / "annotations.json").read_text() == "{}"


def test_a_folder_that_cannot_be_written(run, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert run(*published(), output=tmp_path / "file" / "x") == (2, [])
    assert "Not a directory" in capsys.readouterr().err


def test_without_a_name_and_without_a_terminal_it_lists(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("tiny\n"))
    monkeypatch.setenv("COLUMNS", "120")  # a narrow terminal cuts names
    assert run_download(None) == 2
    said = capsys.readouterr()
    for name in CATALOGUE:
        assert name in said.out
    assert "1.1 GB" in said.out
    assert said.err == "label-quality: name the data set to download\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code"), [("tiny\n", 0), ("\n", 0), ("other\n", 2), ("", 2)])
def test_on_a_terminal_it_asks(typed: str, code: int, run, tmp_path: Path, monkeypatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert run(*published(), name=None)[0] == code
    assert "Which one? [tiny]" in screen.getvalue()
    assert (tmp_path / "datasets" / "tiny" / "annotations.json").exists() == (code == 0)


def test_an_unknown_name(capsys) -> None:
    assert run_download("imagenet") == 2
    assert "coco-val2017" in capsys.readouterr().err


def test_the_catalogue_is_consistent() -> None:
    for one in CATALOGUE.values():
        for file in filter(None, (one.annotations, one.pictures)):
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.name.endswith(".zip")
    val = CATALOGUE["coco-val2017"]
    assert val.address("000000000139.jpg", None) == f"{COCO}/val2017/000000000139.jpg"
    assert mirrored(val.annotations.url, "http://localhost:1/coco/") == (
        "http://localhost:1/coco/annotations/annotations_trainval2017.zip"
    )


def test_the_docs_name_every_data_set() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text("utf-8")
    for one in CATALOGUE.values():
        assert f"`{one.name}`" in docs
        assert f"| {one.images:,} | {one.labels:,} |" in docs
