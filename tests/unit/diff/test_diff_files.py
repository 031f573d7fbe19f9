"""Two sets of labels compared: each kind of change is found, alone, and nothing else, whatever happened to the ids."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from label_quality.cli import cli
from label_quality.diff import compare, load_file, scratch_connection
from label_quality.settings import Settings

Document = dict[str, Any]


def square(x: float, y: float, size: float) -> list[list[float]]:
    return [[x, y, x + size, y, x + size, y + size, x, y + size]]


def label(
    id_: int, image: int, x: float, y: float, size: float = 20, category: int = 1
) -> Document:
    return {
        "id": id_,
        "image_id": image,
        "category_id": category,
        "bbox": [x, y, size, size],
        "area": size * size,
        "iscrowd": 0,
        "segmentation": square(x, y, size),
    }


def document() -> Document:
    """Three pictures with nine labels each, on a grid, so that none overlaps another."""
    return {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "width": 200, "height": 200} for i in (1, 2, 3)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            label(9 * (image - 1) + k, image, 40 * (k % 3), 40 * (k // 3), category=1 + k % 2)
            for image in (1, 2, 3)
            for k in range(9)
        ],
    }


def differ(
    old: Document, new: Document, folder: Path
) -> tuple[dict[str, int], list[Document], bool]:
    """Counts, changes and whether ids were trusted."""
    for name, content in (("old", old), ("new", new)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    with scratch_connection(Settings()) as (con, scratch):
        sides = [load_file(con, side, folder / f"{side}.json", scratch) for side in ("old", "new")]
        summary = compare(con, *sides)
        changes = con.sql("from changes order by file_name, change").to_arrow_table().to_pylist()
    counts = summary.counts
    assert counts["old_labels"] == counts["unchanged"] + counts["changed"] + counts["removed"]
    assert counts["new_labels"] == counts["unchanged"] + counts["changed"] + counts["added"]
    return counts, changes, summary.ids_stayed


def renumbered(content: Document, seed: int = 0) -> Document:
    """The same labels in another order with other ids: among them many that another label had before."""
    out = copy.deepcopy(content)
    random.Random(seed).shuffle(out["annotations"])
    for number, record in enumerate(out["annotations"]):
        record["id"] = number
    return out


def test_a_file_and_itself(tmp_path: Path) -> None:
    counts, changes, _ = differ(document(), document(), tmp_path)
    assert changes == []
    assert counts["unchanged"] == 27


KINDS = ("reclassed", "moved", "mask_changed", "crowd_changed")


def reclass(a: list[Document]) -> None:
    a[4]["category_id"] = 3 - a[4]["category_id"]


def move(a: list[Document]) -> None:
    a[4]["bbox"][0] += 5


def redraw(a: list[Document]) -> None:
    a[4]["segmentation"] = square(a[4]["bbox"][0], a[4]["bbox"][1], 10)


def make_crowd(a: list[Document]) -> None:
    a[4]["iscrowd"] = 1


def drop_mask(a: list[Document]) -> None:
    del a[4]["segmentation"]


ONE = {
    "class": (reclass, {"reclassed"}, 1.0, 1.0),
    "box": (move, {"moved"}, 15 / 25, 1.0),
    "mask": (redraw, {"mask_changed"}, 1.0, 0.25),
    "crowd": (make_crowd, {"crowd_changed"}, 1.0, 1.0),
    "no mask any more": (drop_mask, {"mask_changed"}, 1.0, None),
}


@pytest.mark.parametrize("new_ids", [False, True])
@pytest.mark.parametrize("name", ONE)
def test_one_change_is_found_and_nothing_else(name: str, new_ids: bool, tmp_path: Path) -> None:
    change, wanted, box_iou, mask_iou = ONE[name]
    new = document()
    change(new["annotations"])
    counts, (found,), trusted = differ(document(), renumbered(new) if new_ids else new, tmp_path)
    assert trusted is not new_ids
    assert found["change"] == "changed"
    assert {kind for kind in KINDS if found[kind]} == wanted
    assert found["box_iou"] == pytest.approx(box_iou)
    assert found["mask_iou"] == (None if mask_iou is None else pytest.approx(mask_iou))
    assert counts["unchanged"] == 26
    assert found["old_annotation_id"] == 4
    assert found["matched_by"] == ("overlap" if new_ids else "id")


@pytest.mark.parametrize("new_ids", [False, True])
def test_added_and_removed(new_ids: bool, tmp_path: Path) -> None:
    new = document()
    del new["annotations"][3]
    new["annotations"].append(label(1000, 2, 150, 150))
    new = renumbered(new) if new_ids else new
    counts, changes, _ = differ(document(), new, tmp_path)
    assert [(c["change"], c["file_name"]) for c in changes] == [
        ("removed", "1.jpg"),
        ("added", "2.jpg"),
    ]
    assert (counts["added"], counts["removed"], counts["changed"]) == (1, 1, 0)
    assert changes[0]["old_annotation_id"] == 3
    assert changes[0]["box_iou"] is None


def test_a_label_of_the_same_id_that_lies_elsewhere_has_moved_if_ids_stayed(tmp_path: Path) -> None:
    new = document()
    new["annotations"][0]["bbox"] = [150, 150, 20, 20]
    _, (found,), _ = differ(document(), new, tmp_path)
    assert (found["moved"], found["box_iou"], found["matched_by"]) == (True, 0, "id")


def test_images_and_categories_are_the_same_by_name(tmp_path: Path) -> None:
    new = document()
    for image in new["images"]:
        image["id"] = 4 - image["id"]
    for category in new["categories"]:
        category["id"] = 3 - category["id"]
    for record in new["annotations"]:
        record["image_id"], record["category_id"] = (
            4 - record["image_id"],
            3 - record["category_id"],
        )
    counts, changes, _ = differ(document(), new, tmp_path)
    assert changes == []
    assert counts["images_added"] == counts["images_removed"] == 0


def test_a_category_that_was_renamed_changes_no_label(tmp_path: Path) -> None:
    new = document()
    new["categories"][0]["name"] = "Cat"
    assert differ(document(), new, tmp_path)[1] == []


def test_an_image_less_takes_its_labels_along(tmp_path: Path) -> None:
    new = document()
    del new["images"][2]
    new["annotations"] = [a for a in new["annotations"] if a["image_id"] != 3]
    counts, changes, _ = differ(document(), new, tmp_path)
    assert (counts["images_removed"], counts["removed"]) == (1, 9)
    assert {c["file_name"] for c in changes} == {"3.jpg"}


def test_masks_that_are_only_written_otherwise_are_unchanged(tmp_path: Path) -> None:
    new = document()
    for record in new["annotations"]:
        record["segmentation"] = [[float(v) for v in record["segmentation"][0]]]
    assert differ(document(), new, tmp_path)[1] == []


def test_the_same_label_twice_is_paired_one_to_one(tmp_path: Path) -> None:
    old, new = document(), document()
    old["annotations"].append(label(100, 1, 150, 150))
    old["annotations"].append(label(101, 1, 150, 150))
    new["annotations"].append(label(100, 1, 150, 150))
    _, (found,), _ = differ(old, renumbered(new), tmp_path)
    assert found["change"] == "removed"
    assert found["old_annotation_id"] in {100, 101}


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    new = document()
    new["annotations"][0]["bbox"] = "wide"
    (tmp_path / "a.json").write_text(json.dumps(document()))
    (tmp_path / "b.json").write_text(json.dumps(new))
    args = ["diff", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--root", str(tmp_path)]
    done = CliRunner().invoke(cli, args)
    assert done.exit_code == 1
    assert "1 records not readable, not compared" in done.output
    assert "0 added, 1 removed, 0 changed" in done.output


@given(seed=st.integers(0, 2**16), data=st.data())
@examples(max_examples=6)
def test_any_mixture_is_found_with_old_ids_and_with_new_ones(
    seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = data.draw(st.permutations(range(27)))
    new = document()
    labels = new["annotations"]
    for row in rows[:3]:
        labels[row]["category_id"] = 3 - labels[row]["category_id"]
    for row in rows[2:5]:
        labels[row]["bbox"][2] += 4
    gone = {labels[row]["id"] for row in rows[5:7]}
    new["annotations"] = [a for a in labels if a["id"] not in gone]
    for ids in (new, renumbered(new, seed)):
        counts, changes, _ = differ(document(), ids, tmp_path_factory.mktemp("any"))
        found = [counts[k] for k in ("added", "removed", "changed", "reclassed", "moved")]
        assert found == [0, 2, 5, 3, 3]
        assert {c["old_annotation_id"] for c in changes} == set(rows[:7])


def test_the_command_prints_json_and_csv(tmp_path: Path) -> None:
    new = document()
    reclass(new["annotations"])
    (tmp_path / "a.json").write_text(json.dumps(document()))
    (tmp_path / "b.json").write_text(json.dumps(new))
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--root", str(tmp_path)]
    found = json.loads(CliRunner().invoke(cli, ["diff", *files, "--format", "json"]).output)
    assert found["counts"]["reclassed"] == 1
    (change,) = found["changes"]
    assert (change["old_category"], change["new_category"]) == ("cat", "dog")
    lines = CliRunner().invoke(cli, ["diff", *files, "--format", "csv"]).output.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("change,file_name,reclassed,moved,")
    same = CliRunner().invoke(cli, ["diff", files[0], files[0], "--root", str(tmp_path)])
    assert same.exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nothing"], "nothing is no published batch"),
        (["nothing", "else"], "nothing is neither a file nor a published batch"),
        (["../x", "y"], "../x is neither a file nor a published batch"),
    ],
)
def test_mistakes_are_one_sentence(args: list[str], message: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["diff", *args, "--root", str(tmp_path)])
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1
