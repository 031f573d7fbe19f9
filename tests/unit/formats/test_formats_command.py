"""`label-quality convert` as somebody types it: what it says, what it writes, and its exit code."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from label_folders import picture, voc_file, voc_object, yolo_folder

from label_quality.cli import cli
from label_quality.cli.convert import run_convert
from label_quality.formats import FORMATS, ORIGINS, records


def run(folder: Path, output: Path | None = None, root: Path | None = None, **more: str) -> int:
    options = {"form": "auto", "split": None, "origin": "auto"} | more
    return run_convert(folder, output=output, root=root, **options)


def test_it_says_what_came_of_it_and_what_to_type_next(tmp_path: Path, capsys) -> None:
    bad = "\n".join(["0 0.5 0.5 0 0"] * 12)
    folder = yolo_folder(tmp_path / "my birds", {"a": f"0 0.5 0.5 0.1 0.1\n{bad}\n"})
    assert run(folder, root=tmp_path / "root") == 0
    out = capsys.readouterr().out
    assert "13 labels read, 1 kept, 12 refused; 1 images read, 1 kept, 0 refused" in out.replace(
        "\n", " "
    )
    assert "refused labels/a.txt:2: the box is 0 × 0 pixels" in out
    assert "… and 2 more" in out
    target = tmp_path / "root" / "converted" / "my birds"
    assert f"--annotations '{target}/annotations.json' --images '{folder}'" in out
    assert len(list(csv.DictReader((target / "refused.csv").open()))) == 12


def test_again_without_what_was_refused(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": "0 0.5 0.5 0 0"})
    assert run(folder, tmp_path / "out") == 0
    assert (tmp_path / "out" / "refused.csv").exists()
    (folder / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    assert run(folder, tmp_path / "out") == 0
    assert not (tmp_path / "out" / "refused.csv").exists()


def nothing(folder: Path) -> None:
    folder.mkdir()


def both(folder: Path) -> None:
    yolo_folder(folder, {"a": ""})
    voc_file(folder, "a")


def only_bad(folder: Path) -> None:
    voc_file(folder, "a", voc_object((1, 1, 2, 2)), filename="../x.jpg")


def no_pictures(folder: Path) -> None:
    folder.mkdir()
    (folder / "classes.txt").write_text("cat\n")


def not_utf8(folder: Path) -> None:
    yolo_folder(folder, {"a": ""})
    picture(folder / "images" / "b.jpg")
    (folder / "images" / "b.jpg").rename(str(folder / "images") + "/b\udcff.jpg")


WRONG = {
    "no folder": (lambda _: None, "is not a folder"),
    "an empty one": (nothing, "neither VOC's XML files nor YOLO's"),
    "both formats": (both, "say which with --format"),
    "every image refused": (only_bad, "every image was refused"),
    "labels without pictures": (no_pictures, "no pictures"),
    "a file name that is not UTF-8": (not_utf8, "is not UTF-8"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_converted(case: str, tmp_path: Path, capsys) -> None:
    make, words = WRONG[case]
    make(tmp_path / "in")
    assert run(tmp_path / "in", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith("label-quality: ")
    assert words in error
    assert error.count("\n") == 1


def test_both_formats_and_one_is_said(tmp_path: Path) -> None:
    both(tmp_path / "in")
    assert run(tmp_path / "in", tmp_path / "a", form="voc") == 0
    assert run(tmp_path / "in", tmp_path / "b", form="yolo") == 0


def test_somebody_elses_labels_are_not_overwritten(tmp_path: Path, capsys) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": ""})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "annotations.json").write_text('{"mine": 1}')
    assert run(folder, tmp_path / "out") == 2
    assert "choose another --output" in capsys.readouterr().err
    assert (tmp_path / "out" / "annotations.json").read_text() == '{"mine": 1}'


def test_an_output_that_cannot_be_written(tmp_path: Path, capsys) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": ""})
    (tmp_path / "file").write_text("")
    assert run(folder, tmp_path / "file" / "out") == 2
    assert "Not a directory" in capsys.readouterr().err


def test_the_commands_options_are_the_rooms() -> None:
    """The command names them itself, so that it starts without importing the room."""
    options = {o.name: o for o in cli.commands["convert"].params}
    assert tuple(options["form"].type.choices) == FORMATS
    assert tuple(options["origin"].type.choices) == ORIGINS


def test_the_word_as_a_process(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "yolo", {"a": "0 0.5 0.5 0.1 0.1"})
    command = [sys.executable, "-m", "label_quality.cli", "convert", str(folder)]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "annotations.json").is_file()
    done = subprocess.run([*command, "--format", "kitti"], capture_output=True, text=True)
    assert done.returncode == 2


def test_what_is_lost_on_the_way_is_noticed() -> None:
    made = records.Converted("YOLO", labels_read=2)
    with pytest.raises(AssertionError):
        made.check()
